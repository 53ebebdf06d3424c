#!/usr/bin/env bash
# Applies the sample, the plain manifests and what the chart renders to in a real API server with strict validation: no unknown
# field, no warning (Pod Security included), and accounts that may what the manifests say and not a thing more.
#
#   deploy/check-server.sh KUBELAB     the program of tests/kubelab, which is the API server
#
# Needs helm.
set -euo pipefail
[[ $# -eq 1 ]] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
kubelab=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)

# It ends with the pipe on its standard input, so with this script, however that ends.
mkfifo "$work/alive"
"$kubelab" up --dir "$work" --while-stdin <"$work/alive" >"$work/up.log" 2>&1 &
server=$!
exec 3>"$work/alive"
trap 'exec 3>&-; wait "$server" || true; rm -rf "$work"' EXIT

fail() {
  printf 'deploy: %s\n' "$*" >&2
  exit 1
}

kubectl() {
  timeout 60 "$kubelab" kubectl --kubeconfig "$work/admin.kubeconfig" "$@"
}

deadline=$((SECONDS + 60))
until [[ -e $work/admin.kubeconfig ]] && kubectl get --raw /readyz >"$work/ready" 2>&1; do
  ((SECONDS < deadline)) || fail "no API server within a minute: $(tail -n 20 "$work/up.log")"
  sleep 0.2
done

applied() { # WHAT, with the manifests on standard input
  kubectl apply --validate=strict --filename - >"$work/out" 2>&1 || fail "$1 is refused: $(cat "$work/out")"
  ! grep 'Warning' "$work/out" || fail "$1 is warned of: see above"
}

# may ACCOUNT EXPECTED: the rules of an account beyond what everybody has, as `resource [names] verbs`.
may() {
  kubectl auth can-i --list "--as=system:serviceaccount:servicemap:$1" |
    sed -nE '/^(\[|selfsubject|clustertrustbundles| )/d; s/^([a-z][a-z0-9.]*) +\[\] +\[(.*)\] +\[(.*)\]$/\1 [\2] \3/p' |
    sort >"$work/may"
  printf '%s\n' "${@:2}" | sort | diff - "$work/may" || fail "account $1 may something else than is meant: see above"
}

applied 'the sample' <"$here/sample-microservices.yaml"
applied manifests/all-in-one.yaml <"$here/manifests/all-in-one.yaml"
owner=()
for resource in services pods nodes namespaces endpointslices.discovery.k8s.io replicasets.apps jobs.batch \
  {ingresses,networkpolicies,servicecidrs}.networking.k8s.io {httproutes,grpcroutes,tlsroutes,tcproutes}.gateway.networking.k8s.io \
  routes.route.openshift.io; do
  owner+=("$resource [] list watch")
done
may servicemap "${owner[@]}"
applied manifests/agents-and-cluster.yaml <"$here/manifests/agents-and-cluster.yaml"
may servicemap "${owner[@]}"
may servicemap-agent 'pods [] list watch' 'namespaces [kube-system] list'

helm template other "$here/helm/servicemap" --namespace servicemap --set mode=agents,collector.enabled=true \
  --set 'watchNamespaces={shop-prod,platform}' | applied 'the chart with watchNamespaces and a Collector'
kubectl auth can-i list pods --as=system:serviceaccount:servicemap:other-servicemap --namespace shop-prod >"$work/out" ||
  fail 'with watchNamespaces the account may not list the pods of one of these'
! kubectl auth can-i list pods --as=system:serviceaccount:servicemap:other-servicemap --namespace shop-staging >"$work/out" ||
  fail 'with watchNamespaces the account may list the pods of another namespace'
echo 'deploy: a real API server takes sample, manifests and chart; accounts may what is meant and no more'
