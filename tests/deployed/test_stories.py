"""The stories of `tests/scenarios`, told by the deployed function about an emulated account that it reads itself."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from account import EXTERNAL_ID, MEMBER_ROLE, Accounts, Unheld
from emulator import Emulator
from stack import REGION, Stack
from story import Story, stories

DEFAULTS = {
    "TrustedAccounts": "", "MemberRoleName": "", "MemberRoleExternalId": "",
    "InspectObjects": "false", "InspectableObjectArns": "",
    "SampleObjects": "0", "UnconstrainedGrants": "false",
    # One story is about a put that S3 refused; to the others it makes no difference.
    "ReportRefusedPuts": "true",
}
# Stories that cannot be told here, by the reason. One that could be fails.
NOT_HELD = {
    "the policy denies the function too, and would on AWS": [
        "destination-policy-denies-and-role-lacks-it-too",
        "destination-policy-denies-roles-without-a-tag",
        "destination-policy-denies-sessions-without-a-second-factor",
        "destination-policy-denies-the-role",
        "destination-policy-takes-some-programs-only",
        "key-policy-denies-other-addresses",
        "key-policy-denies-roles-without-a-tag",
    ],
    "the emulator speaks plain HTTP, which the policy denies": [
        "healthy/bucket-policies-deny-insecure-transport",
        "healthy/destination-denies-uploads-without-its-key",
    ],
    "the emulator does not know the condition key, and so denies the function": [
        "destination-policy-asks-for-a-kind-of-signature",
        "healthy/bucket-policy-demands-a-tls-that-s3-always-uses",
        "healthy/bucket-policy-denies-all-but-listed-roles",
        "key-policy-asks-for-an-organisation",
    ],
    "the emulator does not compare the expected owner of a bucket that another account shares": [
        "healthy/another-account-that-names-the-whole-source-account",
    ],
    "the emulator answers GetBucketRequestPayment with a listing": ["destination-requester-pays"],
    "the emulator has no keys that are managed by AWS": [
        "healthy/objects-seen-under-the-aws-managed-key",
        "replica-key-managed-by-aws",
        "replica-key-managed-by-aws-across-accounts",
        "replica-key-managed-by-aws-for-another-account",
    ],
    "nobody but AWS writes a policy that AWS manages": [
        "boundary-that-aws-manages-without-kms",
        "role-carries-a-denial-that-aws-manages",
    ],
    "only the function's own role is made to be refused": [
        "member-role-may-not-read-the-key-policy-and-role-lacks-the-key",
        "member-role-may-not-read-the-versioning",
    ],
    "every Region of the emulator is enabled": ["replica-key-in-a-region-that-may-not-be-enabled"],
    "the emulator has no key stores": [
        "replica-key-cut-off-from-its-key-store",
        "replica-key-in-an-external-key-store",
    ],
    "no request writes what S3 says of an object's replication": [
        "healthy/object-replicated-long-ago-under-a-key-that-is-disabled",
        "healthy/object-replicated-long-ago-under-a-key-that-is-gone",
        "healthy/replica-of-another-bucket-under-another-key",
        "healthy/replica-under-a-kms-key-that-no-rule-takes",
    ],
    "the emulator has Block Public Access on, as new buckets have": [
        "healthy/another-accounts-bucket-that-is-also-open-to-everyone",
    ],
    "no request brings a key into this state": [
        "replica-key-in-a-state-nobody-knows",
        "replica-key-still-being-made",
    ],
    "the emulator refuses the rule, as it says S3 does": [
        "both-buckets-unversioned-and-trust-wrong",
        "copied-from-the-first-years-of-replication",
        "first-generation-rule-without-the-right-to-delete",
        "healthy/first-generation-rule",
        "replica-key-named-by-a-bare-id",
        "replica-key-not-named",
    ],
}
REASONS = {name: reason for reason, names in NOT_HELD.items() for name in names}
# By settings, since each change of them is a deployment.
STORIES = sorted(stories(), key=lambda story: json.dumps(story.settings, sort_keys=True))


def parameters(story: Story) -> dict[str, str]:
    """A story's settings as those of the stack."""
    settings = story.settings
    chosen = dict(DEFAULTS)
    if trusted := settings.get("trustedAccounts"):
        chosen["TrustedAccounts"] = ",".join(trusted)
    if settings.get("memberRole"):
        chosen |= {"MemberRoleName": MEMBER_ROLE, "MemberRoleExternalId": EXTERNAL_ID}
    if settings.get("inspectObjects"):
        chosen |= {"InspectObjects": "true", "InspectableObjectArns": "arn:aws:s3:::*/*"}
        chosen["SampleObjects"] = str(settings.get("sampleObjects", 0))
    if settings.get("unconstrainedGrants"):
        chosen["UnconstrainedGrants"] = "true"
    return chosen


class Deployment:
    """One stack for all stories, deployed again where the next one has other settings."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self._parameters = DEFAULTS
        self.stack = Stack(emulator, Path(os.environ["BOOTSTRAP"]), **DEFAULTS)
        self.accounts = Accounts(emulator, self.stack.outputs["FunctionRoleArn"])
        self._members: set[str] = set()

    def forget(self) -> None:
        """What is remembered of the bucket of one story is nothing that another knows."""
        ledger = self.emulator.client("dynamodb", REGION)
        table = self.stack.outputs["LedgerTableName"]
        for item in ledger.scan(TableName=table)["Items"]:
            ledger.delete_item(TableName=table, Key={name: item[name] for name in ("partition", "sort")})

    def tell(self, story: Story) -> list[str]:
        """In what the function deviates from what is expected."""
        wanted = parameters(story)
        if wanted != self._parameters:
            self.stack.redeploy(**wanted)
            self._parameters = wanted
        for member in set(story.account.get("memberRoles", [])) - self._members:
            self.accounts.make_member_role(member)
            self._members.add(member)
        self.forget()
        with self.accounts.of(story) as names:
            answer = self.stack.invoke(names(story.event))
            (report,) = answer.get("reports", [answer])
            return deviations(report, names(story.expected))


def deviations(report: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Compared as the in-memory tests compare: nothing may be told beyond what is expected."""
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


def test_every_story_that_is_not_held_exists() -> None:
    assert REASONS.keys() <= {story.name for story in STORIES}


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_the_deployed_function_tells_the_story(deployment: Deployment, story: Story) -> None:
    try:
        wrong = deployment.tell(story)
    except (ClientError, Unheld) as refusal:
        wrong = [str(refusal)]
    if story.name in REASONS:
        assert wrong, "it can be told by now: take it from the table"
        pytest.skip(REASONS[story.name])
    assert not wrong, "\n".join(wrong)
