"""What the deployed function tells and does about the accounts of `seeds/`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import Deploy
from emulator import Emulator
from seed import Seeded, seed
from stack import REGION, FunctionError

SCHEMA = "s3-replication-remediator/report/v1"
REPLICATION_CONFIGURED = "cloudtrail/put-kms-rule.json"
OBJECT_FAILED = "s3-notification/reason/DstKmsKeyInvalidState.json"

# One permission that a policy statement gives: action, resource, and under which conditions.
Permission = tuple[str, str, frozenset[tuple[str, str, frozenset[str]]]]


def inline_policies(emulator: Emulator, role: str) -> dict[str, Any]:
    iam = emulator.client("iam", REGION)
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}


def permissions(document: dict[str, Any]) -> set[Permission]:
    """What a policy allows, however its statements are grouped."""
    return {
        (action, resource, conditions(statement))
        for statement in document["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def conditions(statement: dict[str, Any]) -> frozenset[tuple[str, str, frozenset[str]]]:
    return frozenset(
        # Without wildcards the two operators say the same.
        (operator.replace("StringEquals", "StringLike"), key, frozenset(listed(values)))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def through_s3(bucket: str, region: str) -> frozenset[tuple[str, str, frozenset[str]]]:
    """On behalf of a bucket only: its ARN where there is a Bucket Key, the object's where there is none."""
    return frozenset({
        ("StringLike", "kms:ViaService", frozenset({f"s3.{region}.amazonaws.com"})),
        ("StringLike", "kms:EncryptionContext:aws:s3:arn",
         frozenset({f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"})),
    })


def what_was_missing(seeded: Seeded) -> set[Permission]:
    source = through_s3(seeded.bucket, seeded.region)
    replica = through_s3(seeded.destination, seeded.destination_region)
    return {("kms:Decrypt", seeded.source_key, source)} | {
        (action, seeded.replica_key, replica) for action in ("kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt")
    }


def checks(report: dict[str, Any], severity: str) -> set[str]:
    return {finding["check"] for finding in report["findings"] if finding["severity"] == severity}


@pytest.mark.parametrize("name", ["many-reasons", "healthy", "key-without-delegation"])
def test_check_finds_everything_that_the_seed_expects(emulator: Emulator, deploy: Deploy, name: str) -> None:
    seeded = seed(emulator, name)
    report = deploy().invoke({"command": "check", "bucket": seeded.bucket})
    assert report["verdict"] == seeded.expected["verdict"]
    assert checks(report, "error") == set(seeded.expected["errors"])
    assert checks(report, "warning") == set(seeded.expected["warnings"])


def test_check_answers_with_report_v1(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    report = deploy().invoke({"command": "check", "bucket": seeded.bucket})
    assert report["schema"] == SCHEMA
    assert report["mode"] == "dry-run"
    assert report["trigger"]["kind"] == "command"
    assert report["bucket"] == {"name": seeded.bucket, "accountId": "111122223333", "region": "eu-west-1"}
    assert report.keys() >= {
        "id", "time", "verdict", "findings", "unread", "notEvaluated", "plan", "outcome", "backlog", "commands",
    }
    for finding in report["findings"]:
        assert finding.keys() >= {
            "check", "severity", "ruleIds", "subject", "summary", "expected", "found", "evidence", "remedy",
        }
    assert report["plan"]["digest"].startswith("sha256:")
    assert report["outcome"]["status"] == "planned"


def test_check_writes_in_no_mode(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    before = inline_policies(emulator, seeded.role_name)
    deploy(Mode="auto").invoke({"command": "check", "bucket": seeded.bucket})
    assert inline_policies(emulator, seeded.role_name) == before


def test_one_event_is_told_once_and_completely(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    before = inline_policies(emulator, seeded.role_name)
    stack = deploy()
    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    (notification,) = stack.notifications(1)
    for check in seeded.expected["errors"] + seeded.expected["warnings"]:
        assert check in notification["Message"]
    assert stack.silence() == []
    assert inline_policies(emulator, seeded.role_name) == before


def test_a_storm_of_failed_objects_is_told_once(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy()
    stack.send(*[seeded.recorded(OBJECT_FAILED)] * 10)
    stack.notifications(1)
    assert stack.silence() == []


def test_a_message_that_nobody_understands_goes_to_the_dead_letters_alone(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy()
    stack.hurry()
    stack.send(seeded.recorded(REPLICATION_CONFIGURED), "{ this is not JSON")
    stack.notifications(1)
    assert stack.await_dead_letters(1) == ["{ this is not JSON"]
    assert stack.silence() == []
    stack.await_empty_queue()


def test_what_s3_sends_when_a_notification_is_set_up_is_not_told(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy()
    stack.send(seeded.recorded("s3-notification/test-event.json"))
    stack.await_empty_queue()
    assert stack.silence() == []


def test_auto_writes_what_was_missing_and_nothing_else(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    before = inline_policies(emulator, seeded.role_name)
    stack = deploy(Mode="auto")
    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    stack.notifications(1)
    after = inline_policies(emulator, seeded.role_name)
    assert {name: after.pop(name) for name in before} == before
    (ours,) = after.values()
    assert permissions(ours) == what_was_missing(seeded)
    report = stack.invoke({"command": "check", "bucket": seeded.bucket})
    assert checks(report, "error") == {"replica-key-not-usable"}


def test_auto_opens_a_grant_where_the_key_policy_leaves_nothing_to_the_account_and_undo_revokes_it(
    emulator: Emulator, deploy: Deploy
) -> None:
    seeded = seed(emulator, "key-without-delegation")
    before = inline_policies(emulator, seeded.role_name)
    stack = deploy(Mode="auto")
    for _ in ("the first delivery", "and another"):
        stack.send(seeded.recorded(REPLICATION_CONFIGURED))
        stack.await_empty_queue()
    kms = emulator.client("kms", seeded.destination_region)
    (grant,) = kms.list_grants(KeyId=seeded.replica_key)["Grants"]
    assert grant["GranteePrincipal"] == seeded.role
    assert set(grant["Operations"]) == {"Encrypt", "GenerateDataKey", "Decrypt"}
    context = {"aws:s3:arn": f"arn:aws:s3:::{seeded.destination}"}
    assert grant["Constraints"] == {"EncryptionContextEquals": context}
    assert inline_policies(emulator, seeded.role_name) == before
    assert stack.invoke({"command": "check", "bucket": seeded.bucket})["verdict"] == "healthy"

    undo = {"command": "undo", "bucket": seeded.bucket}
    shown = stack.invoke(undo)
    assert len(kms.list_grants(KeyId=seeded.replica_key)["Grants"]) == 1
    stack.invoke(undo | {"plan": shown["plan"]["digest"]})
    assert kms.list_grants(KeyId=seeded.replica_key)["Grants"] == []


def test_the_second_delivery_changes_nothing(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy(Mode="auto")
    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    stack.notifications(1)
    first = inline_policies(emulator, seeded.role_name)
    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    stack.await_empty_queue()
    assert inline_policies(emulator, seeded.role_name) == first
    assert stack.silence() == []


def test_approve_writes_only_the_plan_that_a_person_sends_back(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    before = inline_policies(emulator, seeded.role_name)
    stack = deploy(Mode="approve")
    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    stack.notifications(1)
    refused = stack.invoke({"command": "apply", "bucket": seeded.bucket, "plan": "sha256:" + "0" * 64})
    assert refused["outcome"]["status"] == "refused"
    assert inline_policies(emulator, seeded.role_name) == before
    applied = stack.invoke({"command": "apply", "bucket": seeded.bucket, "plan": refused["plan"]["digest"]})
    assert applied["outcome"]["status"] == "applied"
    assert len(inline_policies(emulator, seeded.role_name)) == len(before) + 1


@pytest.mark.parametrize("name", ["many-reasons", "key-without-delegation"])
def test_what_a_person_approved_is_taken_back_when_they_approve_that(
    emulator: Emulator, deploy: Deploy, name: str
) -> None:
    seeded = seed(emulator, name)
    kms = emulator.client("kms", seeded.destination_region)

    def written() -> list[object]:
        return [inline_policies(emulator, seeded.role_name), kms.list_grants(KeyId=seeded.replica_key)["Grants"]]

    before = written()
    stack = deploy(Mode="approve")
    shown = stack.invoke({"command": "check", "bucket": seeded.bucket})
    stack.invoke({"command": "apply", "bucket": seeded.bucket, "plan": shown["plan"]["digest"]})
    assert written() != before
    undo = {"command": "undo", "bucket": seeded.bucket}
    stack.invoke(undo | {"plan": stack.invoke(undo)["plan"]["digest"]})
    assert written() == before


def test_undo_takes_back_exactly_what_was_written(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    before = inline_policies(emulator, seeded.role_name)
    stack = deploy(Mode="auto")
    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    stack.notifications(1)
    shown = stack.invoke({"command": "undo", "bucket": seeded.bucket})
    assert len(inline_policies(emulator, seeded.role_name)) == len(before) + 1
    stack.invoke({"command": "undo", "bucket": seeded.bucket, "plan": shown["plan"]["digest"]})
    assert inline_policies(emulator, seeded.role_name) == before


def test_a_misspelt_guard_stops_the_start(emulator: Emulator, deploy: Deploy) -> None:
    stack = deploy()
    function = emulator.client("lambda", REGION)
    name = stack.outputs["FunctionName"]
    settings = function.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    settings["ALOWED_ROLE_ARNS"] = settings.pop("ALLOWED_ROLE_ARNS")
    function.update_function_configuration(FunctionName=name, Environment={"Variables": settings})
    with pytest.raises(FunctionError, match="ALOWED_ROLE_ARNS"):
        stack.invoke({"command": "check", "bucket": "amzn-s3-demo-source-bucket"})


def test_an_event_sent_directly_is_answered_with_its_report(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    answer = deploy().invoke(json.loads(seeded.recorded(REPLICATION_CONFIGURED)))
    (report,) = answer["reports"]
    assert report["schema"] == SCHEMA
    assert report["trigger"]["kind"] == "replication-configured"
