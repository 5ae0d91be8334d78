"""Every test has an emulated account of its own: an emulator and a stack are up in a second."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from emulator import DECISIONS, Emulator, end_on_termination
from stack import Stack


class Deploy(Protocol):
    """Deploys the stack with the given template parameters."""

    def __call__(self, **parameters: str) -> Stack: ...


def pytest_configure() -> None:
    end_on_termination()
    if DECISIONS not in os.environ:
        folder = tempfile.mkdtemp(prefix="s3-replication-remediator-decisions-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ[DECISIONS] = f"{folder}/decisions.jsonl"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is asked of all that was done is asked last."""
    items.sort(key=lambda item: item.path.name == "test_least_privilege.py")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def deploy(emulator: Emulator) -> Iterator[Deploy]:
    deployed: list[Stack] = []

    def start(**parameters: str) -> Stack:
        stack = Stack(emulator, Path(os.environ["BOOTSTRAP"]), **parameters)
        deployed.append(stack)
        return stack

    yield start
    # Shown by pytest only where the test failed.
    for stack in deployed:
        print(stack.log())
