"""The whole account through the deployed stack: schedule or command, queue, checks, summary."""

from __future__ import annotations

import json
import os
import time

from conftest import Deploy
from emulator import ACCOUNT, Emulator
from seed import EVENTS, seed
from stack import REGION

# With `SWEEP_BUCKETS=3000` it also says how long that takes.
BUCKETS = int(os.environ.get("SWEEP_BUCKETS", "40"))


def make_plain_buckets(emulator: Emulator, count: int) -> None:
    s3 = emulator.client("s3", REGION)
    for number in range(count):
        s3.create_bucket(
            Bucket=f"plain-{number:05}", CreateBucketConfiguration={"LocationConstraint": REGION}
        )


def test_a_sweep_tells_each_broken_bucket_and_sums_up(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy()
    stack.send((EVENTS / "schedule" / "rule.json").read_text())
    told = stack.notifications(2, seconds=90)
    texts = {notification["Subject"]: notification["Message"] for notification in told}
    (summary,) = [text for subject, text in texts.items() if "sweep" in subject]
    assert f"Sweep of account {ACCOUNT}" in summary
    # The source, the destination, and where the function's code lies.
    assert "3  buckets in the account" in summary
    assert "1  have a replication configuration" in summary
    (report,) = [text for subject, text in texts.items() if "sweep" not in subject]
    assert report.startswith(f"BROKEN: {seeded.bucket}")
    assert "why now: regular check" in report
    stack.await_empty_queue(seconds=60)


def test_whoever_asks_for_a_sweep_gets_counts_however_many_buckets_there_are(
    emulator: Emulator, deploy: Deploy
) -> None:
    make_plain_buckets(emulator, BUCKETS)
    seeded = seed(emulator, "healthy")
    stack = deploy()
    began = time.monotonic()
    answer = stack.invoke({"command": "sweep"})
    assert answer["buckets"] == BUCKETS + 3 or not answer["isListed"]
    (notification,) = stack.notifications(1, seconds=60 + BUCKETS / 10)
    print(f"{BUCKETS} buckets in {time.monotonic() - began:.0f} s")
    assert notification["Subject"] == "[dry-run] S3 replication sweep: 1 healthy"
    stack.await_empty_queue(seconds=60)
    assert f"bucket={seeded.bucket} verdict=" in stack.log().replace('"', "")
    assert not stack.silence()


def test_a_sweep_that_somebody_forged_is_given_up_and_costs_no_other(emulator: Emulator, deploy: Deploy) -> None:
    seed(emulator, "healthy")
    stack = deploy()
    stack.hurry()
    stack.send(json.dumps({"command": "sweep", "progress": {"id": "../../x"}}), json.dumps({"command": "sweep"}))
    (summary,) = stack.notifications(1, seconds=60)
    assert "sweep" in summary["Subject"]
    (dead,) = stack.await_dead_letters(1)
    assert "../../x" in dead
