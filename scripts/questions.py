"""Questions that AWS's documents leave open, and that a real account answers: what `make live` asks beside its story.

Each answer becomes a JSON file in the form of those in `events/`, with what names the account replaced by the examples
that AWS reserves for that.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from seed import TRUSTED_BY_S3, Seeded

EXAMPLE_ACCOUNT = "111122223333"
EXAMPLE_PERSON = {
    "type": "AssumedRole", "principalId": "AROAEXAMPLEROLEID1234:someone",
    "arn": f"arn:aws:sts::{EXAMPLE_ACCOUNT}:assumed-role/deploy/someone", "accountId": EXAMPLE_ACCOUNT,
    "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
}
# IAM takes up to some minutes until a change holds everywhere; what is asked before would be an answer about the past.
SETTLE_SECONDS = 60


@dataclass
class Scene:
    """A replication that works, and how to wait for what becomes of an object."""

    client: Callable[[str, str], Any]
    seeded: Seeded
    account: str
    # Where S3 tells of failures.
    failures: str
    patience: float
    folder: Path
    answers: dict[str, str] = field(default_factory=dict)

    def source(self, service: str) -> Any:
        return self.client(service, self.seeded.region)

    def destination(self, service: str) -> Any:
        return self.client(service, self.seeded.destination_region)

    def configuration(self) -> dict[str, Any]:
        answer = self.source("s3").get_bucket_replication(Bucket=self.seeded.bucket)
        configuration: dict[str, Any] = answer["ReplicationConfiguration"]
        return configuration

    def put_rule(self, configuration: dict[str, Any]) -> str:
        """S3's answer to a configuration: `200`, or its error."""
        try:
            answer = self.source("s3").put_bucket_replication(
                Bucket=self.seeded.bucket, ReplicationConfiguration=configuration
            )
        except ClientError as error:
            return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
        return str(answer["ResponseMetadata"]["HTTPStatusCode"])

    def settle(self) -> None:
        time.sleep(min(SETTLE_SECONDS, self.patience))

    def put_object(self, key: str) -> str:
        """Put an object, and return its version."""
        return str(self.source("s3").put_object(Bucket=self.seeded.bucket, Key=key, Body=b"live")["VersionId"])

    def status_of(self, key: str, version: str) -> str:
        """Wait until S3 has made up its mind about an object: the status that it then has."""
        s3 = self.source("s3")
        until = time.monotonic() + self.patience
        while True:
            head = s3.head_object(Bucket=self.seeded.bucket, Key=key, VersionId=version)
            status = str(head.get("ReplicationStatus", "none"))
            if status in ("COMPLETED", "FAILED") or time.monotonic() > until:
                return status
            time.sleep(min(5, self.patience))

    def outcome_of(self, key: str, version: str) -> str:
        """The status that an object comes to, and what S3 tells of it where it failed."""
        status = self.status_of(key, version)
        return f"FAILED, told as {self.failure_of(key)}" if status == "FAILED" else status

    def failure_of(self, key: str) -> str:
        """The reason that S3 tells for an object, whose event is kept; `none` if it tells none in time."""
        sqs = self.source("sqs")
        until = time.monotonic() + self.patience
        while True:
            answer = sqs.receive_message(QueueUrl=self.failures, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                sqs.delete_message(QueueUrl=self.failures, ReceiptHandle=message["ReceiptHandle"])
                event = json.loads(message["Body"])
                for record in event.get("Records", []):
                    if record["s3"]["object"]["key"] == key:
                        self.keep(f"s3-notification/live-{key}.json", event)
                        return str(record.get("replicationEventData", {}).get("failureReason", "not given"))
            if time.monotonic() > until:
                return "none"

    def keep(self, name: str, event: Any) -> None:
        """Write an event down as an example."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.anonymous(event), indent=2) + "\n")

    def anonymous(self, value: Any) -> Any:
        """The same with examples for whatever names the account, its things and whoever acts in it."""
        if isinstance(value, dict):
            named = {key: self.anonymous(item) for key, item in value.items()}
            if "userIdentity" in named and "eventSource" in named and named["eventSource"] != "aws:s3":
                kind = named["userIdentity"].get("type")
                named["userIdentity"] = EXAMPLE_PERSON if kind != "AWSService" else named["userIdentity"]
            return named
        if isinstance(value, list):
            return [self.anonymous(item) for item in value]
        if not isinstance(value, str):
            return value
        seeded = self.seeded
        for own, example in {
            seeded.source_key.rsplit("/", 1)[1]: "1234abcd-12ab-34cd-56ef-1234567890ab",
            seeded.replica_key.rsplit("/", 1)[1]: "5678efab-56ef-78ab-90cd-567890abcdef",
            seeded.bucket: "amzn-s3-demo-source-bucket", seeded.destination: "amzn-s3-demo-destination-bucket",
            self.account: EXAMPLE_ACCOUNT,
        }.items():
            value = value.replace(own, example)
        value = re.sub(r"\bA(KIA|SIA)[A-Z0-9]{12,}", "ASIAIOSFODNN7EXAMPLE", value)
        value = re.sub(r"\bA(ROA|IDA)[A-Z0-9]{12,}", "AROAEXAMPLEROLEID1234", value)
        return re.sub(r"\b(?:\d{1,3}\.){3}\d{1,3}\b", "203.0.113.24", value)


Question = Callable[[Scene], str]


def asked_with(change: Callable[[Scene], Callable[[], object]], key: str) -> Question:
    """What becomes of an object while something is changed, which is taken back afterwards."""
    def ask(scene: Scene) -> str:
        undo = change(scene)
        try:
            scene.settle()
            return scene.outcome_of(key, scene.put_object(key))
        finally:
            undo()
            scene.settle()

    return ask


def without(*actions: str) -> Callable[[Scene], Callable[[], object]]:
    """Deny actions to the replication role."""
    def change(scene: Scene) -> Callable[[], object]:
        iam = scene.client("iam", "us-east-1")
        policy = {"RoleName": scene.seeded.role_name, "PolicyName": "live-denial"}
        denial = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
        iam.put_role_policy(**policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [denial]}))
        return lambda: iam.delete_role_policy(**policy)

    return change


def source_key_disabled_after_the_upload(scene: Scene) -> str:
    """Before it, there would be no object. S3 may be the faster one."""
    kms, key = scene.source("kms"), "disabled-source-key"
    version = scene.put_object(key)
    kms.disable_key(KeyId=scene.seeded.source_key)
    try:
        return scene.outcome_of(key, version)
    finally:
        kms.enable_key(KeyId=scene.seeded.source_key)
        scene.settle()


def disabled_replica_key(scene: Scene) -> Callable[[], object]:
    kms = scene.destination("kms")
    kms.disable_key(KeyId=scene.seeded.replica_key)
    return lambda: kms.enable_key(KeyId=scene.seeded.replica_key)


def replica_key_about_to_be_deleted(scene: Scene) -> Callable[[], object]:
    kms, key = scene.destination("kms"), scene.seeded.replica_key
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)

    def undo() -> None:
        kms.cancel_key_deletion(KeyId=key)
        kms.enable_key(KeyId=key)

    return undo


def replica_key_that_is(arn: Callable[[Scene], str]) -> Callable[[Scene], Callable[[], object]]:
    def change(scene: Scene) -> Callable[[], object]:
        before = scene.configuration()
        changed = json.loads(json.dumps(before))
        changed["Rules"][0]["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"] = arn(scene)
        scene.answers[f"put with replica key {scene.anonymous(arn(scene))}"] = scene.put_rule(changed)
        return lambda: scene.put_rule(before)

    return change


def trust_with_the_source_account(scene: Scene) -> Callable[[], object]:
    iam, name = scene.client("iam", "us-east-1"), scene.seeded.role_name
    trust = json.loads(json.dumps(TRUSTED_BY_S3))
    trust["Statement"][0]["Condition"] = {"StringEquals": {"aws:SourceAccount": scene.account}}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    return lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(TRUSTED_BY_S3))


def dry_run_of_a_grant(scene: Scene) -> str:
    try:
        scene.destination("kms").create_grant(
            KeyId=scene.seeded.replica_key, GranteePrincipal=scene.seeded.role, Operations=["Encrypt"], DryRun=True,
        )
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "no error"


def two_grants_of_one_name(scene: Scene) -> str:
    kms, key = scene.destination("kms"), scene.seeded.replica_key
    wanted = {
        "KeyId": key, "GranteePrincipal": scene.seeded.role, "Operations": ["Encrypt"], "Name": "live",
        "Constraints": {"EncryptionContextEquals": {"aws:s3:arn": f"arn:aws:s3:::{scene.seeded.destination}"}},
    }
    first, second = (kms.create_grant(**wanted)["GrantId"] for _ in range(2))
    for grant in {first, second}:
        kms.revoke_grant(KeyId=key, GrantId=grant)
    return "one grant" if first == second else "two grants"


def deletion_of_a_configuration(scene: Scene) -> str:
    s3, before = scene.source("s3"), scene.configuration()
    s3.delete_bucket_replication(Bucket=scene.seeded.bucket)
    again = s3.delete_bucket_replication(Bucket=scene.seeded.bucket)["ResponseMetadata"]["HTTPStatusCode"]
    scene.put_rule(before)
    return f"HTTP {again} where there is none; recorded as {recorded(scene, 'DeleteBucketReplication', scene.seeded.bucket)}"


def contexts_in_cloudtrail(scene: Scene) -> str:
    """With which encryption contexts the replication role used the keys, as CloudTrail has it."""
    seen: set[str] = set()
    for client, key in (
        (scene.source("cloudtrail"), scene.seeded.source_key), (scene.destination("cloudtrail"), scene.seeded.replica_key),
    ):
        for event in looked_up(client, key):
            parameters = event.get("requestParameters") or {}
            if context := parameters.get("encryptionContext"):
                seen.add(f"{event['eventName']} {json.dumps(scene.anonymous(context))}")
                scene.keep(f"cloudtrail/live-{event['eventName']}.json", event)
    return "; ".join(sorted(seen)) or "none yet: CloudTrail takes up to 15 minutes"


def recorded(scene: Scene, name: str, resource: str) -> str:
    """Whether CloudTrail has a call on a resource in time, which is kept."""
    until = time.monotonic() + scene.patience
    while True:
        for event in looked_up(scene.source("cloudtrail"), resource):
            if event["eventName"] == name:
                scene.keep(f"cloudtrail/live-{name}.json", {
                    "version": "0", "id": event["eventID"], "detail-type": "AWS API Call via CloudTrail",
                    "source": "aws.s3", "account": event["recipientAccountId"], "time": event["eventTime"],
                    "region": event["awsRegion"], "resources": [], "detail": event,
                })
                return "kept"
        if time.monotonic() > until:
            return "nothing in time"
        time.sleep(min(15, scene.patience))


def looked_up(cloudtrail: Any, resource: str) -> list[dict[str, Any]]:
    answer = cloudtrail.lookup_events(
        LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": resource}],
        StartTime=datetime.now(timezone.utc) - timedelta(hours=3),
    )
    return [json.loads(event["CloudTrailEvent"]) for event in answer["Events"]]


def in_the_source_region(scene: Scene) -> str:
    return scene.seeded.source_key


def that_never_was(scene: Scene) -> str:
    return re.sub(r"key/.*", "key/00000000-0000-4000-8000-000000000000", scene.seeded.replica_key)


# In this order: the last ones look at what the others have left in CloudTrail.
QUESTIONS: dict[str, Question] = {
    "a replica key of the source's Region": asked_with(replica_key_that_is(in_the_source_region), "wrong-region-key"),
    "a replica key that never was": asked_with(replica_key_that_is(that_never_was), "absent-replica-key"),
    "a replica key that is disabled": asked_with(disabled_replica_key, "disabled-replica-key"),
    "a replica key about to be deleted": asked_with(replica_key_about_to_be_deleted, "dying-replica-key"),
    "a source key that is disabled right after the upload": source_key_disabled_after_the_upload,
    "a role without kms:Decrypt": asked_with(without("kms:Decrypt"), "no-decrypt"),
    "a role without kms:Encrypt": asked_with(without("kms:Encrypt"), "no-encrypt"),
    "a role without kms:GenerateDataKey": asked_with(without("kms:GenerateDataKey"), "no-generate-data-key"),
    "a trust policy with aws:SourceAccount": asked_with(trust_with_the_source_account, "trust-source-account"),
    "CreateGrant with DryRun": dry_run_of_a_grant,
    "two grants of one name": two_grants_of_one_name,
    "DeleteBucketReplication": deletion_of_a_configuration,
    "encryption contexts": contexts_in_cloudtrail,
}
