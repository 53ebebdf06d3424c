#!/usr/bin/env bash
# Everything that can be said about the code without running it: lint.sh [rust|go], both without an argument.
source "$(dirname "$0")/lib.sh"

rust_format() {
  cargo fmt --all --check
  cargo fmt --all --check --manifest-path core-ebpf/Cargo.toml
}

# Three sets of features are built by users: the binary's, the library's, and the one that writes the headers.
clippy() {
  cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
  cargo clippy --quiet --locked -p servicemap --all-targets --no-default-features -- -D warnings
  cargo clippy --quiet --locked -p servicemap-ffi --all-targets --all-features -- -D warnings
}

rust_documentation() {
  RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --no-deps --lib -p servicemap-map -p servicemap
  # By itself: its library has the name of the one above.
  RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --no-deps --lib -p servicemap-ffi
}

# With cgo and without, and for a system that has no native library: each is a different set of files.
go_checks() {
  local module
  go/build-native.sh
  for module in $(tools/go-modules.sh); do
    (
      cd "$module"
      [[ -z $(gofmt -l .) ]] || die "not formatted in $module: $(gofmt -l . | tr '\n' ' '): run gofmt -w"
      go vet ./...
      CGO_ENABLED=0 go vet ./...
      CGO_ENABLED=0 GOOS=darwin go vet ./...
      staticcheck ./...
    )
  done
}

# Not staticcheck: with all of Kubernetes behind it that takes minutes and gigabytes.
kubelab_checks() {
  (
    cd tests/kubelab
    [[ -z $(gofmt -l .) ]] || die "not formatted in tests/kubelab: $(gofmt -l . | tr '\n' ' '): run gofmt -w"
    go vet .
  )
}

rust() {
  step 'Rust formatting' rust_format
  step 'Clippy' clippy
  step 'Licences, bans and sources of crates' cargo deny --locked --log-level error check licenses bans sources
  step 'Rust documentation' rust_documentation
}

go_() {
  step 'Go formatting, vet and staticcheck' go_checks
  step 'Formatting and vet of the cluster for tests' kubelab_checks
}

case ${1:-all} in
  rust) rust ;;
  go) go_ ;;
  all)
    tools/need.sh
    rust
    go_
    ;;
  *) die 'lint.sh: say rust, go or nothing' ;;
esac
