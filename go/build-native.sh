#!/bin/sh
# Builds the native library and puts it, both headers and the library's checksum where the Go package links them.
#
#   go/build-native.sh [--profile PROFILE]      PROFILE is a cargo profile (release)
#
# SERVICEMAP_LIB=/path/to/libservicemap.a takes a library that was built before; CARGO_TARGET_DIR is honoured.
# Run it after every change of the Rust side, never copy by hand: Go notices neither a changed library nor headers in
# another directory. It does notice lib_stamp.h.
set -eu

usage() { sed -n '2,5s/^# \{0,1\}//p' "$0"; }

profile=release
while [ $# -gt 0 ]; do
    case $1 in
    --profile)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        profile=$2
        shift 2
        ;;
    -h | --help) usage; exit 0 ;;
    *) echo "build-native: unknown argument $1" >&2; usage >&2; exit 2 ;;
    esac
done

root=$(cd "$(dirname "$0")/.." && pwd)
native=$root/go/internal/native

[ "$(uname -s)" = Linux ] || { echo "build-native: the native library needs Linux, this is $(uname -s)" >&2; exit 1; }
case $(uname -m) in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) echo "build-native: the native library is for amd64 and arm64, this machine is $(uname -m)" >&2; exit 1 ;;
esac

if [ -n "${SERVICEMAP_LIB:-}" ]; then
    library=$SERVICEMAP_LIB
else
    echo "build-native: building libservicemap.a (cargo profile $profile)" >&2
    (cd "$root" && cargo build --locked --profile "$profile" -p servicemap-ffi) >&2
    # The directory of the dev profile is called debug.
    case $profile in dev) directory=debug ;; *) directory=$profile ;; esac
    library=$(cd "$root" && cd "${CARGO_TARGET_DIR:-target}" && pwd)/$directory/libservicemap.a
fi
[ -f "$library" ] || { echo "build-native: $library does not exist" >&2; exit 1; }

# Copied only when changed, so that an unchanged library costs no rebuild of Go programs.
put() { cmp -s "$1" "$2" || { cp "$1" "$2.new" && mv "$2.new" "$2"; }; }

mkdir -p "$native/lib/linux_$arch"
put "$library" "$native/lib/linux_$arch/libservicemap.a"
put "$root/include/servicemap.h" "$native/servicemap.h"
put "$root/include/servicemap_events.h" "$native/servicemap_events.h"

sum=$(sha256sum "$library" | cut -d ' ' -f 1)
stamp=$(mktemp)
trap 'rm -f "$stamp"' EXIT
printf '// Written by go/build-native.sh: a changed library changes this file, which Go notices.\n#define SERVICEMAP_LIB_SHA256 "%s"\n' "$sum" >"$stamp"
put "$stamp" "$native/lib_stamp.h"
chmod a+r "$native/lib_stamp.h"
echo "build-native: go/internal/native/lib/linux_$arch/libservicemap.a, sha256 $sum" >&2
