"""Whether `tests/attacks/write-actions.txt` leaves no way to write out.

It holds every action of IAM, KMS and S3 that the Service Authorization Reference does not call a read or a list
(<https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>),
and every operation of AWS's own models that does more than read, by its own name: where its action is called otherwise,
one line too many does no harm. `tests/attacks/template.rs` asks the evaluator about each.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import botocore.session
import pytest

KEPT = Path(__file__).parents[1] / "attacks" / "write-actions.txt"
READS = re.compile(r"Get|List|Head|Describe|Simulate|Select|Generate(Credential|OrganizationsAccess)Report|GenerateServiceLast")
# Grant-making and use of keys are no reads, whatever their verbs.
NAMED_OTHERWISE = {
    "iam:PassRole", "kms:ReEncryptFrom", "kms:ReEncryptTo", "s3:BypassGovernanceRetention",
    "s3:ObjectOwnerOverrideToBucketOwner", "s3:PutEncryptionConfiguration", "s3:PutReplicationConfiguration",
    "s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags",
}


@pytest.mark.parametrize(("service", "prefix"), [("iam", "iam"), ("kms", "kms"), ("s3", "s3"), ("s3control", "s3")])
def test_every_operation_that_writes_is_tried(service: str, prefix: str) -> None:
    operations = botocore.session.get_session().get_service_model(service).operation_names
    writes = {f"{prefix}:{operation}" for operation in operations if not READS.match(operation)}
    tried = set(KEPT.read_text().split())
    if os.environ.get("UPDATE") and not writes <= tried:
        KEPT.write_text("\n".join(sorted(tried | writes)) + "\n")
        tried |= writes
    assert writes <= tried


def test_actions_that_no_operation_is_called_by_are_tried_too() -> None:
    assert NAMED_OTHERWISE <= set(KEPT.read_text().split())
