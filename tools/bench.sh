#!/usr/bin/env bash
# What Servicemap costs on this machine. Arguments: rounds, seconds of each. Close what else uses the machine first.
source "$(dirname "$0")/lib.sh"
[[ $EUID -eq 0 ]] || die 'The benchmark loads BPF programs and reads their run time: run `sudo -E env PATH="$PATH" make bench`.'

step 'Release binary' tools/build.sh binary
step 'Benchmark program' cargo build --release --locked -p servicemap-tests
cluster=(cargo bench --quiet --locked -p servicemap --no-default-features --bench kubernetes)
step 'Benchmark of a cluster' "${cluster[@]}" --no-run
printf '\n%s, Linux %s, %s cores, %s\n' "$(date --utc +%F)" "$(uname -r)" "$(nproc)" \
  "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)"
target/release/bench "$@"
target/release/mesh
"${cluster[@]}"
cargo bench --quiet --locked -p servicemap-map --bench analysis
tools/bench-scale.sh
