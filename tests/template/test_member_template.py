"""What the template of the member role promises to the accounts that deploy it."""

from __future__ import annotations

from resolver import allowed_actions
from stack import MEMBER_TEMPLATE, load_template
from test_template import TEMPLATE as MAIN
from test_template import is_read, statements

TEMPLATE = load_template(MEMBER_TEMPLATE)
POLICY = TEMPLATE["Resources"]["ReadPolicy"]
ROLE = TEMPLATE["Resources"]["MemberRole"]["Properties"]


def test_the_member_role_only_reads_and_reads_no_object() -> None:
    actions = allowed_actions({"ReadPolicy": POLICY["Properties"]["PolicyDocument"]})
    assert all(is_read(action) for action in actions)
    assert not [action for action in actions if "*" in action or "Object" in action.replace("BucketObjectLock", "")]


def test_the_member_role_reads_nothing_that_the_function_does_not_read_at_home() -> None:
    own = allowed_actions({
        name: {"Statement": list(statements(policy))}
        for name, policy in MAIN["Resources"].items() if policy["Type"] == "AWS::IAM::ManagedPolicy"
    })
    assert allowed_actions({"ReadPolicy": POLICY["Properties"]["PolicyDocument"]}) <= own


def test_the_member_role_reads_in_its_own_account_alone() -> None:
    for statement in statements(POLICY):
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        in_own_account = all("${AWS::AccountId}" in resource["Fn::Sub"] for resource in resources)
        bound = statement.get("Condition", {}).get("StringEquals", {})
        assert in_own_account or bound == {"aws:ResourceAccount": {"Ref": "AWS::AccountId"}}


def test_the_member_role_trusts_named_roles_and_no_account() -> None:
    (statement,) = ROLE["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"AWS": {"Ref": "RemediatorRoleArns"}}
    parameter = TEMPLATE["Parameters"]["RemediatorRoleArns"]
    assert ":role/" in parameter["AllowedPattern"] and "Default" not in parameter


def test_what_both_templates_take_has_the_same_form_in_both() -> None:
    for ours, theirs in (("ExternalId", "MemberRoleExternalId"),):
        assert TEMPLATE["Parameters"][ours]["AllowedPattern"] == MAIN["Parameters"][theirs]["AllowedPattern"]
    (name,) = [MAIN["Outputs"]["DeployMemberRole"]["Value"]["Fn::Sub"]]
    for parameter in ("RoleName", "RemediatorRoleArns", "ExternalId"):
        assert f"{parameter}=" in name and parameter in TEMPLATE["Parameters"]
