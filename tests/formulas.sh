#!/bin/bash
# Real Salt's low state of the formulas in tests/formulas, for each host in tests/formulas/grains: formulas.sh [--check]
# [NAME…]. --check compares with what is recorded instead of recording. FORMULAS=DIR takes the formulas of another
# directory; PEERS=DIR is what `make peers` filled.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
peers=${PEERS:-/var/cache/salt-rs-lab/peers}
formulas=$(cd "${FORMULAS:-$here/formulas}" && pwd)
check=
if [ "${1:-}" = --check ]; then check=yes; shift; fi
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
names=("$@")
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(cd "$formulas" && ls -d -- */salt | sed 's,/salt$,,')
for name in "${names[@]}"; do
  for grains in "$here"/formulas/grains/*.json; do
    case=$corpus/$name/$(basename "$grains" .json)
    mkdir -p "$case"
    ln -s "$formulas/$name/salt" "$formulas/$name/pillar" "$case/"
    printf '{"minion": "web1", "steps": [{"do": "low"}], "grains": %s}\n' "$(cat "$grains")" > "$case/case.json"
  done
done
PEERS=$peers "$here/oracle.sh" --corpus "$corpus" > "$corpus/said" || { cat "$corpus/said"; exit 1; }
differ=0
for name in "${names[@]}"; do
  for answer in "$corpus/$name"/*/expected.json; do
    kept=$formulas/$name/expected/$(basename "$(dirname "$answer")").json
    "$peers/bin/python" - "$answer" > "$corpus/new" << 'PY'
import json, sys
# One chunk a line: what a diff of two recordings shows is then the chunk.
step = json.load(open(sys.argv[1]))["steps"][0]
for chunk in step.get("chunks", []):
    chunk.pop("__sls_included_from__", None)
chunks = ",\n ".join(json.dumps(chunk, ensure_ascii=False) for chunk in step.pop("chunks", []))
rest = json.dumps(step, ensure_ascii=False)[1:-1]
print("{%s, \"chunks\": [\n %s\n]}" % (rest, chunks) if chunks else "{%s}" % rest)
PY
    if [ -z "$check" ]; then
      mkdir -p "$(dirname "$kept")"
      cp "$corpus/new" "$kept"
    elif ! cmp -s "$corpus/new" "$kept"; then
      diff -u "$kept" "$corpus/new" | head -n 20 || true
      differ=$((differ + 1))
    fi
  done
done
echo "formulas: ${#names[@]}, differing answers: $differ"
[ $differ -eq 0 ]
