"""Writes below each template of a fixture what real Salt makes of it: templates.sh [--check] FILE...

A fixture (master/src/compile/jinja/fixtures) is a list of parts that begin with
a line `=== kind`: `file NAME` is a file of the tree, `env` the settings of Jinja as JSON, `template` a template, `text`
or `error LINE` Salt's answer. Only templates without an answer are asked for; --check asks for all and compares. The
line end before the next `===` belongs to the fixture.
"""

import json
import logging
import os
import re
import signal
import sys
import tempfile

import salt.config
import salt.exceptions
import salt.loader
import salt.utils.templates

GRAINS = {"id": "minion1", "os": "Testix", "roles": ["web", "db"], "n": {"d": 1}}
PILLAR = {"k": "v", "m": {"a": [1, 2]}, "users": {"x": {"uid": 1}}}
VARS = {"sls": "a.b", "tpldir": "a", "tplfile": "a/b.sls", "tpldot": "a", "saltenv": "base"}
PATIENCE = 10  # seconds for one template


def parts(text):
    out = []
    for line in re.findall(r"[^\n]*\n|[^\n]+\Z", text):
        if line.startswith("=== "):
            out.append([line[4:].rstrip(), ""])
        elif out:
            out[-1][1] += line
    return [(head, body[:-1] if body.endswith("\n") else body) for head, body in out]


def refuse():
    raise salt.exceptions.CommandExecutionError("it is broken")


class Salt:
    """A masterless minion with nothing of its own."""

    def __init__(self, root):
        self.tree = os.path.join(root, "salt")
        os.makedirs(self.tree)
        self.opts = salt.config.minion_config(None)
        self.opts.update(
            root_dir=root,
            cachedir=os.path.join(root, "cache"),
            extension_modules=os.path.join(root, "modules"),
            id="minion1",
            file_client="local",
            file_roots={"base": [self.tree]},
            pillar_roots={"base": []},
            saltenv="base",
            grains=GRAINS,
            pillar=PILLAR,
        )
        os.makedirs(self.opts["cachedir"])
        self.functions = salt.loader.minion_mods(self.opts, context={})
        self.functions["test.args"] = lambda *args, **kwargs: {"args": list(args), "kwargs": kwargs}
        self.functions["test.fail"] = refuse

    def file(self, name, text):
        path = os.path.join(self.tree, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", newline="", encoding="utf-8") as out:
            out.write(text)

    def render(self, template, env):
        env = dict(env)
        opts = dict(self.opts, allow_undefined=env.pop("allow_undefined", False), jinja_env=env, jinja_sls_env=env)
        copy = lambda value: json.loads(json.dumps(value))
        signal.alarm(PATIENCE)
        try:
            made = salt.utils.templates.JINJA(
                template,
                from_str=True,
                to_str=True,
                context=dict(VARS),
                opts=opts,
                salt=self.functions,
                grains=copy(GRAINS),
                pillar=copy(PILLAR),
            )
        except salt.exceptions.SaltRenderError as error:
            text = str(error)
            place = re.match(r"(.*?); line (\d+)\n", text, re.S)
            line = f" {place[2]}" if place else ""
            text = (place[1] if place else text).split("\nTraceback (most recent call last)")[0]
            return f"error{line}", re.sub(r"\n/.*", "", text, flags=re.S)
        finally:
            signal.alarm(0)
        if not made["result"]:
            sys.exit(f"Salt itself fell over: {template!r}\n{made['data']}")
        return "text", made["data"]


def record(path, check):
    with open(path, encoding="utf-8", newline="") as source:
        known = parts(source.read())
    differ = 0
    with tempfile.TemporaryDirectory() as root:
        minion = Salt(root)
        env = {}
        out = []
        for index, (head, body) in enumerate(known):
            out.append((head, body))
            if head.startswith("file "):
                minion.file(head[len("file ") :], body)
            elif head == "env":
                env = json.loads(body)
            if not head.startswith("template"):
                continue
            answer = known[index + 1] if index + 1 < len(known) else ("", "")
            answered = answer[0].split(" ")[0] in ("text", "error")
            if answered and not check:
                continue
            made = minion.render(body, env)
            if not answered:
                out.append(made)
            elif answer[0].split(" ")[0] != made[0].split(" ")[0] or not made[1].startswith(answer[1].rstrip("\n")):
                differ += 1
                print(f"{path}: {body}\n  recorded {answer}\n  now      {made}")
    if not check:
        with open(path, "w", encoding="utf-8", newline="") as sink:
            sink.writelines(f"=== {head}\n{body}\n" for head, body in out)
    return differ


def main():
    logging.disable(logging.CRITICAL)
    files = [arg for arg in sys.argv[1:] if arg != "--check"]
    sys.exit(1 if sum(record(path, "--check" in sys.argv) for path in files) else 0)


if __name__ == "__main__":
    main()
