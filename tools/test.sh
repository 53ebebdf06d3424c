#!/usr/bin/env bash
# The fast tier: everything that must hold before a merge. Steps run in order, and the first failure ends them.
# Tests that need root or a newer kernel say SKIPPED where they find neither; with SERVICEMAP_REQUIRE_ALL=1 they fail.
source "$(dirname "$0")/lib.sh"

# A backtrace per expected panic would bury the report; the tests of error messages switch it on themselves.
export RUST_BACKTRACE=0

[[ $EUID -eq 0 || ${SERVICEMAP_REQUIRE_ALL:-0} == 1 ]] ||
  echo 'Not root: tests with network namespaces and BPF programs will be SKIPPED. `sudo -E env PATH="$PATH" make test` runs all.'

rust_unit_tests() {
  cargo test --quiet --locked --workspace --exclude servicemap-tests
}

go_tests() {
  local module
  for module in $(tools/go-modules.sh); do
    (
      cd "$module"
      go test -race ./...
      # The same API must compile without cgo and say why it cannot observe.
      CGO_ENABLED=0 go test ./...
    )
  done
}

door_tests() {
  # At most four at a time: each runs several programs, and deadlines should tell of faults, not of a full machine.
  cargo test --locked -p servicemap-tests -- --test-threads=4
}

start=$SECONDS
step 'Tools and packages' tools/need.sh
step 'Lint of the Rust side' tools/lint.sh rust
step 'Rust unit tests' rust_unit_tests
step 'Release binary' tools/build.sh binary
step 'Helm chart and manifests' tools/manifests.sh --check
step 'C library' tools/build.sh library
step 'C headers and exported symbols are the committed ones' ffi/headers.sh --check
step 'C program under AddressSanitizer' tools/build.sh c
step 'Lint of the Go side' tools/lint.sh go
step 'Go tests, with the race detector and without cgo' go_tests
step 'Go program' tools/build.sh go
step 'Collector distribution' tools/build.sh collector
step 'Cluster for tests' tools/build.sh kubelab
step 'Sample, manifests and chart in a real API server' tools/manifests.sh --server
step 'Tests across the doors' door_tests
step 'The committed BPF object is what core-ebpf/ builds to' tools/bpf-check.sh
printf '\nAll of the fast tier passed in %d min %02d s.\n' $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60))
