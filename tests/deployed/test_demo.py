"""`make demo` and `make invoke`, the first things that a person runs: that they do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from stack import PROJECT


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, f"scripts/{script}", os.environ["BOOTSTRAP"], *arguments], cwd=PROJECT, text=True,
        capture_output=True,
    )


def test_the_demo_ends_with_a_healthy_bucket() -> None:
    done = run("demo.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "amzn-s3-demo-source-bucket: healthy" in done.stdout, done.stdout


def test_a_recorded_event_is_answered() -> None:
    done = run("invoke.py", "events/command/check.json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "broken"


def test_what_is_no_event_is_refused_in_a_line() -> None:
    for file, complaint in (("events/none.json", "no such file"), ("README.md", "is not JSON")):
        done = run("invoke.py", file)
        assert done.returncode == 2 and complaint in done.stderr and "Traceback" not in done.stderr, done.stderr
