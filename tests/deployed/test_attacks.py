"""Attacks on the deployed function: what reaches its queue, and what its role lets it do, whoever asks."""

from __future__ import annotations

import json
from typing import Any

from conftest import Deploy
from emulator import Emulator
from seed import seed
from stack import REGION
from test_replication import REPLICATION_CONFIGURED, inline_policies


def through_a_topic(message: str) -> str:
    return json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t", "Message": message})


def test_no_message_on_the_queue_applies_or_takes_back_anything(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    before = inline_policies(emulator, seeded.role_name)
    stack = deploy(Mode="approve")
    plan = stack.invoke({"command": "check", "bucket": seeded.bucket})["plan"]["digest"]
    apply = json.dumps({"command": "apply", "bucket": seeded.bucket, "plan": plan})
    forged = [apply, through_a_topic(apply), through_a_topic(through_a_topic(apply))]
    stack.send(*forged, seeded.recorded(REPLICATION_CONFIGURED))
    stack.notifications(1)
    stack.await_empty_queue()
    assert inline_policies(emulator, seeded.role_name) == before


def test_a_role_that_others_may_assume_is_left_alone_and_the_report_says_why(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    trust: dict[str, Any] = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ]}
    emulator.client("iam", REGION).update_assume_role_policy(
        RoleName=seeded.role_name, PolicyDocument=json.dumps(trust)
    )
    before = inline_policies(emulator, seeded.role_name)
    stack = deploy(Mode="auto")
    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    (notification,) = stack.notifications(1)
    assert "role-trust" in notification["Message"]
    assert inline_policies(emulator, seeded.role_name) == before


def test_a_denial_written_into_our_policy_survives_the_undo(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    before = inline_policies(emulator, seeded.role_name)
    stack = deploy(Mode="auto")
    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    stack.notifications(1)
    ((name, ours),) = {
        name: document
        for name, document in inline_policies(emulator, seeded.role_name).items() if name not in before
    }.items()
    denial = {"Sid": "Theirs", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::payroll/*"}
    ours["Statement"].append(denial)
    emulator.client("iam", REGION).put_role_policy(
        RoleName=seeded.role_name, PolicyName=name, PolicyDocument=json.dumps(ours)
    )
    shown = stack.invoke({"command": "undo", "bucket": seeded.bucket})
    stack.invoke({"command": "undo", "bucket": seeded.bucket, "plan": shown["plan"]["digest"]})
    assert inline_policies(emulator, seeded.role_name) == {
        **before, name: {"Version": "2012-10-17", "Statement": [denial]}
    }
