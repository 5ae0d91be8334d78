"""What the stack's parameters take and refuse, before anything is deployed: `values.json` has samples of both.

CloudFormation refuses by pattern, list, range and rule
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html). What it lets pass must be
a value that the function understands, or a deployed function would not start: `tests/docs` holds the same samples against
the settings.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from resolver import Resolver
from stack import MEMBER_TEMPLATE, load_template
from test_template import ROOT, TEMPLATE

SAMPLES: dict[str, dict[str, list[str]]] = json.loads((ROOT / "tests/template/values.json").read_text())
RULES: dict[str, dict[str, Any]] = TEMPLATE["Rules"]
KEY = "arn:aws:kms:eu-west-1:111122223333:key/k"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:reports"
# Contradictions, by the rule that refuses them.
CONTRADICTIONS: dict[str, list[dict[str, str]]] = {
    "TagsDiffer": [{"OptOutTag": "s3-replication-remediator=allow"}],
    "TopicsDiffer": [{"NotificationTopicArn": TOPIC, "ChatTopicArn": TOPIC}],
    "ObjectsToInspectAreNamed": [{"InspectObjects": "true"}],
    "SamplesAreInspected": [{"SampleObjects": "5"}],
    "MembersAreTrusted": [{"MemberRoleName": "reader"}],
    "ExternalIdIsOfARole": [{"MemberRoleExternalId": "an-id"}],
    "ReservedConcurrencySuffices": [{"ReservedConcurrency": "1"}],
    "OwnTableIsUsed": [{"LedgerTable": "replication-ledger", "Ledger": "false"}],
}
COMPATIBLE: list[dict[str, str]] = [
    {},
    {"NotificationTopicArn": TOPIC, "ChatTopicArn": TOPIC.replace("reports", "chat")},
    {"InspectObjects": "true", "InspectableObjectArns": "arn:aws:s3:::b/*", "SampleObjects": "5"},
    {"TrustedAccounts": "444455556666", "MemberRoleName": "reader", "MemberRoleExternalId": "an-id"},
    {"ReservedConcurrency": "2", "LedgerTable": "replication-ledger", "EncryptionKeyArn": KEY},
]


def takes(parameter: dict[str, Any], value: str) -> bool:
    """Whether CloudFormation takes a value of a parameter."""
    if parameter["Type"] == "Number":
        if not re.fullmatch(r"-?[0-9]+", value):
            return False
        if not parameter.get("MinValue", -10**9) <= int(value) <= parameter.get("MaxValue", 10**9):
            return False
    values = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
    if "AllowedPattern" in parameter and not all(re.fullmatch(parameter["AllowedPattern"], one) for one in values):
        return False
    return "AllowedValues" not in parameter or value in map(str, parameter["AllowedValues"])


def refusing(parameters: dict[str, str]) -> set[str]:
    """The rules that refuse a set of parameters."""
    resolver = Resolver(parameters)
    return {
        name for name, rule in RULES.items()
        if ("RuleCondition" not in rule or resolver.holds(rule["RuleCondition"]))
        and not all(resolver.holds(assertion["Assert"]) for assertion in rule["Assertions"])
    }


def test_there_are_samples_of_every_parameter() -> None:
    assert SAMPLES.keys() == TEMPLATE["Parameters"].keys()
    for name, samples in SAMPLES.items():
        assert str(TEMPLATE["Parameters"][name]["Default"]) in {"", *samples["taken"]}, name
        assert samples["refused"], name


@pytest.mark.parametrize("name", SAMPLES)
def test_what_a_parameter_takes_and_refuses(name: str) -> None:
    parameter = TEMPLATE["Parameters"][name]
    samples = SAMPLES[name]
    assert [value for value in samples["taken"] if not takes(parameter, value)] == []
    assert [value for value in samples["refused"] if takes(parameter, value)] == []


def test_contradictions_are_refused_by_the_rule_that_names_them() -> None:
    assert CONTRADICTIONS.keys() == RULES.keys()
    for rule, contradictions in CONTRADICTIONS.items():
        for parameters in contradictions:
            assert refusing(parameters) == {rule}
    for parameters in COMPATIBLE:
        assert refusing(parameters) == set()
    for rule in RULES.values():
        assert all(assertion["AssertDescription"] for assertion in rule["Assertions"])


@pytest.mark.parametrize(("name", "taken", "refused"), [
    ("RemediatorRoleArns",
     ["arn:aws:iam::111122223333:role/remediator", "arn:aws:iam::111122223333:role/a,arn:aws:iam::444455556666:role/p/b"],
     ["", "arn:aws:iam::111122223333:root", "111122223333", "*", "arn:aws:iam::111122223333:role/*",
      "arn:aws:iam::111122223333:role/a,arn:aws:iam::444455556666:root"]),
    ("OrganizationId", ["", "o-a1b2c3d4e5"], ["o-", "ou-ab12-c3d4e5f6", "O-A1B2C3D4E5", "*"]),
    ("PermissionsBoundaryArn", ["", "arn:aws:iam::111122223333:policy/bound"], ["bound", "arn:aws:iam::111122223333:policy/*"]),
    ("RoleName", ["s3-replication-remediator-member"], ["", "path/reader", "*"]),
])
def test_what_a_parameter_of_the_member_role_takes_and_refuses(name: str, taken: list[str], refused: list[str]) -> None:
    parameter = load_template(MEMBER_TEMPLATE)["Parameters"][name]
    assert [value for value in taken if not takes(parameter, value)] == []
    assert [value for value in refused if takes(parameter, value)] == []


@pytest.mark.parametrize(("name", "taken", "refused"), [
    ("FunctionRegion", ["eu-west-1", "us-gov-west-1", "ap-southeast-12"], ["", "eu-west", "EU-WEST-1", "eu west 1"]),
    ("PermissionsBoundaryArn", ["", "arn:aws:iam::111122223333:policy/bound"], ["bound"]),
])
def test_what_a_parameter_of_the_forwarding_takes_and_refuses(name: str, taken: list[str], refused: list[str]) -> None:
    parameter = load_template(ROOT / "forward-drift.yaml")["Parameters"][name]
    assert [value for value in taken if not takes(parameter, value)] == []
    assert [value for value in refused if takes(parameter, value)] == []
