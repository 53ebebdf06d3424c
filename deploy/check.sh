#!/usr/bin/env bash
# Checks the chart and the plain manifests without a cluster, and writes the manifests.
#
#   deploy/check.sh SERVICEMAP_BINARY     the chart is sound, the manifests are what it renders to, pipelines load
#   deploy/check.sh --write               renders the manifests anew
#
# Needs helm, python3.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
chart=$here/helm/servicemap
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  printf 'deploy: %s\n' "$*" >&2
  exit 1
}

command -v helm >/dev/null || fail 'helm is not installed: tools/need.sh helm builds it'

render() { # VALUES…: as for a release called servicemap in a namespace of that name
  helm template servicemap "$chart" --namespace servicemap "$@"
}

# manifest MODE: what the chart renders, with a namespace and without what only Helm needs.
manifest() {
  cat <<YAML
# Rendered from deploy/helm/servicemap by \`make manifests\` (mode: $1). Change the chart, not this file.
apiVersion: v1
kind: Namespace
metadata:
  name: servicemap
  labels:
    # hostPID, hostNetwork and the host path of the DaemonSet are allowed at no stricter level.
    pod-security.kubernetes.io/enforce: privileged
YAML
  render --set "mode=$1" | sed -e '/^# Source: /d' -e '/helm\.sh\/chart: /d' -e '/app\.kubernetes\.io\/managed-by: /d' -e '/^$/d'
}

file_of() { # MODE
  case $1 in
    all-in-one) echo "$here/manifests/all-in-one.yaml" ;;
    agents) echo "$here/manifests/agents-and-cluster.yaml" ;;
  esac
}

if [[ ${1:-} == --write ]]; then
  mkdir -p "$here/manifests"
  for mode in all-in-one agents; do
    # Not straight into the file: what fails half-way must not leave half a manifest.
    manifest "$mode" >"$work/manifest.yaml"
    cp "$work/manifest.yaml" "$(file_of "$mode")"
  done
  exit
fi

[[ $# -eq 1 ]] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
servicemap=$1

# values files that reach every branch of the templates
cat >"$work/everything.yaml" <<'YAML'
clusterName: lab
watchNamespaces: [shop-prod, shop-staging]
imagePullSecrets: [{name: pull}]
image: {digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
settings: {drain_interval: 2s, labels: [team]}
otlp: {headers: {authorization: "${env:TOKEN}"}}
extraEnv: [{name: TOKEN, value: secret}]
prometheus: {ipv6: true, serviceMonitor: {enabled: true, labels: {release: prometheus}}}
collector: {enabled: true}
rbac: {endpoints: true}
node: {hostNetwork: false, extraCapabilities: [SYS_PTRACE], priorityClassName: system-node-critical, podLabels: {a: b}}
cluster: {priorityClassName: high, tolerations: [{operator: Exists}], podAnnotations: {a: b}}
YAML
cat >"$work/least.yaml" <<'YAML'
prometheus: {enabled: false}
otlp: {endpoint: "collector.example:4317"}
stdout: {enabled: false}
rbac: {create: false, gatewayApi: false, openshiftRoutes: false}
serviceAccount: {create: false, name: mine}
YAML
touch "$work/default.yaml"

# pipelines FILE: each file of pipelines of our ConfigMap passes the program that will read it.
pipelines() {
  python3 "$here/configmaps.py" servicemap "$work/pipelines" <"$1" || fail "no file of pipelines in what $1 renders to"
  local pipeline
  for pipeline in "$work"/pipelines/*.yaml; do
    if [[ $pipeline != */all-in-one.yaml ]] && ! "$servicemap" components | grep -q 'name: otlp$'; then
      echo "deploy: SKIPPED $(basename "$pipeline"): this servicemap has no receiver otlp"
      continue
    fi
    NODE_NAME=node-1 POD_IP=127.0.0.1 TOKEN=secret "$servicemap" validate --config "$pipeline" ||
      fail "$(basename "$pipeline") of the chart ($2) does not load"
  done
  rm -r "$work/pipelines"
}

for mode in all-in-one agents; do
  for values in default least everything; do
    helm lint --quiet --strict "$chart" --set "mode=$mode" --values "$work/$values.yaml" >"$work/lint" || fail "helm lint: $(cat "$work/lint")"
    render --set "mode=$mode" --values "$work/$values.yaml" >"$work/rendered.yaml"
    pipelines "$work/rendered.yaml" "mode $mode, values $values"
  done
  manifest "$mode" | diff -u "$(file_of "$mode")" - || fail "$(file_of "$mode") is not what the chart renders to: run \`make manifests\`"
done

refused() { # VALUE WORD: what is wrong with this value is said with this word
  if render --set-json "$1" >"$work/out" 2>&1; then fail "$1 is accepted"; fi
  grep -q "$2" "$work/out" || fail "$1 is refused without a word of $2: $(cat "$work/out")"
}
refused 'mode="both"' mode
refused 'prometheus.prot=1' prot
refused 'prometheus.port=80' port
refused 'watchNamespaces=["UPPER"]' watchNamespaces
refused 'settings={"role":"agent"}' settings
refused 'otlp.endpoint="collector"' endpoint
refused 'node.extraCapabilities=["SYS_ADMIN"]' extraCapabilities
refused 'prometheus={"enabled":false,"serviceMonitor":{"enabled":true}}' prometheus
echo 'deploy: the chart renders, its manifests are the committed ones, its pipelines load'
