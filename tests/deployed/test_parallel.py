"""The deployed function invoked many times at once: it ends as one invocation would."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from conftest import Deploy
from emulator import Emulator
from seed import Seeded, seed
from stack import REGION, Stack
from test_replication import REPLICATION_CONFIGURED, inline_policies

AT_ONCE = 8


def outcomes(stack: Stack, events: list[dict[str, Any]]) -> list[str | None]:
    with ThreadPoolExecutor(len(events)) as pool:
        answers = list(pool.map(stack.invoke, events))
    found = [report["outcome"] for answer in answers for report in answer["reports"]]
    return [outcome and outcome["status"] for outcome in found]


def event(seeded: Seeded, bucket: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(seeded.recorded(REPLICATION_CONFIGURED).replace(seeded.bucket, bucket))
    return found


def twin(emulator: Emulator, seeded: Seeded, name: str) -> None:
    """A second bucket that replicates by the same role."""
    s3 = emulator.client("s3", seeded.region)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": seeded.region})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration=s3.get_bucket_encryption(Bucket=seeded.bucket)[
            "ServerSideEncryptionConfiguration"
        ],
    )
    rules = s3.get_bucket_replication(Bucket=seeded.bucket)["ReplicationConfiguration"]
    s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=rules)


def test_invocations_at_once_end_as_one_would(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    before = inline_policies(emulator, seeded.role_name)
    stack = deploy(Mode="auto")
    done = outcomes(stack, [event(seeded, seeded.bucket)] * AT_ONCE)
    assert "applied" in done and set(done) <= {"applied", "already-in-place", None}, done
    after = inline_policies(emulator, seeded.role_name)
    assert len(after) == len(before) + 1
    # Whoever comes later finds nothing to do.
    assert outcomes(stack, [event(seeded, seeded.bucket)]) == [None]
    assert inline_policies(emulator, seeded.role_name) == after


def test_two_buckets_that_share_a_role_are_repaired_at_once_and_each_has_its_own_policy(
    emulator: Emulator, deploy: Deploy
) -> None:
    seeded = seed(emulator, "many-reasons")
    before = inline_policies(emulator, seeded.role_name)
    name = "amzn-s3-demo-twin-bucket"
    twin(emulator, seeded, name)
    stack = deploy(Mode="auto")
    done = outcomes(stack, [event(seeded, seeded.bucket), event(seeded, name)] * (AT_ONCE // 2))
    assert done.count("applied") >= 2 and set(done) <= {"applied", "already-in-place", None}, done
    added = set(inline_policies(emulator, seeded.role_name)) - set(before)
    assert added == {f"s3-replication-remediator-{bucket}" for bucket in (seeded.bucket, name)}
