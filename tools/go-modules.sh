#!/usr/bin/env bash
# Lists the directories of the Go modules that hold packages (go/tools holds only versions of tools;
# tests/kubelab is a program for tests, with Kubernetes in it: lint.sh looks at it by itself).
source "$(dirname "$0")/lib.sh"
find go -name go.mod -not -path 'go/tools/*' -printf '%h\n' | sort
