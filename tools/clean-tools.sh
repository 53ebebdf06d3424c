#!/usr/bin/env bash
# Removes the tools that need.sh and the Collector's build made and kept; Debian packages stay.
source "$(dirname "$0")/lib.sh"
rm -rf "${TOOLS:?}"
echo "removed $TOOLS"
