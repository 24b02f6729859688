"""A driver that says and does what its one argument tells it: stands in for the real one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def result(task: dict, key: str) -> str:
    row = {
        "item": "mine/0", "cluster": "", "prompt": "p", "prediction": task["folder"], "gold": "5", "truncated": False,
        "tokens": 1, "bits": None, "bytes": None,
    }  # fmt: skip
    name = task["suite"]["name"]
    subset = {
        "abbr": name, "size": 1, "rows": [row], "details": [{"correct": True}], "metrics": {"accuracy": 100.0},
    }  # fmt: skip
    return json.dumps(
        {"key": key, "benchmark": name, "subsets": [subset], "versions": {}, "seconds": 0.1, "prompts_cut": 0}
    )


def say(**event) -> None:
    print(json.dumps(event), flush=True)


def do(how: str, task: dict) -> None:
    print("the log says: something went on here", file=sys.stderr, flush=True)
    say(event="rows", key=task["key"], count=1, done=1, total=1)
    if how == "fails":
        say(event="failed", key=task["key"], error="RuntimeError: no tensors today")
        time.sleep(60)
    if how == "exits":
        sys.exit(0)
    if how == "breaks":
        sys.exit(3)
    if how == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hangs":
        child = subprocess.Popen(["sleep", "600"])
        Path(task["out"] + ".child").write_text(str(child.pid))
        time.sleep(600)
    text = result(task, "another" if how == "is stale" else task["key"])
    if how != "writes nothing":
        Path(task["out"]).write_text(text[: len(text) // 2] if how == "tears" else text)
    say(event="done", key=task["key"])


if __name__ == "__main__":
    say(event="ready", versions={})
    for line in sys.stdin:
        do(sys.argv[1], json.loads(line))
