"""What the function asked AWS for while all other tests ran, against what the templates grant it, action for action.

The emulator writes down each decision about a permission (`scripts/witness.py`), and every deployment with its
parameters. So an action that nothing uses any more fails here, and so does one that is used and not granted: also where
the function would only report it as unread.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from account import MEMBER_ROLE
from emulator import DECISIONS
from resolver import TEMPLATE, Resolver, allowed_actions
from stack import MEMBER_TEMPLATE, load_template

# What Lambda does in the role's name for every function of its kind. The emulator does it without asking itself:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
BY_LAMBDA = {
    "logs:CreateLogStream", "logs:PutLogEvents",
    "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage",
    "xray:PutTelemetryRecords", "xray:PutTraceSegments",
}
# What SNS and SQS do in the role's name with the key of a topic or queue. The emulator's do not encrypt:
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
BY_ENCRYPTED_SERVICES = {"kms:Decrypt", "kms:GenerateDataKey"}
# Of a service that the emulator has not. `tests/wire` has the request, `tests/template` the statement.
NOT_EMULATED = {"securityhub:BatchImportFindings", "s3:CreateJob", "iam:PassRole"}
# What the emulator calls otherwise: to AWS a batch of messages is `sqs:SendMessage`.
CALLED_OTHERWISE = {"sqs:SendMessageBatch": "sqs:SendMessage"}
# Permitted to everybody, whatever the policies say.
NEEDS_NO_PERMISSION = {"sts:GetCallerIdentity"}


def is_whole_suite(request: pytest.FixtureRequest) -> bool:
    files = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    option = request.config.option
    return (
        {item.path.name for item in request.session.items} == files
        and not option.keyword and not option.markexpr and not any("::" in name for name in request.config.args)
    )


@pytest.fixture
def decisions(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    if not is_whole_suite(request):
        pytest.skip("asks what all the other tests did, and not all of them ran")
    return [json.loads(line) for line in Path(os.environ[DECISIONS]).read_text().splitlines()]


def of_the_function(decisions: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Each action that a deployed function asked for, with the parameters that it was deployed with, as JSON."""
    asked: set[tuple[str, str]] = set()
    deployed: dict[str, tuple[str, str]] = {}
    for decision in decisions:
        if "parameters" in decision:
            deployed[decision["emulator"]] = decision["role"], json.dumps(decision["parameters"], sort_keys=True)
        elif decision["emulator"] in deployed:
            role, parameters = deployed[decision["emulator"]]
            # A test that looks through the eyes of the role calls its session so.
            _, name, session = decision["principal"].split("/") if "/" in decision["principal"] else ("", "", "")
            if name == role and session != "test":
                asked.add((parameters, CALLED_OTHERWISE.get(decision["action"], decision["action"])))
    return asked


@cache
def granted_with(parameters: str) -> set[str]:
    """The actions that the template grants with these parameters."""
    return allowed_actions(Resolver(json.loads(parameters)).policies())


def test_the_function_asks_for_nothing_that_its_mode_and_settings_do_not_grant(
    decisions: list[dict[str, Any]],
) -> None:
    beyond = {
        (action, parameters) for parameters, action in of_the_function(decisions)
        if action not in granted_with(parameters) | NEEDS_NO_PERMISSION
    }
    assert beyond == set()


def test_every_action_that_a_mode_grants_is_used_in_it(decisions: list[dict[str, Any]]) -> None:
    granted, used = defaultdict(set), defaultdict(set)
    for parameters, action in of_the_function(decisions):
        mode = json.loads(parameters).get("Mode", "dry-run")
        granted[mode] |= granted_with(parameters)
        used[mode].add(action)
    assert granted.keys() == {"dry-run", "approve", "auto"}
    # What is read does not depend on the mode, so that a read which one mode has shown to be needed is needed in all.
    reads = used["dry-run"]
    idle = {mode: granted[mode] - used[mode] - reads - BY_LAMBDA - BY_ENCRYPTED_SERVICES for mode in granted}
    assert idle == {mode: set() for mode in granted}
    # None of the exceptions is one any more.
    assert not set().union(*used.values()) & (BY_LAMBDA | BY_ENCRYPTED_SERVICES)


def test_every_statement_of_the_template_was_deployed(decisions: list[dict[str, Any]]) -> None:
    """Or else nothing above would say of it whether it is needed."""
    written = {
        action for policy in TEMPLATE["Resources"].values() if policy["Type"] == "AWS::IAM::ManagedPolicy"
        for action in written_actions(policy["Properties"]["PolicyDocument"]["Statement"])
    }
    deployed = set().union(*(
        granted_with(json.dumps(decision["parameters"], sort_keys=True))
        for decision in decisions if "parameters" in decision
    ))
    assert written - deployed - BY_LAMBDA - BY_ENCRYPTED_SERVICES == NOT_EMULATED


def written_actions(statements: Any) -> Iterator[str]:
    """The actions of statements that allow, whatever they stand under."""
    if isinstance(statements, list):
        for statement in statements:
            yield from written_actions(statement)
    elif isinstance(statements, dict) and statements.get("Effect") == "Allow":
        actions = statements["Action"]
        yield from [actions] if isinstance(actions, str) else actions
    elif isinstance(statements, dict):
        yield from written_actions(list(statements.values()))


def test_the_member_role_grants_what_is_read_with_it_and_nothing_else(decisions: list[dict[str, Any]]) -> None:
    used = {
        decision["action"] for decision in decisions
        if f":assumed-role/{MEMBER_ROLE}/" in decision.get("principal", "")
    }
    policy = load_template(MEMBER_TEMPLATE)["Resources"]["ReadPolicy"]["Properties"]["PolicyDocument"]
    assert used == allowed_actions({"ReadPolicy": policy})
