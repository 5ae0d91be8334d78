"""The emulated AWS account of the demo and the end-to-end tests: one ministack process, started and ended here.

With `AUTH=true` it checks signatures and enforces the policies of the function's role, so that what the template
permits is what the function can do.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config

HOST = "127.0.0.1"
# An access key of 12 digits is the root of that account.
ACCOUNT = "111122223333"
# Names a file to which every decision about a permission is written: see `witness.py`.
DECISIONS = "EMULATOR_DECISIONS"
START_TIMEOUT_SECONDS = 30
STOP_TIMEOUT_SECONDS = 5


class EmulatorError(Exception):
    """The emulator did not start, or died."""


class Emulator:
    """A running emulator. Use it with `with`, so that it ends however the block is left."""

    def __init__(self) -> None:
        self._port = _free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="s3-replication-remediator-"))
        self._log = self._folder / "emulator.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://{HOST}:{self._port}"

    def _start(self) -> subprocess.Popen[bytes]:
        # Its environment becomes that of the function: nothing of ours may leak into it as a setting.
        environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self._folder),
            "AUTH": "true",
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": str(self._port),
            "AWS_ENDPOINT_URL": self.endpoint,
            # It would listen on a port of its own, which two emulators cannot share.
            "IOT_MTLS_ENABLED": "false",
        }
        program = ["-m", "ministack"]
        if decisions := os.environ.get(DECISIONS):
            program = [str(Path(__file__).with_name("witness.py")), decisions]
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C reaches us alone, and the group can be ended as a whole.
            return subprocess.Popen(
                [sys.executable, *program],
                cwd=self._folder, env=environment, stdout=log, stderr=log, start_new_session=True,
            )

    def __enter__(self) -> Emulator:
        try:
            self._process = self._start()
            self._await_health(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _await_health(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise EmulatorError(f"the emulator ended at once:\n{self.log_tail()}")
            try:
                with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise EmulatorError(f"the emulator did not start in {START_TIMEOUT_SECONDS} s:\n{self.log_tail()}")

    def stop(self) -> None:
        """End the emulator and the functions it runs, and remove what they wrote."""
        if self._process:
            _end_group(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def note(self, **what: Any) -> None:
        """Say among the decisions, if they are written down, what happened between them."""
        if decisions := os.environ.get(DECISIONS):
            with open(decisions, "a") as file:
                file.write(json.dumps(what | {"emulator": str(self._port)}) + "\n")

    def permit_batches(self, role: str, queue: str) -> None:
        """To AWS a batch of messages is `sqs:SendMessage`; the emulator asks for an action that IAM does not have."""
        statement = {"Effect": "Allow", "Action": "sqs:SendMessageBatch", "Resource": queue}
        self.client("iam", "us-east-1").put_role_policy(
            RoleName=role, PolicyName="emulator",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def log_tail(self, lines: int = 30) -> str:
        """The last lines that the emulator wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def client(self, service: str, region: str, account: str = ACCOUNT) -> Any:
        """A client of the account's root."""
        return self.client_with(service, region, {"aws_access_key_id": account, "aws_secret_access_key": "test"})

    def client_with(self, service: str, region: str, credentials: dict[str, str]) -> Any:
        """A client with the given credentials, for looking through the eyes of a role."""
        return boto3.client(
            service, region_name=region, endpoint_url=self.endpoint,
            # A test that expects a refusal must not wait for retries.
            config=Config(retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}),
            **credentials,
        )

    def owner_environment(self, **variables: str) -> dict[str, str]:
        """What a shell needs to run AWS commands as the account's owner."""
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_PAGER": "",
        } | variables


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, and insist where it does not end by itself."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(STOP_TIMEOUT_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _free_port() -> int:
    """A free port below the range from which outgoing connections take theirs."""
    for port in random.sample(range(20000, 32000), 50):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise EmulatorError("no free port between 20000 and 32000")


def end_on_termination() -> None:
    """Make `kill` leave through the `with` blocks as Ctrl-C does."""
    def leave(signal_number: int, _frame: object) -> None:
        sys.exit(128 + signal_number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)
