"""Asks real Salt (the Python it is installed in runs this) every call of answers.jsonl anew, in the world of world.json.

PYTHON ask.py [FILE]   FILE: further calls, one JSON object with fun, args and kwargs per line
"""

import json
import logging
import os
import sys
import tempfile

import salt.config
import salt.minion

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "world.json")) as stream:
    world = json.load(stream)
with tempfile.TemporaryDirectory() as scratch:
    for path, text in world["files"].items():
        path = os.path.join(scratch, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as stream:
            stream.write(text)
    options = dict(world["options"], file_client="local", root_dir=scratch, id="minion1", grains=world["grains"])
    options.update(nodegroups={"g1": "minion*"}, enable_fqdns_grains=False)
    options["file_roots"] = {"base": [os.path.join(scratch, "salt")]}
    options["pillar_roots"] = {"base": [os.path.join(scratch, "pillar")]}
    with open(os.path.join(scratch, "minion"), "w") as stream:
        json.dump(options, stream)
    logging.disable(logging.CRITICAL)
    functions = salt.minion.SMinion(salt.config.minion_config(os.path.join(scratch, "minion"))).functions
    answers = os.path.join(here, "answers.jsonl")
    calls = []
    for name in [answers] + sys.argv[1:]:
        if os.path.exists(name):
            with open(name) as stream:
                calls += [json.loads(line) for line in stream]
    lines = []
    for call in calls:
        call = {key: call[key] for key in ("fun", "args", "kwargs")}
        given = json.loads(json.dumps(call))
        if call["fun"].startswith("pillar.") and not call["fun"].endswith(("filter_by", "file_exists")):
            given["kwargs"]["unmask"] = True
        try:
            call["ok"] = json.loads(json.dumps(functions[call["fun"]](*given["args"], **given["kwargs"])))
        except Exception:
            pass
        line = json.dumps(call, ensure_ascii=False)
        if line not in lines:
            lines.append(line)
    with open(answers, "w") as stream:
        stream.write("\n".join(lines) + "\n")
