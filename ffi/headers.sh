#!/bin/sh
# Writes include/servicemap.h (cbindgen) and include/servicemap_events.h (safer-ffi).
# --check writes nothing: it fails when the committed headers are not what this source gives, or when they do not compile,
# alone and together, as C11 and C++17 without a warning.
set -eu
cd "$(dirname "$0")/.."

generate() {
    log=$(SERVICEMAP_HEADERS=$1 cargo test --quiet --locked -p servicemap-ffi --lib --features headers -- \
        --exact tests::headers::write 2>&1) || {
        echo "$log" >&2
        exit 1
    }
}

if [ "${1:-}" != --check ]; then
    mkdir -p include
    generate "$PWD/include"
    exit
fi

new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
generate "$new"
for header in servicemap.h servicemap_events.h; do
    diff -u "include/$header" "$new/$header" || {
        echo "include/$header is not what the source gives: run ffi/headers.sh and commit the result" >&2
        exit 1
    }
done

printf '#include "servicemap.h"\n' >"$new/one.c"
printf '#include "servicemap_events.h"\n' >"$new/two.c"
printf '#include "servicemap.h"\n#include "servicemap_events.h"\n' >"$new/both.c"
printf '#include "servicemap_events.h"\n#include "servicemap.h"\n' >"$new/reverse.c"
for unit in one two both reverse; do
    # A unit of declarations only is empty to a pedantic compiler.
    echo "int servicemap_unit_$unit(void); int servicemap_unit_$unit(void) { return 0; }" >>"$new/$unit.c"
    cp "$new/$unit.c" "$new/$unit.cc"
    ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -Iinclude -c "$new/$unit.c" -o "$new/$unit.o"
    ${CXX:-c++} -std=c++17 -Wall -Wextra -Wpedantic -Werror -Iinclude -c "$new/$unit.cc" -o "$new/$unit.o"
done
echo "headers: as generated; they compile as C11 and C++17"
