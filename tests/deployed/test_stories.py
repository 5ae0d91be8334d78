"""The stories of `tests/scenarios`, told by the deployed function about an emulated account that it reads itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from account import MEMBER_ROLE, Accounts, Names
from emulator import Emulator
from stack import Stack
from story import Story, stories

DEFAULTS = {
    "TrustedAccounts": "", "MemberRoleName": "", "InspectObjects": "false", "InspectableObjectArns": "",
    "SampleObjects": "0", "UnconstrainedGrants": "false",
}
STORIES = sorted(stories(), key=lambda story: json.dumps(story.settings, sort_keys=True))


def parameters(story: Story) -> dict[str, str]:
    """A story's settings as those of the stack."""
    settings = story.settings
    chosen = dict(DEFAULTS)
    if trusted := settings.get("trustedAccounts"):
        chosen["TrustedAccounts"] = ",".join(trusted)
    if settings.get("memberRole"):
        chosen["MemberRoleName"] = MEMBER_ROLE
    if settings.get("inspectObjects"):
        chosen |= {"InspectObjects": "true", "InspectableObjectArns": "arn:aws:s3:::*/*"}
        chosen["SampleObjects"] = str(settings.get("sampleObjects", 0))
    if settings.get("unconstrainedGrants"):
        chosen["UnconstrainedGrants"] = "true"
    return chosen


class Deployment:
    """One stack for all stories, deployed again where the next one has other settings."""

    def __init__(self, emulator: Emulator) -> None:
        self._parameters = DEFAULTS
        self.stack = Stack(emulator, Path(os.environ["BOOTSTRAP"]), **DEFAULTS)
        self.accounts = Accounts(emulator, self.stack.outputs["FunctionRoleArn"])
        self._members: set[str] = set()

    def tell(self, story: Story) -> list[str]:
        """In what the function deviates from what is expected."""
        wanted = parameters(story)
        if wanted != self._parameters:
            self.stack.redeploy(**wanted)
            self._parameters = wanted
        for member in set(story.account.get("memberRoles", [])) - self._members:
            self.accounts.make_member_role(member)
            self._members.add(member)
        with self.accounts.of(story) as names:
            answer = self.stack.invoke(names(story.event))
            report, = answer.get("reports", [answer])
            return deviations(report, names(story.expected))


def deviations(report: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    wrong = []
    if report["verdict"] != expected["verdict"]:
        wrong.append(f"verdict {report['verdict']}, expected {expected['verdict']}")
    missing = list(expected.get("findings", []))
    for finding in report["findings"]:
        found = next((one for one in missing if is_finding(one, finding)), None)
        if found:
            missing.remove(found)
        else:
            wrong.append(f"unexpected: {described(finding)}")
    wrong += [f"missing: {one}" for one in missing]
    unread = {one["operation"] for one in report["unread"]}
    if unread != set(expected.get("unread", [])):
        wrong.append(f"unread {sorted(unread)}: {report['unread']}, expected {expected.get('unread', [])}")
    return wrong


def is_finding(expected: dict[str, Any], finding: dict[str, Any]) -> bool:
    """Whether a finding is the expected one; what is left out there goes without saying."""
    return (
        finding["check"] == expected["check"]
        and finding["severity"] == expected["severity"]
        and finding["remedy"]["kind"] == expected["remedy"]
        and expected.get("subject", finding["subject"]) == finding["subject"]
        and set(expected.get("ruleIds", finding["ruleIds"])) == set(finding["ruleIds"])
        and finding["rootCause"] == expected.get("rootCause", True)
    )


def described(finding: dict[str, Any]) -> str:
    said = ("check", "severity", "subject", "ruleIds", "rootCause", "summary")
    return json.dumps({name: finding[name] for name in said} | {"remedy": finding["remedy"]["kind"]})


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with Emulator() as emulator:
        yield Deployment(emulator)


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_the_deployed_function_tells_the_story(deployment: Deployment, story: Story) -> None:
    assert deployment.tell(story) == []
