#!/bin/sh
# Loads each pipeline of this directory in the real program that it is for.
#
#   otel-config/check.sh SERVICEMAP_BINARY      after otel-config/build.sh
set -eu

[ $# -eq 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
servicemap=$1
here=$(cd "$(dirname "$0")" && pwd)
collector=$here/_build/otelcol-servicemap

"$servicemap" validate --config "$here/agent.yaml"
"$servicemap" validate --config "$here/node-agent.yaml"
"$servicemap" validate --config "$here/cluster.yaml"
"$collector" validate --config "$here/collector.yaml"
"$collector" validate --config "$here/gateway.yaml"
# The file is the Collector's own form, so the distribution takes what the binary takes.
"$collector" validate --config "$here/agent.yaml"
echo "otel-config: agent.yaml, node-agent.yaml, cluster.yaml, collector.yaml and gateway.yaml load"
