#!/usr/bin/env bash
# What the map of a large cluster takes in bytes and time, and in instructions where valgrind is installed (on Debian:
# apt-get install valgrind). Instructions are the same on a busy machine.
source "$(dirname "$0")/lib.sh"

bench=(cargo bench --quiet --locked -p servicemap-map --bench scale)
"${bench[@]}"
if ! command -v valgrind > /dev/null; then
  echo 'Instructions are not counted: valgrind is not installed.'
  exit 0
fi

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
