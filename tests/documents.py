"""Writes what Salt's own YAML loader makes of documents: documents.py FILE... rewrites each as lines of JSON.

A line has the document as `text`, and gets `value`, or `error` and `line`. Values are tagged by their type, so that 1 and
"1" differ: null, {b: bool}, {i: int as text}, {f: float as Python prints it}, {s: text}, {y: bytes}, {l: list},
{m: pairs}. A set is the list of its members.
"""

import json
import sys
import warnings

import salt.utils.yamlloader
import yaml


def canonical(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return {"b": value}
    if isinstance(value, int):
        return {"i": str(value)}
    if isinstance(value, float):
        return {"f": repr(value)}
    if isinstance(value, str):
        return {"s": value}
    if isinstance(value, bytes):
        return {"y": value.decode("utf-8", "replace")}
    if isinstance(value, dict):
        return {"m": [[canonical(key), canonical(one)] for key, one in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"l": [canonical(one) for one in value]}
    if isinstance(value, set):
        return {"l": [canonical(one) for one in sorted(value, key=repr)]}
    return {type(value).__name__: repr(value)}


def answer(text):
    try:
        value = salt.utils.yamlloader.load(text, Loader=salt.utils.yamlloader.SaltYamlSafeLoader)
        return {"value": canonical(value)}
    except RecursionError:
        return {"error": "it contains itself"}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or error).split("\n")[0]
        return {"error": problem, "line": mark.line + 1} if mark else {"error": problem}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return {"error": f"{type(error).__name__}: {error}".split("\n")[0]}


def main():
    warnings.simplefilter("ignore")
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as source:
            texts = [json.loads(line)["text"] for line in source]
        with open(path, "w", encoding="utf-8") as sink:
            for text in texts:
                sink.write(json.dumps({"text": text, **answer(text)}) + "\n")


if __name__ == "__main__":
    main()
