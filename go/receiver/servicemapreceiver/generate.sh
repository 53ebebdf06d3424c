#!/bin/sh
# Writes the generated_* files from metadata.yaml; run by `go generate`.
set -eu
cd "$(dirname "$0")"
go tool -modfile=../../tools/go.mod mdatagen metadata.yaml
# The generated lifecycle test starts the receiver, which takes the native library.
sed -i 's|^//go:build !darwin && !windows$|//go:build cgo \&\& linux \&\& (amd64 \|\| arm64)|' generated_component_test.go
grep -q '^//go:build cgo && linux && (amd64 || arm64)$' generated_component_test.go
