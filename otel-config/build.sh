#!/bin/sh
# Builds the Collector distribution with the servicemap receiver: otel-config/_build/otelcol-servicemap.
#
#   otel-config/build.sh            needs Go, a C compiler, and the native library (go/build-native.sh)
#
# The Collector builder is installed once, by version, into $SERVICEMAP_TOOLS (~/.cache/servicemap-tools).
set -eu

ocb_version=0.159.0

cd "$(dirname "$0")"
tools=${SERVICEMAP_TOOLS:-$HOME/.cache/servicemap-tools}/ocb-$ocb_version
# The same flags for every Go command of this repository, so that they share one build cache.
export GOFLAGS='-buildvcs=false -trimpath'

if [ ! -x "$tools/builder" ]; then
    echo "otel-config: installing the Collector builder $ocb_version into $tools" >&2
    GOBIN=$tools go install "go.opentelemetry.io/collector/cmd/builder@v$ocb_version"
fi
if [ ! -f ../go/internal/native/lib_stamp.h ]; then
    echo "otel-config: the native library is not built: run go/build-native.sh first" >&2
    exit 1
fi

# builder.sum pins the contents of every module: Go refuses a module that differs from it. To renew it after a change of
# builder.yaml: remove it, run this script, and commit what it writes.
mkdir -p _build
if [ -f builder.sum ]; then
    cp builder.sum _build/go.sum
fi
echo "otel-config: building otelcol-servicemap" >&2
"$tools/builder" --config builder.yaml
if [ -f builder.sum ]; then
    cmp -s builder.sum _build/go.sum || {
        echo "otel-config: the modules are no longer those of builder.sum: remove it, run this again, and commit it" >&2
        exit 1
    }
else
    cp _build/go.sum builder.sum
fi
