"""What CloudFormation makes of a template's functions and conditions, as far as policies need it."""

from __future__ import annotations

import re
from typing import Any

from stack import load_template

TEMPLATE = load_template()
PSEUDO = {"AWS::Partition": "aws", "AWS::AccountId": "111122223333", "AWS::Region": "eu-west-1",
          "AWS::StackName": "s3-replication-remediator"}
ARNS = {"FunctionRole": "arn:aws:iam::111122223333:role/remediator",
        "Queue": "arn:aws:sqs:eu-west-1:111122223333:queue",
        "Table": "arn:aws:dynamodb:eu-west-1:111122223333:table/ledger",
        "LogGroup": "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/s3-replication-remediator:*"}
NOTHING = object()


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
                return NOTHING if of == "AWS::NoValue" else self.values.get(of, of)
            if function == "Fn::GetAtt":
                return ARNS[of[0] if isinstance(of, list) else of.split(".")[0]]
            if function == "Fn::If":
                return self.resolve(of[1] if self.holds(of[0]) else of[2])
            if function == "Fn::Sub":
                text, named = of if isinstance(of, list) else (of, {})
                return re.sub(r"\$\{([^}]+)\}", lambda match: self._named(match[1], named), text)
            if function == "Fn::Split":
                return str(self.resolve(of[1])).split(of[0])
            if function == "Fn::Select":
                return self.resolve(of[1])[of[0]]
            assert not function.startswith("Fn::"), function
        resolved = {name: self.resolve(item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not NOTHING}

    def _named(self, name: str, named: dict[str, Any]) -> str:
        """What stands for `${name}`; of a resource without a known one, its own name."""
        if name in named:
            return str(self.resolve(named[name]))
        return str(self.values.get(name, ARNS.get(name.split(".")[0], name)))

    def resources(self) -> set[str]:
        """The names of the resources that are made."""
        return {
            name for name, resource in TEMPLATE["Resources"].items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }

    def policies(self) -> dict[str, Any]:
        return {
            name: self.resolve(resource["Properties"]["PolicyDocument"])
            for name, resource in TEMPLATE["Resources"].items()
            if resource["Type"] == "AWS::IAM::ManagedPolicy" and name in self.resources()
        }


def allowed_actions(policies: dict[str, Any]) -> set[str]:
    """Every action that any statement of the policies allows."""
    return {
        action
        for policy in policies.values() for statement in policy["Statement"] if statement["Effect"] == "Allow"
        for action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
    }
