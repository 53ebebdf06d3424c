#!/usr/bin/env bash
# What the map of a large cluster takes in bytes, time and instructions.
source "$(dirname "$0")/lib.sh"

tools/need.sh bench
bench=(cargo bench --quiet --locked -p servicemap-map --bench scale)
"${bench[@]}"

# cargo says where it has put the benchmark.
program=$("${bench[@]}" --no-run --message-format=json | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
# How many facts are applied in so many rounds, and how many instructions the whole run takes.
run() {
  local log
  log=$(mktemp)
  facts=$(valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null --log-file="$log" "$program" rounds "$1")
  instructions=$(sed -n 's/.*I *refs: *//p' "$log" | tr -d ',')
  rm -f "$log"
}
run 1
few_facts=$facts few_instructions=$instructions
run 11
printf '\n| instructions of a counter fact on a flow that is known, applied and settled |\n|---|\n| %d |\n' \
  $(((instructions - few_instructions) / (facts - few_facts)))
