#!/bin/bash
# Real Salt's answers to templates: templates.sh [--check] FILE... fills the fixtures in master/src/compile/jinja/fixtures,
# or says where Salt answers otherwise now. PEERS=DIR is what `make peers` filled.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
peers=${PEERS:-/var/cache/salt-rs-lab/peers}
[ -x "$peers/bin/salt-call" ] || "$here/peers.sh" "$peers"
PYTHONHASHSEED=0 exec "$peers/bin/python" "$here/templates.py" "$@"
