# `make` shows the targets. Each can be run alone; `make ci` is what .ci/run calls.

# What is slow to build or to install is kept here, outside the checkout.
export BUILD_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/irsa-sidecar

CARGO_DENY_VERSION := 0.20.2
TOOLS := $(BUILD_CACHE)/tools
CARGO_DENY := $(TOOLS)/bin/cargo-deny-$(CARGO_DENY_VERSION)

CONFORMANCE := tests/conformance/run --binary target/release/irsa-sidecar --emulator target/debug/sts-emulator

LANGUAGES := go java javascript python ruby rust tools

STAGES := fmt clippy doc test deny build conformance

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: ci
ci: ## every check, timed, with a table at the end
	.ci/stages $(STAGES)

.PHONY: fmt
fmt: ## formatting
	cargo fmt --all --check

.PHONY: clippy
clippy: ## lints, warnings are errors
	cargo clippy --locked --workspace --all-targets -- -D warnings

.PHONY: doc
doc: ## the API documentation, broken links are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

.PHONY: deny
deny: $(CARGO_DENY) ## which crates, licences and sources a build may have
	cargo fetch --locked
	$(CARGO_DENY) --locked --offline check --hide-inclusion-graph bans licenses sources

.PHONY: advisories
advisories: $(CARGO_DENY) ## known vulnerabilities; fetches the RustSec database from GitHub
	$(CARGO_DENY) --locked check advisories

.PHONY: test
test: ## unit, integration and architecture tests, and the demo's own check
	cargo test --locked --workspace

.PHONY: build
build: ## target/release/irsa-sidecar and the STS emulator
	cargo build --locked --release
	cargo build --locked -p irsa-sidecar-test-support

.PHONY: conformance
conformance: build ## real old SDKs against the real binary; conformance-java and so on for one language
	$(CONFORMANCE)

# One language's rows alone.
.PHONY: $(LANGUAGES:%=conformance-%)
$(LANGUAGES:%=conformance-%): conformance-%: build
	$(CONFORMANCE) --language $*

.PHONY: bench
bench: build ## the figures of the README, beside nginx's (needs nginx and wrk)
	cargo bench --locked --profile dev --bench figures

$(CARGO_DENY):
	cargo install --locked --root $(TOOLS) cargo-deny --version $(CARGO_DENY_VERSION)
	mv $(TOOLS)/bin/cargo-deny $@
