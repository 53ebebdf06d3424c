# Sourced by the scripts here: how they speak, time and stop. The working directory is the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Tools that are built once and kept, one directory a version.
TOOLS=${SERVICEMAP_TOOLS:-$HOME/.cache/servicemap-tools}
BPF_LINKER=0.10.3
CARGO_DENY=0.20.2
STATICCHECK=0.8.2
HELM=4.3.1
MERMAID=11.17.2
export PATH="$TOOLS/bpf-linker-$BPF_LINKER/bin:$TOOLS/cargo-deny-$CARGO_DENY/bin:$TOOLS/staticcheck-$STATICCHECK/bin:$TOOLS/helm-$HELM/bin:$PATH"
# Without -trimpath and with VCS stamps, Go would keep a cache of its own for the Collector's build.
export GOFLAGS="${GOFLAGS:--buildvcs=false -trimpath}"

# The cluster that the tests start, named by what it is built from.
kubelab_name() { echo "kubelab-$(cat tests/kubelab/*.go tests/kubelab/go.{mod,sum} | sha256sum | cut -c1-12)"; }

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# step WHAT COMMAND…: says what is being done, does it, says how long it took. A failure ends the script.
step() {
  local what=$1 start=$SECONDS
  shift
  printf '\n==> %s\n' "$what"
  "$@"
  printf '    %s: %d s\n' "$what" "$((SECONDS - start))"
}

# have COMMAND MEND: stops with the mend when the command is not there.
have() {
  command -v "$1" >/dev/null || die "$1 is not installed: $2"
}

# as_root COMMAND…: directly, or through sudo.
as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}
