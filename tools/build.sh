#!/usr/bin/env bash
# Builds one thing under test: build.sh binary|library|c|go|collector|kubelab. What stands on the library builds it first.
source "$(dirname "$0")/lib.sh"
tools/need.sh compilers

# One cargo call each, with -p: together, their features would unify and the library would get the binary's.
binary() { cargo build --release --locked -p servicemap; }
library() { cargo build --release --locked -p servicemap-ffi; }

case ${1:-} in
  binary) binary ;;
  library) library ;;
  c)
    library
    SANITIZE=address,undefined ffi/examples/build.sh target/c
    ;;
  go)
    go/build-native.sh
    mkdir -p target/go
    (cd go && go build -o ../target/go/print-events ./examples/print-events)
    ;;
  collector)
    go/build-native.sh
    otel-config/build.sh
    ;;
  kubelab)
    tools/need.sh kubelab
    mkdir -p target
    ln -sfn "$TOOLS/$(kubelab_name)/bin/kubelab" target/kubelab
    ;;
  *) die 'build.sh: say one of binary, library, c, go, collector, kubelab' ;;
esac
