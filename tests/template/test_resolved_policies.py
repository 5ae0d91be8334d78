"""What the role of the deployed function may do, as the attacks in `tests/attacks/template.rs` try it.

The template's policies are resolved here as CloudFormation would, for the two ends of its settings, and kept as JSON:
Rust has the evaluator, Python the reader of templates. `UPDATE=1` writes the files anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from resolver import TEMPLATE, Resolver
from test_template import statements

KEPT = Path(__file__).parents[1] / "attacks" / "policies"
# As wide as lists may be; those that name everything are refused.
OPEN = {"Mode": "auto", "AllowedRoleArns": "arn:aws:iam::*:role/*r*", "AllowedKeyArns": "arn:aws:kms:*:*:key/*e*",
        "TrustedAccounts": "444455556666", "MemberRoleName": "reader"}
BOUNDED = {**OPEN, "RequiredPermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/bound"}
# All that can be switched on without a mode that writes.
WATCHFUL = {"TrustedAccounts": "444455556666", "MemberRoleName": "reader", "InspectObjects": "true",
            "InspectableObjectArns": "arn:aws:s3:::inspected/*", "ReportRefusedPuts": "true", "Tracing": "true",
            "EncryptionKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/stack",
            "NotificationKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/topic", "EventBusName": "operations",
            "ChatTopicArn": "arn:aws:sns:eu-west-1:111122223333:chat", "SecurityHub": "true"}
BATCH = {"BatchRoleArn": "arn:aws:iam::111122223333:role/batch"}
SETTINGS = {"dry-run": BATCH, "watchful": WATCHFUL, "jobs": {"Mode": "approve", **BATCH}, "tagged": {"Mode": "approve"}, "open": OPEN, "bounded": BOUNDED}


def test_watchful_leaves_nothing_off_that_needs_no_mode() -> None:
    (policy,) = Resolver(WATCHFUL).policies().values()
    held = {statement["Sid"] for statement in policy["Statement"]}
    assert held == {statement["Sid"] for statement in statements(TEMPLATE["Resources"]["ReadPolicy"])}


def test_a_bus_is_named_by_its_name_or_by_its_arn() -> None:
    elsewhere = "arn:aws:events:us-east-1:444455556666:event-bus/team/audit"
    for given, meant in {
        "team/audit": "arn:aws:events:eu-west-1:111122223333:event-bus/team/audit", elsewhere: elsewhere,
    }.items():
        (policy,) = Resolver({"EventBusName": given}).policies().values()
        (statement,) = (one for one in policy["Statement"] if one["Sid"] == "TellMachines")
        assert statement["Resource"] == meant


def test_the_policies_that_are_attacked_are_those_of_the_template() -> None:
    for name, parameters in SETTINGS.items():
        resolved = json.dumps(Resolver(parameters).policies(), indent=2) + "\n"
        kept = KEPT / f"{name}.json"
        if os.environ.get("UPDATE"):
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(resolved)
        assert kept.read_text() == resolved
