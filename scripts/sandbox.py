"""A real AWS account for `make live`: whose it is, what was made in it, and how all of that is removed again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from console import RED, Console

# KMS deletes no key at once, and this is the shortest that it takes:
# https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
KEY_WAITS_DAYS = 7
GONE = {
    "NoSuchBucket", "NoSuchEntity", "NotFoundException", "KMSInvalidStateException", "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue", "ValidationError",
}


class Sandbox:
    """The account that the environment or a profile names. It remembers what was made, to remove it whatever happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._session = boto3.Session()
        self._made: list[tuple[str, str, str]] = []

    @property
    def region(self) -> str | None:
        return self._session.region_name or os.environ.get("AWS_REGION")

    def client(self, service: str, region: str) -> Any:
        return self._session.client(service, region_name=region, config=Config(retries={"mode": "standard"}))

    def identity(self, region: str) -> dict[str, str]:
        answer: dict[str, str] = self.client("sts", region).get_caller_identity()
        return answer

    def note(self, **what: Any) -> None:
        """There is nobody here to note it for."""

    def permit_batches(self, role: str, queue: str) -> None:
        """AWS needs nothing for them."""

    def owner_environment(self, **variables: str) -> dict[str, str]:
        """What a shell needs to run AWS commands as whoever started this."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path, "AWS_PAGER": ""} | variables

    def made(self, kind: str, region: str, name: str) -> None:
        """Remember a thing. It may turn out not to exist: better than one that nobody remembers."""
        self._made.append((kind, region, name))

    def clean_up(self) -> bool:
        """Remove everything, the newest first. Whether nothing is left but keys that wait for their deletion."""
        # Whoever is impatient now would leave things behind that cost money.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        left = [thing for thing in reversed(self._made) if not self._remove(*thing)]
        signal.signal(signal.SIGINT, before)
        for kind, region, name in left:
            self._console.say(f"  LEFT BEHIND in {region}: {kind} {name}", RED)
        keys = [name for kind, _, name in self._made if kind == "key"]
        if keys:
            self._console.say(
                f"  KMS deletes the {len(keys)} keys in {KEY_WAITS_DAYS} days, and charges nothing for them until then."
            )
        return not left

    def _remove(self, kind: str, region: str, name: str) -> bool:
        removal: dict[str, Callable[[str, str], None]] = {
            "bucket": self._remove_bucket, "key": self._remove_key, "queue": self._remove_queue,
            "role": self._remove_role, "stack": self._remove_stack,
        }
        try:
            removal[kind](region, name)
        except (ClientError, BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            if code not in GONE:
                self._console.say(f"  {error}", RED)
                return False
        return True

    def _remove_bucket(self, region: str, name: str) -> None:
        s3 = self.client("s3", region)
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=name)
        for page in pages:
            for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
        s3.delete_bucket(Bucket=name)

    def _remove_key(self, region: str, name: str) -> None:
        self.client("kms", region).schedule_key_deletion(KeyId=name, PendingWindowInDays=KEY_WAITS_DAYS)

    def _remove_queue(self, region: str, name: str) -> None:
        sqs = self.client("sqs", region)
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def _remove_role(self, region: str, name: str) -> None:
        iam = self.client("iam", region)
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)

    def _remove_stack(self, region: str, name: str) -> None:
        cloudformation = self.client("cloudformation", region)
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig={"Delay": 5, "MaxAttempts": 120}
        )
