"""What the role of the deployed function may do, as the attacks in `tests/attacks/template.rs` try it.

The template's policies are resolved here as CloudFormation would, for the two ends of its settings, and kept as JSON:
Rust has the evaluator, Python the reader of templates. `UPDATE=1` writes the files anew.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from stack import load_template

KEPT = Path(__file__).parents[1] / "attacks" / "policies"
TEMPLATE = load_template()
PSEUDO = {"AWS::Partition": "aws", "AWS::AccountId": "111122223333", "AWS::Region": "eu-west-1",
          "AWS::StackName": "s3-replication-remediator"}
ARNS = {"FunctionRole": "arn:aws:iam::111122223333:role/remediator",
        "Queue": "arn:aws:sqs:eu-west-1:111122223333:queue",
        "Table": "arn:aws:dynamodb:eu-west-1:111122223333:table/ledger",
        "LogGroup": "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/s3-replication-remediator:*"}
NOTHING = object()
OPEN = {"Mode": "auto", "AllowedRoleArns": "arn:aws:iam::*:role/*", "AllowedKeyArns": "arn:aws:kms:*:*:key/*",
        "TrustedAccounts": "444455556666", "MemberRoleName": "reader"}


class Resolver:
    """Replaces functions by what they give."""

    def __init__(self, parameters: dict[str, str]) -> None:
        defaults = {name: str(of["Default"]) for name, of in TEMPLATE["Parameters"].items()}
        self.values = {**PSEUDO, **defaults, **parameters, "Topic": "arn:aws:sns:eu-west-1:111122223333:topic",
                       "Table": "ledger"}

    def holds(self, condition: Any) -> bool:
        if isinstance(condition, str):
            return self.holds(TEMPLATE["Conditions"][condition])
        ((function, of),) = condition.items()
        if function == "Condition":
            return self.holds(of)
        if function == "Fn::Equals":
            return bool(self.resolve(of[0]) == self.resolve(of[1]))
        if function == "Fn::Not":
            return not self.holds(of[0])
        assert function == "Fn::And", function
        return all(self.holds(part) for part in of)

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, of),) = value.items()
            if function == "Ref":
                return NOTHING if of == "AWS::NoValue" else self.values[of]
            if function == "Fn::GetAtt":
                return ARNS[of[0] if isinstance(of, list) else of.split(".")[0]]
            if function == "Fn::If":
                return self.resolve(of[1] if self.holds(of[0]) else of[2])
            if function == "Fn::Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda match: str(self.values[match[1]]), of)
            if function == "Fn::Split":
                return str(self.resolve(of[1])).split(of[0])
            if function == "Fn::Select":
                return self.resolve(of[1])[of[0]]
            assert not function.startswith("Fn::"), function
        resolved = {name: self.resolve(item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not NOTHING}

    def policies(self) -> dict[str, Any]:
        return {
            name: self.resolve(resource["Properties"]["PolicyDocument"])
            for name, resource in TEMPLATE["Resources"].items()
            if resource["Type"] == "AWS::IAM::ManagedPolicy"
            and ("Condition" not in resource or self.holds(resource["Condition"]))
        }


def test_the_policies_that_are_attacked_are_those_of_the_template() -> None:
    bounded = {**OPEN, "RequiredPermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/bound"}
    for name, parameters in {"dry-run": {}, "tagged": {"Mode": "approve"}, "open": OPEN, "bounded": bounded}.items():
        resolved = json.dumps(Resolver(parameters).policies(), indent=2) + "\n"
        kept = KEPT / f"{name}.json"
        if os.environ.get("UPDATE"):
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(resolved)
        assert kept.read_text() == resolved
