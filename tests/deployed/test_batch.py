"""Several buckets in one batch, as the deployed program reads them: what they have in common is read once."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from emulator import Emulator
from proxy import Proxy, counts
from runtime_api import REGION, Function
from seed import Seeded, seed
from stack import make_bucket

TOPIC = "reports"
PUT_EVENT = "cloudtrail/put-kms-rule.json"
BUCKETS = 5
# What is read of each bucket for itself.
OWN = {
    "s3:GetBucketEncryption", "s3:GetBucketNotificationConfiguration", "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy", "s3:GetBucketReplication", "s3:GetBucketTagging", "s3:GetBucketVersioning",
    "s3:GetObjectLockConfiguration", "s3:HeadBucket",
}


def copies(emulator: Emulator, seeded: Seeded) -> list[str]:
    """Buckets that replicate as the seeded one does: the same role, key and destination."""
    s3 = emulator.client("s3", seeded.region)
    configuration = s3.get_bucket_replication(Bucket=seeded.bucket)["ReplicationConfiguration"]
    names = [f"{seeded.bucket}-{number}" for number in range(BUCKETS)]
    for name in names:
        make_bucket(s3, name, seeded.region)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=configuration)
    return names


def batch(seeded: Seeded, buckets: list[str]) -> dict[str, Any]:
    return {"Records": [{
        "messageId": bucket, "receiptHandle": "r", "eventSource": "aws:sqs", "awsRegion": REGION,
        "eventSourceARN": f"arn:aws:sqs:{REGION}:111122223333:s3-replication-remediator",
        "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {},
        "body": seeded.recorded(PUT_EVENT).replace(seeded.bucket, bucket),
    } for bucket in buckets]}


def test_buckets_of_one_batch_read_once_what_they_have_in_common(emulator: Emulator) -> None:
    seeded = seed(emulator, "many-reasons")
    buckets = copies(emulator, seeded)
    emulator.client("sns", REGION).create_topic(Name=TOPIC)

    with Proxy(emulator.endpoint) as proxy, tempfile.TemporaryFile() as log, Function([Path(os.environ["BOOTSTRAP"])], {
        "AWS_ENDPOINT_URL": proxy.endpoint, "MODE": "dry-run", "ALLOWED_ROLE_ARNS": "", "ALLOWED_KEY_ARNS": "",
        "NOTIFICATION_TOPIC_ARN": f"arn:aws:sns:{REGION}:111122223333:{TOPIC}",
    }, log) as function:
        def reads(asked: list[str]) -> dict[str, int]:
            proxy.take_calls()
            answer = function.invoke(batch(seeded, asked))
            assert answer.body == {"batchItemFailures": []}
            made = counts(proxy.take_calls())
            return {name: count for name, count in made.items() if name.split(":")[0] in ("s3", "iam", "kms")}

        one = reads(buckets[:1])
        assert reads(buckets) == {
            name: count + (BUCKETS - 1 if name in OWN else 0) for name, count in one.items()
        }
