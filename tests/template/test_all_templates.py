"""What holds for every template of the project, the small ones included: they are deployed beside the first."""

from __future__ import annotations

from typing import Any

import pytest

from stack import MEMBER_TEMPLATE, TEMPLATE, load_template
from test_template import ROOT, statements

PATHS = [TEMPLATE, MEMBER_TEMPLATE, ROOT / "forward-drift.yaml"]
TEMPLATES = {path.name: load_template(path) for path in PATHS}
FORWARDING = TEMPLATES["forward-drift.yaml"]["Resources"]


def resources(template: str, kind: str) -> dict[str, dict[str, Any]]:
    return {name: of for name, of in TEMPLATES[template]["Resources"].items() if of["Type"] == kind}


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_role_may_be_given_a_permissions_boundary(template: str) -> None:
    roles = resources(template, "AWS::IAM::Role")
    assert roles
    for name, role in roles.items():
        condition, boundary, otherwise = role["Properties"]["PermissionsBoundary"]["Fn::If"]
        assert condition in TEMPLATES[template]["Conditions"], name
        assert TEMPLATES[template]["Parameters"][boundary["Ref"]] and otherwise == {"Ref": "AWS::NoValue"}, name


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_parameter_is_described_constrained_and_offered(template: str) -> None:
    groups = TEMPLATES[template]["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    offered = [parameter for group in groups for parameter in group["Parameters"]]
    assert sorted(offered) == sorted(TEMPLATES[template]["Parameters"])
    for name, parameter in TEMPLATES[template]["Parameters"].items():
        assert parameter["Description"], name
        assert parameter.keys() & {"AllowedValues", "AllowedPattern", "MaxValue"}, name
        assert ("AllowedPattern" in parameter) == ("ConstraintDescription" in parameter), name


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_queue_is_encrypted_takes_from_named_services_alone_and_refuses_plain_http(template: str) -> None:
    policies = resources(template, "AWS::SQS::QueuePolicy").values()
    for name, queue in resources(template, "AWS::SQS::Queue").items():
        assert queue["Properties"]["SqsManagedSseEnabled"], name
        (policy,) = (policy for policy in policies if policy["Properties"]["Queues"] == [{"Ref": name}])
        for statement in statements(policy):
            assert statement["Resource"] == {"Fn::GetAtt": [name, "Arn"]}
            if statement["Effect"] == "Deny":
                assert statement["Principal"] == "*" and statement["Action"] == "sqs:*"
                assert statement["Condition"]["Bool"] == {"aws:SecureTransport": "false"}
                continue
            # One service, and what it acts for: a rule, a topic or a bucket of this account.
            assert statement["Principal"].keys() == {"Service"} and statement["Action"] == "sqs:SendMessage"
            keys = {key for operator in statement["Condition"].values() for key in operator}
            assert "aws:SourceArn" in keys, f"{name}: {statement['Sid']}"
        assert [statement["Effect"] for statement in statements(policy)].count("Deny") == 1, name


def test_what_is_handed_on_goes_home_and_what_is_not_is_kept() -> None:
    rules = resources("forward-drift.yaml", "AWS::Events::Rule")
    home = "arn:${AWS::Partition}:events:${FunctionRegion}:${AWS::AccountId}:event-bus/default"
    for rule in rules.values():
        (target,) = rule["Properties"]["Targets"]
        assert target["Arn"] == {"Fn::Sub": home} and target["RetryPolicy"]
        assert target["RoleArn"] == {"Fn::GetAtt": ["Role", "Arn"]}
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["Undelivered", "Arn"]}}
    (policy,) = FORWARDING["Role"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement == {"Effect": "Allow", "Action": "events:PutEvents", "Resource": {"Fn::Sub": home}}
    take, _ = statements(FORWARDING["UndeliveredPolicy"])
    assert take["Condition"]["ArnEquals"]["aws:SourceArn"] == [{"Fn::GetAtt": [name, "Arn"]} for name in rules]
