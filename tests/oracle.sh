#!/bin/bash
# Real Salt's answers to the cases in tests/cases: oracle.sh [--check] [--missing] [--only GLOB]. What they mean stands in
# the README of the corpus beside the repository, whose program asks; PEERS=DIR is what `make peers` filled.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
peers=${PEERS:-/var/cache/salt-rs-lab/peers}
corpus=$here/../../shared/conformance
[ -x "$peers/bin/salt-call" ] || "$here/peers.sh" "$peers"
[ -x "$corpus/run-oracle" ] || { echo "oracle: no corpus at $corpus" >&2; exit 1; }
cd /
PYTHONHASHSEED=0 exec "$peers/bin/python" "$corpus/run-oracle" --in-process --corpus "$here/cases" "$@"
