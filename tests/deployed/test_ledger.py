"""What is told when, by the deployed function and its table."""

from __future__ import annotations

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from conftest import Deploy
from emulator import Emulator
from seed import Seeded, seed
from stack import REGION, Stack
from test_replication import OBJECT_FAILED, REPLICATION_CONFIGURED


def news(stack: Stack) -> str:
    """The one notification that comes: in which way it is news."""
    (notification,) = stack.notifications(1)
    return str(notification["MessageAttributes"]["news"]["Value"])


def configured(stack: Stack, seeded: Seeded) -> None:
    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    stack.await_empty_queue()


def put_role_policy(emulator: Emulator, seeded: Seeded, document: Any) -> None:
    emulator.client("iam", REGION).put_role_policy(
        RoleName=seeded.role_name, PolicyName="replication", PolicyDocument=json.dumps(document)
    )


def role_policy(emulator: Emulator, seeded: Seeded) -> Any:
    iam = emulator.client("iam", REGION)
    return iam.get_role_policy(RoleName=seeded.role_name, PolicyName="replication")["PolicyDocument"]


def record(emulator: Emulator, stack: Stack, bucket: str) -> dict[str, Any]:
    """What the table remembers of a bucket's news."""
    answer = emulator.client("dynamodb", REGION).get_item(
        TableName=stack.outputs["LedgerTableName"],
        Key={"partition": {"S": f"bucket#{bucket}"}, "sort": {"S": "news"}},
    )
    value: dict[str, Any] = json.loads(answer["Item"]["value"]["S"])
    return value


def test_trouble_is_told_when_it_comes_changes_goes_and_returns_and_not_in_between(
    emulator: Emulator, deploy: Deploy
) -> None:
    seeded = seed(emulator, "healthy")
    stack = deploy()
    well = role_policy(emulator, seeded)
    ill = {**well, "Statement": well["Statement"][:-1]}

    configured(stack, seeded)
    assert stack.silence() == [], "good news is no news"
    put_role_policy(emulator, seeded, ill)
    configured(stack, seeded)
    assert news(stack) == "new"
    for _ in range(2):
        configured(stack, seeded)
    assert stack.silence() == []
    assert record(emulator, stack, seeded.bucket)["suppressed"] == 2

    emulator.client("kms", seeded.destination_region).disable_key(KeyId=seeded.replica_key)
    configured(stack, seeded)
    (changed,) = stack.notifications(1)
    assert changed["MessageAttributes"]["news"]["Value"] == "changed"
    assert "seen again 2 times since the message of " in changed["Message"]

    emulator.client("kms", seeded.destination_region).enable_key(KeyId=seeded.replica_key)
    put_role_policy(emulator, seeded, well)
    configured(stack, seeded)
    assert news(stack) == "resolved"
    put_role_policy(emulator, seeded, ill)
    configured(stack, seeded)
    assert news(stack) == "reopened"
    assert stack.silence() == []


def test_two_invocations_that_see_the_same_at_once_tell_it_once(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy()
    event = json.loads(seeded.recorded(REPLICATION_CONFIGURED))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: stack.invoke(event), range(4)))
    assert all(answer["reports"] for answer in answers)
    stack.notifications(1)
    assert stack.silence() == []
    assert record(emulator, stack, seeded.bucket)["suppressed"] == 3


def test_without_its_table_the_function_tells_all_the_same(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy()
    emulator.client("dynamodb", REGION).delete_table(TableName=stack.outputs["LedgerTableName"])
    configured(stack, seeded)
    assert news(stack) == "new"
    configured(stack, seeded)
    assert stack.silence() == [], "the process remembers"
    assert "the ledger does not answer" in stack.log()


def test_what_a_person_asked_for_does_not_count_as_told(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy()
    stack.invoke({"command": "check", "bucket": seeded.bucket})
    assert stack.silence(1) == []
    configured(stack, seeded)
    assert news(stack) == "new"


def test_a_new_process_knows_what_an_earlier_one_told(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy()
    configured(stack, seeded)
    stack.notifications(1)
    stack.redeploy(LogRetentionInDays="30", OptOutTag="other=tag")
    configured(stack, seeded)
    stack.send(seeded.recorded(OBJECT_FAILED))
    assert news(stack) == "changed"
    assert stack.silence() == []


def buckets_like(emulator: Emulator, seeded: Seeded, count: int) -> list[str]:
    """Buckets with the same broken rule."""
    s3 = emulator.client("s3", seeded.region)
    replication = s3.get_bucket_replication(Bucket=seeded.bucket)["ReplicationConfiguration"]
    names = [f"amzn-s3-demo-storm-{number}" for number in range(count)]
    for name in names:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": seeded.region})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=replication)
    return names


def calls(stack: Stack) -> int:
    """How many AWS calls the function says that it made."""
    return sum(map(int, re.findall(r'answered calls=(\d+)', stack.log())))


def test_a_storm_of_failures_is_one_notification_for_each_bucket_and_few_calls(
    emulator: Emulator, deploy: Deploy
) -> None:
    """The template asks for fifty messages at a time; the emulator hands out ten at most, whatever it is asked for, and
    knows no window. `tests/core/over_time/storm.rs` has the same storm as the template asks for it."""
    failures = int(os.environ.get("STORM", "400"))
    seeded = seed(emulator, "many-reasons")
    buckets = buckets_like(emulator, seeded, 20)
    stack = deploy()
    event = seeded.recorded(OBJECT_FAILED)
    key = json.loads(event)["Records"][0]["s3"]["object"]["key"]
    began = time.monotonic()
    stack.send(*[
        event.replace(seeded.bucket, buckets[number % len(buckets)]).replace(key, f"{key}-{number}")
        for number in range(failures)
    ])
    stack.await_empty_queue(600)
    seconds = time.monotonic() - began
    notifications = stack.notifications(len(buckets)) + stack.silence()
    told = sorted(one["MessageAttributes"]["bucket"]["Value"] for one in notifications)
    assert told == sorted(buckets)

    records = [record(emulator, stack, bucket) for bucket in buckets]
    seen = sum(one["failedObjects"] for one in records)
    first = sum(int(number) for one in notifications for number in
                re.findall(r"S3 gave up on (\d+) object version", one["Message"])[:1])
    assert seen + first == failures, "each is counted"
    # A look or two at each bucket, whose invocations may overlap; for the rest a question to the table and its answer.
    made = calls(stack)
    batches = sum(one["suppressed"] for one in records) + len(buckets)
    print(f"{failures} failures, {batches} times a bucket in a batch, {made} calls, {seconds:.0f} s")
    assert made <= 2 * len(buckets) * 25 + 4 * batches
