"""`make demo`: a replication that S3 accepted and that cannot work; why; and its repair. Without an AWS account."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from console import BOLD, DIM, GREEN, RED, YELLOW, Console
from emulator import Emulator, end_on_termination
from seed import SEEDS, Seeded, seed
from stack import REGION, Stack

SEED = "many-reasons"
REPLICATION_CONFIGURED = "cloudtrail/put-kms-rule.json"
OBJECT_FAILED = "s3-notification/reason/DstKmsKeyInvalidState.json"
VERDICT_STYLE = {"healthy": GREEN, "at-risk": YELLOW, "undetermined": YELLOW, "broken": RED}


class Demo:
    """The story, one chapter per method, told in `main`."""

    def __init__(self, console: Console, emulator: Emulator, bootstrap: Path) -> None:
        self._console = console
        self._emulator = emulator
        self._bootstrap = bootstrap

    def break_a_replication(self) -> Seeded:
        self._console.chapter("1. A rule that cannot work, for several reasons at once")
        with self._console.step("Make buckets, keys, a role and the rule"):
            seeded = seed(self._emulator, SEED)
        self._console.say(f"  {seeded.bucket} ({seeded.region}, SSE-KMS with a Bucket Key)")
        self._console.say(f"    -> {seeded.destination} ({seeded.destination_region})")
        self._console.say(f"    as {seeded.role}")
        self._console.say(f"  S3 answers HTTP {seeded.accepted_with}, and tells no one that nothing will arrive.", BOLD)
        self._console.say(f"  (all of it is in {(SEEDS / SEED).relative_to(Path.cwd())}.yaml)", DIM)
        return seeded

    def deploy(self) -> Stack:
        self._console.chapter("2. The remediator, as deployed by default: it tells, and may write nothing")
        with self._console.step("Deploy template.yaml with Mode=dry-run"):
            return Stack(self._emulator, self._bootstrap)

    def tell(self, stack: Stack, seeded: Seeded) -> None:
        self._console.chapter("3. CloudTrail records PutBucketReplication; EventBridge puts it on the stack's queue")
        with self._console.step("Wait for the notification"):
            stack.send(seeded.recorded(REPLICATION_CONFIGURED))
            (notification,) = stack.notifications(1)
        self._show(notification)

    def repair(self, stack: Stack, seeded: Seeded) -> None:
        self._console.chapter("4. The owner lets it repair what it can prove, and the same event comes again")
        before = self._inline_policies(seeded)
        with self._console.step("Deploy template.yaml with Mode=auto"):
            stack.redeploy(Mode="auto")
        with self._console.step("Wait for the notification"):
            stack.send(seeded.recorded(REPLICATION_CONFIGURED))
            (notification,) = stack.notifications(1)
        self._show(notification)
        after = self._inline_policies(seeded)
        untouched = [name for name in before if after.pop(name) == before[name]]
        self._console.say(f"  Read back from IAM: the role's policies {', '.join(untouched)} as before, and new:")
        for name, document in after.items():
            self._console.say(f"  {name}", BOLD)
            self._console.quote(json.dumps(document, indent=2))

    def turn_on_metrics(self, stack: Stack, seeded: Seeded) -> None:
        self._console.chapter("5. What only a person may do: first the metrics, so that S3 tells of failed objects")
        self._paste_commands(stack, seeded, "warning")

    def hear_of_a_failed_object(self, stack: Stack, seeded: Seeded) -> None:
        self._console.chapter("6. An object fails, and S3 puts the event on the stack's queue")
        with self._console.step("Wait for the notification"):
            stack.send(seeded.recorded(OBJECT_FAILED))
            (notification,) = stack.notifications(1)
        self._show(notification)

    def enable_the_key(self, stack: Stack, seeded: Seeded) -> None:
        self._console.chapter("7. Then the key, whose owner alone knows why it is disabled")
        self._paste_commands(stack, seeded, "error")

    def check_again(self, stack: Stack, seeded: Seeded) -> str:
        self._console.chapter("8. Is it well now?")
        verdict = str(self._check(stack, seeded)["verdict"])
        self._console.say(f"  {seeded.bucket}: {verdict}", f"{BOLD};{VERDICT_STYLE[verdict]}")
        return verdict

    def _paste_commands(self, stack: Stack, seeded: Seeded, severity: str) -> None:
        """Do what a person does: take the commands from the report and run them."""
        for finding in self._check(stack, seeded)["findings"]:
            if finding["severity"] == severity:
                self._console.say(f"  {finding['check']}: {finding['summary']}", YELLOW)
                for command in commands(finding["remedy"]["text"]):
                    self._run(command)

    def _check(self, stack: Stack, seeded: Seeded) -> dict[str, Any]:
        with self._console.step("Invoke the function: check"):
            report: dict[str, Any] = stack.invoke({"command": "check", "bucket": seeded.bucket})
        return report

    def _show(self, notification: dict[str, Any]) -> None:
        self._console.say(f"  As it arrived from {notification['TopicArn']}", DIM)
        self._console.say(f"  {notification['Subject']}", BOLD)
        self._console.quote(notification["Message"])

    def _inline_policies(self, seeded: Seeded) -> dict[str, Any]:
        iam = self._emulator.client("iam", REGION)
        names = iam.list_role_policies(RoleName=seeded.role_name)["PolicyNames"]
        return {
            name: iam.get_role_policy(RoleName=seeded.role_name, PolicyName=name)["PolicyDocument"] for name in names
        }

    def _run(self, command: str) -> None:
        """Run a printed command in a shell, as the account's owner."""
        self._console.quote(f"$ {command}")
        environment = self._emulator.owner_environment(AWS_REGION=REGION)
        with self._console.step(" ".join(command.split()[:3])), TemporaryDirectory() as folder:
            subprocess.run(["sh", "-c", command], env=environment, cwd=folder, check=True)


def commands(text: str) -> list[str]:
    """The AWS commands in a remedy: each begins a line with `aws`, and ends where its quotes and lines do."""
    found: list[str] = []
    pending = ""
    for line in text.splitlines():
        if not pending and not line.lstrip().startswith("aws "):
            continue
        pending += line + "\n"
        if not line.endswith("\\") and _quotes_are_closed(pending):
            found.append(pending.strip())
            pending = ""
    return found


def _quotes_are_closed(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return False
    return True


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("bootstrap", type=Path, help="the function's program")
    arguments.add_argument("--build", default="", help="command that builds it first")
    chosen = arguments.parse_args()
    end_on_termination()
    console = Console()
    try:
        console.chapter("S3 replication remediator")
        if chosen.build:
            with console.step("Build the function", quiet=False):
                subprocess.run(shlex.split(chosen.build), check=True)
        with ExitStack() as running:
            with console.step("Start an emulated AWS account that enforces IAM policies"):
                emulator = running.enter_context(Emulator())
            demo = Demo(console, emulator, chosen.bootstrap)
            seeded = demo.break_a_replication()
            stack = demo.deploy()
            demo.tell(stack, seeded)
            demo.repair(stack, seeded)
            demo.turn_on_metrics(stack, seeded)
            demo.hear_of_a_failed_object(stack, seeded)
            demo.enable_the_key(stack, seeded)
            verdict = demo.check_again(stack, seeded)
        console.chapter("How long it took")
        console.durations()
    except KeyboardInterrupt:
        console.say("\nInterrupted. Nothing is left running.")
        return 130
    return 0 if verdict == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main())
