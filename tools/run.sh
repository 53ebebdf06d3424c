#!/usr/bin/env bash
# Builds the release binary and shows the live map of this machine. Arguments go to `servicemap run`.
source "$(dirname "$0")/lib.sh"
BINARY=target/release/servicemap

# CAP_PERFMON and CAP_BPF, as linux/capability.h numbers them.
PERFMON=38 BPF=39

may_observe() {
  local effective=$((16#$(sed -n 's/^CapEff:\t//p' /proc/self/status)))
  ((effective >> PERFMON & 1 && effective >> BPF & 1))
}

step 'Building servicemap (release; the first time takes some minutes)' tools/build.sh binary

if may_observe; then
  exec "$BINARY" run "$@"
elif command -v sudo >/dev/null; then
  echo '    Observing the kernel takes CAP_BPF and CAP_PERFMON: starting with sudo. Ctrl-C ends it.'
  exec sudo "$BINARY" run "$@"
fi
die "Observing the kernel takes CAP_BPF and CAP_PERFMON, and there is no sudo: run \`make run\` as root, or run \`setcap cap_bpf,cap_perfmon+ep $BINARY\` as root once and then \`$BINARY run\`."
