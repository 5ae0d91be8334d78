"""What the linters do not know about `template.yaml`: the promises that this project makes with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stack import load_template

ROOT = Path(__file__).parents[2]
TEMPLATE = load_template()
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
FUNCTION = RESOURCES["Function"]["Properties"]
WRITE_CONDITIONS = {"MayWrite", "MayWriteAllowedRoles", "MayWriteAllowedKeys"}

# Every action of the role that is not a read of what replication consists of, with the statement that needs it.
NO_READS_BUT_HARMLESS = {
    "Log": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "TakeFromTheQueue": {"sqs:ReceiveMessage", "sqs:DeleteMessage"},
    "LeaveWorkInTheQueue": {"sqs:SendMessage"},
    "Tell": {"sns:Publish"},
    "Remember": {"dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"},
    "TellMachines": {"events:PutEvents"},
    "TellTheChat": {"sns:Publish"},
    "KeepFindings": {"securityhub:BatchImportFindings"},
    "TellThroughAnEncryptedTopic": {"kms:Decrypt", "kms:GenerateDataKey"},
    "ReadInTrustedAccounts": {"sts:AssumeRole"},
    "UseWhatTheKeyEncrypts": {"kms:Decrypt", "kms:GenerateDataKey"},
    "Trace": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"},
}
# Settings that the stack makes itself, from what it deploys.
MADE: dict[str, Any] = {"QUEUE_URL": {"Ref": "Queue"}}
REPAIRS = {"iam:PutRolePolicy", "iam:DeleteRolePolicy", "kms:CreateGrant", "kms:RevokeGrant"}


def pascal_case(setting: str) -> str:
    return "".join(word.capitalize() for word in setting.split("_"))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The statements of a policy resource, those under a condition included."""
    for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
        yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def role_policies() -> Iterator[dict[str, Any]]:
    return (resource for resource in RESOURCES.values() if resource["Type"] == "AWS::IAM::ManagedPolicy")


def conditional_statements() -> Iterator[tuple[str | None, dict[str, Any]]]:
    """The statements of the role, each with the condition under which it exists."""
    for policy in role_policies():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if "Fn::If" in statement:
                condition, inner, otherwise = statement["Fn::If"]
                assert otherwise == {"Ref": "AWS::NoValue"}
                yield policy.get("Condition") or condition, inner
            else:
                yield policy.get("Condition"), statement


def rows(document: str, marker: str) -> list[list[str]]:
    """The rows of a generated table, which a test in Rust holds against the program's own lists."""
    text = (ROOT / document).read_text().split(f"<!-- {marker}: begin -->\n")[1].split(f"<!-- {marker}: end -->")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]


def is_read(action: str) -> bool:
    return action.split(":")[1].startswith(("Get", "List", "Describe"))


def test_every_setting_of_the_function_is_a_parameter_of_the_same_name() -> None:
    for setting, value in FUNCTION["Environment"]["Variables"].items():
        expected: Any = MADE.get(setting, {"Ref": pascal_case(setting)})
        if setting == "NOTIFICATION_TOPIC_ARN":
            expected = {"Fn::If": ["MakesTopic", {"Ref": "Topic"}, expected]}
        if setting == "LEDGER_TABLE":
            expected = {"Fn::If": ["MakesLedger", {"Ref": "Table"}, expected]}
        assert value == expected


def test_every_setting_of_the_readme_is_one_of_the_function_with_the_same_default() -> None:
    documented = {name.strip("`"): "" if default == "none" else default.strip("`")
                  for name, default, _ in rows("README.md", "settings")}
    defaults = {setting: str(TEMPLATE["Parameters"][pascal_case(setting)]["Default"])
                for setting in documented if setting not in MADE}
    assert list(FUNCTION["Environment"]["Variables"]) == list(documented)
    assert defaults == {setting: default for setting, default in documented.items() if setting not in MADE}


def test_the_role_may_do_what_the_manual_lists_action_for_action() -> None:
    when = {
        None: "always",
        "MayInspect": "`InspectObjects` is true",
        "HasLedger": "`Ledger` is true",
        "HasMemberRole": "`MemberRoleName` is set",
        "HasNotificationKey": "`NotificationKeyArn` is set",
        "HasEncryptionKey": "`EncryptionKeyArn` is set",
        "Traces": "`Tracing` is true",
        "HasEventBus": "`EventBusName` is set",
        "HasChatTopic": "`ChatTopicArn` is set",
        "UsesSecurityHub": "`SecurityHub` is true",
        "MayOrderJobs": "`BatchRoleArn` is set, and `Mode` is `approve` or `auto`",
        **dict.fromkeys(WRITE_CONDITIONS, "`Mode` is `approve` or `auto`"),
    }
    held = {
        (action, when[condition])
        for condition, statement in conditional_statements()
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    }
    documented = {(action.strip("`"), condition) for action, _, condition in rows("docs/OPERATING.md", "permissions")}
    assert held == documented


def test_every_parameter_has_a_default_so_that_every_question_may_be_answered_by_enter() -> None:
    assert [name for name, parameter in TEMPLATE["Parameters"].items() if "Default" not in parameter] == []


def test_without_a_mode_that_writes_the_role_only_reads_and_tells() -> None:
    for policy in role_policies():
        if policy.get("Condition") in {*WRITE_CONDITIONS, "MayOrderJobs"}:
            continue
        for statement in statements(policy):
            writes = {action for action in listed(statement["Action"]) if not is_read(action)}
            assert writes == NO_READS_BUT_HARMLESS.get(statement["Sid"], set())


def test_a_mode_that_writes_adds_the_repairs_and_their_undo_only() -> None:
    for policy in role_policies():
        if policy.get("Condition") not in WRITE_CONDITIONS:
            continue
        for statement in statements(policy):
            if statement["Effect"] == "Allow":
                assert set(listed(statement["Action"])) <= REPAIRS


def test_jobs_are_ordered_only_where_a_role_is_set_and_the_mode_writes() -> None:
    policy = RESOURCES["JobPolicy"]
    assert policy["Condition"] == "MayOrderJobs"
    assert TEMPLATE["Conditions"]["MayOrderJobs"]["Fn::And"][0] == {"Condition": "MayWrite"}
    order, give = statements(policy)
    assert order["Action"] == "s3:CreateJob"
    assert (give["Action"], give["Resource"]) == ("iam:PassRole", {"Ref": "BatchRoleArn"})
    assert give["Condition"] == {"StringEquals": {"iam:PassedToService": "batchoperations.s3.amazonaws.com"}}


def test_lambda_takes_a_long_sweep_for_no_loop() -> None:
    assert FUNCTION["RecursiveLoop"] == "Allow"


def test_no_action_is_a_wildcard() -> None:
    for policy in role_policies():
        for statement in statements(policy):
            if statement["Effect"] == "Allow":
                assert not [action for action in listed(statement["Action"]) if "*" in action]


def test_the_role_may_not_change_itself() -> None:
    denials = [statement for statement in statements(RESOURCES["WritePolicy"]) if statement["Effect"] == "Deny"]
    assert {
        "Sid": "NeverRepairOurselves", "Effect": "Deny", "NotAction": ["iam:Get*", "iam:List*"],
        "Resource": {"Fn::GetAtt": ["FunctionRole", "Arn"]},
    } in denials


def test_what_only_aws_can_be_asked_is_denied_there() -> None:
    """The emulator does not know these keys, so only a look at the template shows that the denials are there."""
    policies = [resource for resource in RESOURCES.values() if "PolicyDocument" in resource.get("Properties", {})]
    denials = {
        statement["Sid"]: statement
        for policy in policies for statement in statements(policy) if statement["Effect"] == "Deny"
    }
    for sid in ("DenyInsecureTransport", "NeverGrantToAnotherAccount", "NeverGrantWithoutConstraint"):
        condition = denials[sid]["Condition"]
        # Nothing but a call that cannot reach AWS is let off.
        assert condition["NotIpAddress"] == {"aws:SourceIp": "127.0.0.0/8"}
        assert len(condition) == 2


def test_queues_and_topic_are_encrypted_or_can_be_and_refuse_plain_http() -> None:
    nothing, own = {"Ref": "AWS::NoValue"}, {"Ref": "EncryptionKeyArn"}
    for name in ("Queue", "DeadLetterQueue"):
        queue = RESOURCES[name]["Properties"]
        assert queue["SqsManagedSseEnabled"] == {"Fn::If": ["HasEncryptionKey", nothing, True]}
        assert queue["KmsMasterKeyId"] == {"Fn::If": ["HasEncryptionKey", own, nothing]}
    assert RESOURCES["LogGroup"]["Properties"]["KmsKeyId"] == {"Fn::If": ["HasEncryptionKey", own, nothing]}
    assert "KmsMasterKeyId" in RESOURCES["Topic"]["Properties"]
    for name in ("QueuePolicy", "DeadLetterQueuePolicy", "TopicPolicy"):
        assert "DenyInsecureTransport" in {statement["Sid"] for statement in statements(RESOURCES[name])}


def test_a_message_stays_hidden_for_as_long_as_the_function_may_need() -> None:
    event = FUNCTION["Events"]["Queue"]["Properties"]
    needed = 6 * FUNCTION["Timeout"] + event["MaximumBatchingWindowInSeconds"]
    assert RESOURCES["Queue"]["Properties"]["VisibilityTimeout"] >= needed


def test_every_rule_keeps_what_it_could_not_deliver() -> None:
    rules = [resource for resource in RESOURCES.values() if resource["Type"] == "AWS::Events::Rule"]
    for rule in rules:
        (target,) = rule["Properties"]["Targets"]
        assert target["Arn"] == {"Fn::GetAtt": ["Queue", "Arn"]}
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}}
        assert target["RetryPolicy"]


def test_what_another_region_hands_on_is_what_the_function_takes_here() -> None:
    elsewhere = load_template(ROOT / "forward-drift.yaml")["Resources"]
    patterns = {
        name: resource["Properties"]["EventPattern"] for name, resource in elsewhere.items()
        if resource["Type"] == "AWS::Events::Rule"
    }
    assert patterns == {
        name: RESOURCES[name]["Properties"]["EventPattern"] for name in RESOURCES if name.startswith("DriftOf")
    }
    # EventBridge takes no longer ones: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
    assert max(len(json.dumps(pattern)) for pattern in patterns.values()) < 2048


def test_every_change_that_the_function_understands_is_taken_by_a_rule() -> None:
    source = (ROOT / "src/event/drift.rs").read_text()
    understood = set(re.findall(r'"([A-Z][A-Za-z]+)"', source.split("let about = match")[1].split("_ => {")[0]))
    taken = {
        name for rule, resource in RESOURCES.items() if rule.startswith("DriftOf")
        for name in resource["Properties"]["EventPattern"].get("detail", {}).get("eventName", [])
    }
    assert taken == understood
