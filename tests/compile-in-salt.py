"""Times real Salt's compiler without its start: compile-in-salt.py ROOT TIMES.

ROOT has salt/, pillar/ and grains.json. What salt-call does for state.show_lowstate is done TIMES times in this process,
and each time everything that is remembered from before is there to help. Prints JSON: {"millis": [..], "chunks": N}.
"""
import copy
import json
import os
import sys
import tempfile
import time

import salt.config
import salt.loader
import salt.state

root, times = os.path.abspath(sys.argv[1]), int(sys.argv[2])
with tempfile.TemporaryDirectory() as scratch:
    settings = {
        "id": "h01",
        "root_dir": scratch,
        "file_client": "local",
        "file_roots": {"base": [os.path.join(root, "salt")]},
        "pillar_roots": {"base": [os.path.join(root, "pillar")]},
        "fileserver_backend": ["roots"],
        "enable_fqdns_grains": False,
        "grains": json.load(open(os.path.join(root, "grains.json"))),
    }
    path = os.path.join(scratch, "minion")
    with open(path, "w") as out:
        json.dump(settings, out)
    opts = salt.config.minion_config(path)
    opts["grains"] = salt.loader.grains(opts)
    millis, chunks = [], []
    for _ in range(times):
        mine = copy.deepcopy(opts)
        start = time.perf_counter()
        with salt.state.HighState(mine) as state:
            chunks = state.compile_low_chunks()
        millis.append((time.perf_counter() - start) * 1000)
    if chunks and isinstance(chunks[0], str):
        sys.exit("does not compile: " + chunks[0])
    print(json.dumps({"millis": millis, "chunks": len(chunks)}))
