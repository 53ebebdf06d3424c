#!/usr/bin/env bash
# The fast tier, then what takes longer. The result is written to docs/test-all.md, to be committed.
source "$(dirname "$0")/lib.sh"
[[ $EUID -eq 0 ]] || die 'The slow tier loads BPF programs: run `sudo -E env PATH="$PATH" make test-all`.'
export SERVICEMAP_REQUIRE_ALL=1 RUST_BACKTRACE=0
REPORT=docs/test-all.md
WORK=$(mktemp --directory)
trap 'rm -rf "$WORK"' EXIT

# A fresh clone must build with stable Rust alone: no compiler for C but the linker, no Go, no tools of ours in PATH.
clean_build() {
  git clone --quiet . "$WORK/clone"
  (cd "$WORK/clone" && env PATH="${CARGO_HOME:-$HOME/.cargo}/bin:/usr/bin:/bin" CARGO_TARGET_DIR="$WORK/target" cargo build --release --locked)
  [[ -x $WORK/target/release/servicemap ]]
}

slow_tests() {
  # One at a time: their figures are of a machine that does nothing else.
  cargo test --locked -p servicemap-tests --test slow --test deadlines -- --include-ignored --test-threads=1 2>&1 | tee "$WORK/slow"
}

benchmark() {
  tools/bench.sh | tee "$WORK/bench"
}

report() {
  mkdir -p docs
  {
    echo '# Last run of `make test-all`'
    echo
    echo 'Written by `tools/test-all.sh`: the fast tier (`make test`), then the slow tests and the benchmark.'
    echo
    echo "- Date: $(date --utc +%F), commit $(git rev-parse --short HEAD)$(git diff --quiet HEAD || echo ' with changes')"
    echo "- Machine: Linux $(uname -r), $(nproc) cores, $(. /etc/os-release && echo "$PRETTY_NAME"), $(rustc --version), $(go env GOVERSION)"
    echo "- Fast tier: passed in $fast s"
    echo "- Build of a fresh clone with stable Rust alone: passed in $build s"
    echo
    echo '## Slow tests (all passed)'
    echo
    sed -n 's/^    figure: /- /p' "$WORK/slow"
    echo
    echo '## Benchmark'
    # Behind the headline of the last step; what is before are build messages.
    sed -n '/^| connections/,$p' "$WORK/bench"
  } >"$REPORT"
}

start=$SECONDS
step 'Fast tier' tools/test.sh
fast=$((SECONDS - start))
start=$SECONDS
step 'Build of a fresh clone with stable Rust alone' clean_build
build=$((SECONDS - start))
step 'Slow tests' slow_tests
step 'Benchmark' benchmark
step "Report: $REPORT" report
