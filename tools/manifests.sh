#!/usr/bin/env bash
# Renders deploy/manifests/ from the Helm chart; with --check looks whether the chart is sound and they are what it renders
# to, and loads its pipelines with the release binary; with --server applies them in a real API server.
source "$(dirname "$0")/lib.sh"
tools/need.sh helm
case ${1:-} in
  '') deploy/check.sh --write ;;
  --check) deploy/check.sh target/release/servicemap ;;
  --server)
    tools/build.sh kubelab
    deploy/check-server.sh target/kubelab
    ;;
  *) die 'manifests.sh: say --check, --server or nothing' ;;
esac
