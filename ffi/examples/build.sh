#!/bin/sh
# Builds the C examples into the directory that is the first argument, linked to the static library.
# CARGO_PROFILE=dev takes the debug build of the library. SANITIZE=address,undefined adds sanitizers.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:?usage: ffi/examples/build.sh DIRECTORY}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$root"

profile=${CARGO_PROFILE:-release}
cargo build --quiet --locked -p servicemap-ffi --profile "$profile"
case $profile in
dev) folder=debug ;;
*) folder=$profile ;;
esac
library=${CARGO_TARGET_DIR:-target}/$folder/libservicemap.a

# What rustc says a program needs beside the library, with gcc's unwinder linked in (-lgcc_eh) instead of shared
# (-lgcc_s): then the program needs nothing but the C library, and a fully static one links too.
${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -O1 -g ${SANITIZE:+-fsanitize="$SANITIZE" -fno-sanitize-recover=all} \
    -Iinclude ffi/examples/print_events.c "$library" -lgcc_eh -lutil -lrt -lpthread -lm -ldl -lc -o "$out/print_events"
echo "$out/print_events"
