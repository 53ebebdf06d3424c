#!/bin/sh
# Builds the kernel side and puts it where the user side embeds it: core/src/capture/servicemap.bpf.o.
#
#   build.sh            build and write
#   build.sh --check    build into a temporary folder and compare with what is committed:
#                       exit 0 the same; 1 different, or the build failed; 3 another toolchain than TOOLCHAIN names, so
#                       no comparison (the object is left in core-ebpf/target/servicemap.bpf.o for the tests)
#
# Needs rustc with the source of core (Debian: rustc-web and rust-web-src; elsewhere: a nightly with rust-src), cargo,
# bpf-linker, and rustup's stable toolchain for its objcopy.
set -eu
cd "$(dirname "$0")"
here=$(pwd -P)
object=$here/../core/src/capture/servicemap.bpf.o
version=$(sed -n 's/^bpf-linker=//p' TOOLCHAIN)
PATH=${SERVICEMAP_TOOLS:-$HOME/.cache/servicemap-tools}/bpf-linker-$version/bin:$PATH
export PATH

fail() { echo "core-ebpf/build.sh: $*" >&2; exit 1; }

command -v bpf-linker >/dev/null || fail "no bpf-linker: cargo install bpf-linker --version $version --locked"

# A compiler that has the source of core.
rustc=${BPF_RUSTC:-}
if [ -z "$rustc" ]; then
    if [ -x /usr/bin/rustc ] && [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library" ]; then
        rustc=/usr/bin/rustc
    elif nightly=$(rustup which rustc --toolchain nightly 2>/dev/null) &&
        [ -d "$("$nightly" --print sysroot)/lib/rustlib/src/rust/library" ]; then
        rustc=$nightly
    else
        fail "no rustc with the source of core: apt-get install rustc-web rust-web-src, or: rustup toolchain install nightly --component rust-src"
    fi
fi

# rustup's llvm-objcopy knows BPF objects; it needs its toolchain's own LLVM.
sysroot=$(rustc +stable --print sysroot 2>/dev/null || rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')
objcopy() {
    LD_LIBRARY_PATH=$sysroot/lib "$sysroot/lib/rustlib/$host/bin/rust-objcopy" "$@"
}
objcopy --version >/dev/null 2>&1 || fail "no rust-objcopy in $sysroot: install rustup's stable toolchain"

found="rustc=$("$rustc" --version | cut -d' ' -f2)
llvm=$("$rustc" -vV | sed -n 's/^LLVM version: //p')
bpf-linker=$(bpf-linker --version | cut -d' ' -f2)
objcopy=$(objcopy --version | sed -n 's/^ *LLVM version //p')"
named=$(grep -v '^#' TOOLCHAIN)

# No path of this machine may be in the object.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
unit=$(printf '\037')
flags="--cfg=bpf_target_arch=\"x86_64\"$unit-Cdebuginfo=2$unit-Ctarget-cpu=v3$unit-Clink-arg=--btf"
flags="$flags$unit--remap-path-prefix=$here=/core-ebpf$unit--remap-path-prefix=$cargo_home=/cargo"
flags="$flags$unit--remap-path-prefix=$("$rustc" --print sysroot)=/rustc"

# build TARGET_DIRECTORY OUTPUT
build() {
    echo "Building the eBPF programs with rustc $("$rustc" --version | cut -d' ' -f2) ..." >&2
    # The unstable parts are -Z build-std and intrinsics for atomics.
    RUSTC_BOOTSTRAP=1 RUSTC=$rustc CARGO_ENCODED_RUSTFLAGS=$flags CARGO_TARGET_DIR=$1 \
        cargo build --quiet --release --locked -Z build-std=core --target bpfel-unknown-none
    objcopy --strip-debug --remove-section=.rel.BTF --remove-section=.rel.BTF.ext \
        "$1/bpfel-unknown-none/release/servicemap" "$2"
}

case ${1:-} in
'')
    build "$here/target" "$object"
    echo "core/src/capture/servicemap.bpf.o: $(wc -c <"$object") bytes"
    [ "$found" = "$named" ] || printf 'Note: built with\n%s\nwhere core-ebpf/TOOLCHAIN names\n%s\n' "$found" "$named" >&2
    ;;
--check)
    if [ "$found" != "$named" ]; then
        build "$here/target" "$here/target/servicemap.bpf.o"
        printf 'Not compared: this toolchain is\n%s\nwhere core-ebpf/TOOLCHAIN names\n%s\n' "$found" "$named" >&2
        exit 3
    fi
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    build "$scratch/target" "$scratch/servicemap.bpf.o"
    cmp "$scratch/servicemap.bpf.o" "$object" ||
        fail "core/src/capture/servicemap.bpf.o is not what core-ebpf/ builds to: run \`make bpf\` and commit it"
    echo "core/src/capture/servicemap.bpf.o is what core-ebpf/ builds to"
    ;;
*)
    fail "unknown argument $1"
    ;;
esac
