"""`make live` against the emulator: the same script, which knows of no emulator, told by the environment where AWS is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from emulator import ACCOUNT, Emulator
from questions import QUESTIONS, Scene
from seed import Seeded
from stack import PROJECT, REGION

REGIONS = (REGION, "eu-central-1")


def start(emulator: Emulator, folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable, str(PROJECT / "scripts" / "live.py"), os.environ["BOOTSTRAP"],
            "--patience", "0.5", "--answers", str(folder), *arguments,
        ],
        env=emulator.owner_environment(AWS_REGION=REGION, **environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )


def left_behind(emulator: Emulator) -> list[Any]:
    """Everything in the account that somebody would have to remove."""
    left: list[Any] = [
        *emulator.client("s3", REGION).list_buckets()["Buckets"],
        *emulator.client("sqs", REGION).list_queues().get("QueueUrls", []),
        *emulator.client("iam", REGION).list_roles()["Roles"],
        *emulator.client("iam", REGION).list_policies(Scope="Local")["Policies"],
        *emulator.client("lambda", REGION).list_functions()["Functions"],
    ]
    for region in REGIONS:
        kms = emulator.client("kms", region)
        states = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
        left += [state for state in states if state["KeyState"] != "PendingDeletion"]
    return left


def test_the_story_is_told_every_question_asked_and_nothing_left_behind(emulator: Emulator, tmp_path: Path) -> None:
    told, _ = (live := start(emulator, tmp_path, "--yes", "--account", ACCOUNT)).communicate()
    assert live.returncode == 0, told
    (answers,) = tmp_path.glob("*/answers.json")
    assert QUESTIONS.keys() <= json.loads(answers.read_text())["answers"].keys()
    assert "could not be asked" not in told
    # What it costs and where it is stands before anything is made.
    announced = told.split("1. A rule that cannot work")[0]
    assert ACCOUNT in announced and REGION in announced and "USD" in announced and "7 days" in announced
    assert left_behind(emulator) == []


def test_without_a_yes_nothing_is_made(emulator: Emulator, tmp_path: Path) -> None:
    for answer in ("", "yes", "444455556666"):
        told, _ = (live := start(emulator, tmp_path)).communicate(f"{answer}\n")
        assert live.returncode == 2 and "Nothing was done" in told
    assert left_behind(emulator) == []


def test_in_another_account_than_the_named_one_nothing_is_made(emulator: Emulator, tmp_path: Path) -> None:
    told, _ = (live := start(emulator, tmp_path, "--yes", "--account", "444455556666")).communicate()
    assert live.returncode == 2 and "nothing was done" in told
    assert left_behind(emulator) == []


def test_an_interruption_leaves_nothing_behind(emulator: Emulator, tmp_path: Path) -> None:
    live = start(emulator, tmp_path, "--yes", "--no-questions")
    assert live.stdout
    for line in live.stdout:
        if line.startswith("2. "):
            live.send_signal(signal.SIGINT)
            break
    rest = live.stdout.read()
    assert live.wait() == 1 and "Interrupted" in rest, rest
    assert left_behind(emulator) == []


def test_a_failure_leaves_nothing_behind(emulator: Emulator, tmp_path: Path) -> None:
    """Of somebody who may do everything but what comes in the middle."""
    iam = emulator.client("iam", REGION)
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "cloudformation:CreateStack", "Resource": "*"},
    ]
    iam.create_user(UserName="somebody")
    iam.put_user_policy(
        UserName="somebody", PolicyName="most",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )
    key = iam.create_access_key(UserName="somebody")["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    told, _ = (live := start(emulator, tmp_path, "--yes", **keys)).communicate()
    assert live.returncode == 1 and "AccessDenied" in told, told
    assert "keys in 7 days" in told
    assert left_behind(emulator) == []


def test_what_is_written_down_names_neither_account_nor_person(tmp_path: Path) -> None:
    account = "987654321098"
    seeded = Seeded(
        "s3rr-live-1-source", "eu-west-1", "s3rr-live-1-destination", "eu-central-1",
        f"arn:aws:iam::{account}:role/s3crr_role_for_s3rr-live-1-source", "s3crr_role_for_s3rr-live-1-source",
        f"arn:aws:kms:eu-west-1:{account}:key/11111111-aaaa", f"arn:aws:kms:eu-central-1:{account}:key/22222222-bbbb",
        {}, 200,
    )
    scene = Scene(lambda *_: None, seeded, account, "", 0, tmp_path)
    scene.keep("event.json", {
        "eventSource": "s3.amazonaws.com", "sourceIPAddress": "198.18.7.9", "recipientAccountId": account,
        "userIdentity": {"type": "AssumedRole", "arn": f"arn:aws:sts::{account}:assumed-role/Admin/jane@corp"},
        "requestParameters": {
            "bucketName": seeded.bucket, "key": seeded.replica_key, "token": "ASIAZZZZZZZZZZZZZZZZ",
            "principal": "AROAZZZZZZZZZZZZZZZZZ:jane",
        },
    })
    written = (tmp_path / "event.json").read_text()
    for own in (account, "s3rr-live-1", "11111111-aaaa", "22222222-bbbb", "198.18.7.9", "jane@corp", "ASIAZ", "AROAZ"):
        assert own not in written, own
    assert "amzn-s3-demo-source-bucket" in written
