"""The command line against the emulated account: every command, every form, every exit code."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import ACCOUNT, Emulator
from seed import SEEDS, Seeded, seed
from stack import REGION

PROJECT = Path(__file__).resolve().parents[2]
HEALTHY, BROKEN, UNDETERMINED, USAGE, AT_RISK, UNREACHABLE, NOT_APPLIED = range(7)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def binary() -> Path:
    """What `cargo build` has left beside the function, unless another one is named."""
    beside = Path(os.environ["BOOTSTRAP"]).parent / "s3-replication-remediator"
    return Path(os.environ.get("COMMAND_LINE", beside))


@pytest.fixture
def run(emulator: Emulator, tmp_path: Path) -> Run:
    def start(*arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            # Nothing of whoever runs the tests may leak in, and nobody waits for a machine's own credentials.
            "HOME": str(tmp_path), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": emulator.endpoint, "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test",
        } | variables
        return subprocess.run(
            [binary(), *arguments], input=given, capture_output=True, text=True, timeout=120, cwd=tmp_path,
            env={name: value for name, value in environment.items() if value},
        )

    return start


def report(answer: subprocess.CompletedProcess[str]) -> Any:
    assert answer.stdout, answer.stderr
    return json.loads(answer.stdout)


def checks(told: dict[str, Any], severity: str) -> set[str]:
    return {finding["check"] for finding in told["findings"] if finding["severity"] == severity}


def inline_policies(emulator: Emulator, role: str) -> list[str]:
    names: list[str] = emulator.client("iam", REGION).list_role_policies(RoleName=role)["PolicyNames"]
    return names


@pytest.mark.parametrize("name", [file.stem for file in sorted(SEEDS.glob("*.yaml"))])
def test_check_finds_everything_that_the_seed_expects(emulator: Emulator, run: Run, name: str) -> None:
    seeded = seed(emulator, name)
    answer = run("check", seeded.bucket, "--output", "json")
    told = report(answer)
    assert told["verdict"] == seeded.expected["verdict"]
    assert checks(told, "error") == set(seeded.expected["errors"])
    assert checks(told, "warning") == set(seeded.expected["warnings"])
    assert answer.returncode == {"healthy": HEALTHY, "broken": BROKEN, "at-risk": HEALTHY}[told["verdict"]]
    assert answer.stderr == ""


def test_what_the_report_says_to_paste_is_understood(emulator: Emulator, run: Run) -> None:
    seeded = seed(emulator, "many-reasons")
    told = report(run("check", seeded.bucket, "-o", "json", "--trusted-accounts", "444455556666"))
    assert told["mode"] == "approve"
    assert told["commands"]["check"] == (
        f"s3-replication-remediator check {seeded.bucket} --trusted-accounts 444455556666"
    )
    program, *arguments = shlex.split(told["commands"]["apply"])
    assert program == "s3-replication-remediator"
    applied = run(*arguments, "--yes", "-o", "json")
    assert report(applied)["outcome"]["status"] == "applied"
    program, *arguments = shlex.split(report(applied)["commands"]["undo"])
    shown = run(*arguments, "-o", "json")
    assert shown.returncode == HEALTHY, shown.stderr
    assert report(shown)["plan"]["changes"][0]["kind"] == "delete-role-policy"
