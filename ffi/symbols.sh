#!/bin/sh
# Writes ffi/symbols.txt: what the shared library exports, one symbol a line.
# --check writes nothing: it fails when the committed list is another one.
# The library: the last argument, else target/release/libservicemap.so, else target/debug/libservicemap.so.
set -eu
cd "$(dirname "$0")/.."

check=
if [ "${1:-}" = --check ]; then
    check=yes
    shift
fi
target=${CARGO_TARGET_DIR:-target}
library=${1:-}
for candidate in "$target/release/libservicemap.so" "$target/debug/libservicemap.so"; do
    if [ -z "$library" ] && [ -e "$candidate" ]; then library=$candidate; fi
done
if [ -z "$library" ]; then
    echo "no libservicemap.so in $target: run cargo build -p servicemap-ffi" >&2
    exit 1
fi

exported() {
    nm --dynamic --defined-only --format=posix "$library" | cut -d ' ' -f 1 | LC_ALL=C sort
}

if [ -z "$check" ]; then
    exported >ffi/symbols.txt
    exit
fi
exported | diff -u ffi/symbols.txt - || {
    echo "$library exports something else than ffi/symbols.txt says: a removed symbol breaks callers (raise" >&2
    echo "SERVICEMAP_ABI_VERSION), an added one is listed by running ffi/symbols.sh" >&2
    exit 1
}
echo "symbols: $library exports what ffi/symbols.txt lists"
