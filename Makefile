# Every task of this repository; the same ones run locally and in CI (.ci/run). Each is a small script in tools/.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# One task at a time: they share target/ and say what they do in order.
.NOTPARALLEL:

.PHONY: help
help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run build
run: ## Build Servicemap and show the live map of this machine
	@tools/run.sh
build: ## Build the release binary (stable Rust alone): target/release/servicemap
	@tools/build.sh binary

.PHONY: test test-all lint tools clean-tools bench bench-code
test: ## Everything that must hold before a merge: lint, unit tests, all doors (the fast tier)
	@tools/test.sh
test-all: ## The fast tier, the slow tests and the benchmark; writes docs/test-all.md
	@tools/test-all.sh
lint: ## Formatting, clippy, licences and sources, rustdoc, go vet, staticcheck
	@tools/lint.sh
bench: ## What Servicemap costs on this machine, as ratios and CPU time, and what watching a cluster costs
	@tools/bench.sh
bench-code: ## What the map, the OTLP encoders and watching a cluster cost by themselves, without a kernel
	@cargo bench --locked -p servicemap-map --bench map --bench policies --bench analysis
	@tools/bench-scale.sh
	@cargo bench --locked -p servicemap --no-default-features --bench otlp
	@cargo bench --locked -p servicemap --no-default-features --bench kubernetes
tools: ## Install what the tests need (Debian packages, and tools built once and kept)
	@tools/need.sh
clean-tools: ## Remove the tools that were built and kept
	@tools/clean-tools.sh

.PHONY: bpf bpf-check headers headers-check
bpf: ## Rebuild the committed BPF object from core-ebpf/
	@tools/need.sh bpf && core-ebpf/build.sh
bpf-check: ## Compare the committed BPF object with one rebuilt here
	@tools/bpf-check.sh
headers: ## Regenerate the C headers in include/
	@ffi/headers.sh
headers-check: ## Compare the committed C headers with regenerated ones
	@ffi/headers.sh --check

.PHONY: manifests manifests-check
manifests: ## Render the plain manifests in deploy/manifests/ from the Helm chart
	@tools/manifests.sh
manifests-check: ## Check the Helm chart, and that the manifests are what it renders to
	@tools/build.sh binary && tools/manifests.sh --check

.PHONY: native c go collector kubelab
native: ## Build the C library: target/release/libservicemap.{a,so}
	@tools/build.sh library
c: ## Build the C example program under AddressSanitizer
	@tools/build.sh c
go: ## Build the Go example program against the C library
	@tools/build.sh go
collector: ## Build the OpenTelemetry Collector distribution with the servicemap receiver
	@tools/build.sh collector
kubelab: ## Build the Kubernetes cluster that the tests start (once, kept; 7 minutes the first time)
	@tools/build.sh kubelab
