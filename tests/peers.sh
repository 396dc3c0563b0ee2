#!/bin/bash
# Installs the tools `make bench` compares with into a virtual environment: peers.sh DIR. Uses pip alone and changes nothing else.
set -euo pipefail
dir=${1:?usage: peers.sh DIR}
salt=3008.5

export PIP_DISABLE_PIP_VERSION_CHECK=1
[ -x "$dir/bin/pip" ] || python3 -m venv "$dir"
"$dir/bin/pip" install -q ansible-core pyinfra
if ! "$dir/bin/pip" install -q "salt==$salt" 2> "$dir/salt.log"; then
  # Salt asks for the newest bundle of certificates, which a mirror may not have yet. Nothing measured here opens a
  # TLS connection, so with that one bound lifted it is the same program.
  grep -q 'certifi' "$dir/salt.log" || { cat "$dir/salt.log" >&2; exit 1; }
  echo "peers: salt $salt with the certifi this package index has" >&2
  "$dir/bin/pip" install -q --no-deps "salt==$salt"
  "$dir/bin/python" - > "$dir/requirements.txt" << 'PY'
import importlib.metadata, re
for line in importlib.metadata.requires("salt") or []:
    if "extra ==" not in line:
        print(re.sub(r"^certifi\b[^;]*", "certifi", line))
PY
  "$dir/bin/pip" install -q -r "$dir/requirements.txt"
fi
echo "peers: $("$dir/bin/ansible" --version | head -n 1), $("$dir/bin/pyinfra" --version), $("$dir/bin/salt-ssh" --version)"
