"""A story's account, made in the emulator and removed again, so that one stack serves all stories."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime, timezone
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from emulator import ACCOUNT, Emulator
from seed import TRUSTED_BY_S3
from stack import REGION, deploy_member_role
from story import Story

# Where buckets announce something: failures, and what concerns somebody else.
QUEUES = ("s3-replication-remediator", "search-index")
MEMBER_ROLE = "remediator-member"
EXTERNAL_ID = "stories/1"
OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/remediator"
READS_OF_KEYS = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants", "kms:ListResourceTags"]
# Where an operation's permission has another name.
PERMISSIONS = {
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
}
# When the stories happen.
NOW = datetime(2026, 9, 14, 9, tzinfo=timezone.utc)
# What of an account is made here. The rest would be left out silently.
MADE = {
    "account": {"buckets", "roles", "policies", "keys", "aliases", "memberRoles", "failing"},
    "bucket": {
        "owner", "region", "versioning", "encryption", "policy", "ownership", "objectLock", "tags", "requesterPays",
        "notifications", "replication", "objects",
    },
    # Of a status FAILED alone is made: no other decides anything.
    "object": {"key", "versionId", "encryption", "replicationStatus"},
    "role": {"trust", "inline", "managed", "tags", "boundary"},
    # KMS reckons the date of a deletion from the request. It is told, but decides nothing.
    "key": {
        "state", "policy", "grants", "tags", "spec", "usage", "origin", "deletionDate", "materialExpires", "related",
        # Of related keys the first is made as the primary one.
        "primary",
    },
    "grant": {"id", "name", "grantee", "retiringPrincipal", "operations", "contextEquals", "contextSubset"},
    # A refusal, and for ever.
    "switch": {"operation", "resource", "code"},
}
REFUSALS = ("AccessDenied", "AccessDeniedException")
STATES = ("Enabled", "Disabled", "PendingDeletion", "PendingImport")


class Unheld(Exception):
    """The emulator cannot hold the account; the message says what of it."""


class Names:
    """What a story calls things, and what the emulator calls them: it draws the names of some by lot."""

    def __init__(self, known: dict[str, str]) -> None:
        self._known = dict(known)

    def learn(self, told: str, made: str) -> None:
        self._known[told] = made

    def __call__(self, value: Any) -> Any:
        """The same with the names of what was made."""
        # The longest first: one name may begin another.
        told = sorted(self._known, key=len, reverse=True)
        names = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in told))
        return json.loads(names.sub(lambda found: self._known[found.group()], json.dumps(value)))


class Accounts:
    """Makes the accounts of stories for a function that has the given role."""

    def __init__(self, emulator: Emulator, function_role: str) -> None:
        self._client = cache(emulator.client)
        self._function_role = function_role
        for queue in QUEUES:
            self._make_queue(queue)

    def _make_queue(self, name: str) -> None:
        """Nobody reads it, so that nothing wakes the function but the test."""
        policy = {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage",
                "Resource": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
            }],
        }
        self._client("sqs", REGION).create_queue(QueueName=name, Attributes={"Policy": json.dumps(policy)})

    def make_member_role(self, account: str) -> None:
        """Left in place between stories, as the function keeps its session."""
        deploy_member_role(
            self._client("cloudformation", REGION, account),
            RoleName=MEMBER_ROLE, RemediatorRoleArns=self._function_role, ExternalId=EXTERNAL_ID,
        )

    @contextmanager
    def of(self, story: Story) -> Iterator[Names]:
        """The account of a story, for as long as the block lasts."""
        account = story.account
        refuse_what_is_not_made(account)
        names = Names({OWN_ROLE: self._function_role})
        with ExitStack() as undone:
            # Before anything that names them.
            for arn, key in account.get("keys", {}).items():
                self._make_key(arn, key, names)
            for arn, key in account.get("aliases", {}).items():
                self._make_alias(arn, names(key), undone)
            for arn, document in account.get("policies", {}).items():
                self._make_policy(arn, names(document), undone)
            for arn, role in account.get("roles", {}).items():
                self._make_role(arn, names(role), undone)
            # S3 looks at a destination that it can see. The story may tell of what became of it later.
            buckets = account.get("buckets", {})
            for name in sorted(buckets, key=lambda name: "replication" not in buckets[name]):
                self._make_bucket(name, names(buckets[name]), names, undone)
            for arn, key in account.get("keys", {}).items():
                self._finish_key(names(arn), names(key))
            for switch in account.get("failing", []):
                self._deny(names(switch), undone)
            yield names

    def _make_key(self, arn: str, key: dict[str, Any], names: Names) -> None:
        region, key_id = arn.split(":")[3], arn.rsplit("/", 1)[1]
        tags = [{"TagKey": name, "TagValue": value} for name, value in key.get("tags", {}).items()]
        if names(arn) != arn:
            # A relative is there, and so the id that they share.
            primary = next(other for other in key["related"] if other != arn)
            self._kms(primary).replicate_key(KeyId=names(key_id), ReplicaRegion=region, Tags=tags)
            return
        kms = self._kms(arn)
        metadata = kms.create_key(
            KeySpec=key.get("spec", "SYMMETRIC_DEFAULT"), KeyUsage=key.get("usage", "ENCRYPT_DECRYPT"),
            Origin=key.get("origin", "AWS_KMS"), MultiRegion="related" in key, Tags=tags,
        )["KeyMetadata"]
        if "related" in key:
            names.learn(key_id, metadata["KeyId"])
        else:
            names.learn(arn, metadata["Arn"])
        if key.get("origin") == "EXTERNAL" and key.get("state") != "PendingImport":
            _import_material(kms, metadata["KeyId"], key.get("materialExpires"))

    def _finish_key(self, arn: str, key: dict[str, Any]) -> None:
        """Last what would keep a key from taking part in anything else."""
        kms = self._kms(arn)
        for grant in key.get("grants", []):
            kms.create_grant(KeyId=arn, **_grant(grant))
        if "policy" in key:
            policy = self._readable(key["policy"]) if f":{ACCOUNT}:" in arn else key["policy"]
            kms.put_key_policy(
                KeyId=arn, PolicyName="default", Policy=json.dumps(policy), BypassPolicyLockoutSafetyCheck=True
            )
        match key.get("state", "Enabled"):
            case "Disabled":
                kms.disable_key(KeyId=arn)
            case "PendingDeletion":
                kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)

    def _readable(self, policy: dict[str, Any]) -> dict[str, Any]:
        """With what the stories take for granted: that the function may look at the keys of its own account."""
        look = {
            "Sid": "ReadByTheRemediator", "Effect": "Allow", "Principal": {"AWS": self._function_role},
            "Action": READS_OF_KEYS, "Resource": "*",
        }
        return policy | {"Statement": [*policy["Statement"], look]}

    def _make_alias(self, arn: str, key: str, undone: ExitStack) -> None:
        kms = self._kms(arn)
        name = arn.split(":", 5)[5]
        kms.create_alias(AliasName=name, TargetKeyId=key)
        undone.callback(kms.delete_alias, AliasName=name)

    def _kms(self, arn: str) -> Any:
        _, _, _, region, account, _ = arn.split(":", 5)
        return self._client("kms", region, account)

    def _make_policy(self, arn: str, document: Any, undone: ExitStack) -> None:
        iam = self._client("iam", REGION)
        iam.create_policy(PolicyName=arn.rsplit("/", 1)[1], PolicyDocument=json.dumps(document))
        undone.callback(iam.delete_policy, PolicyArn=arn)

    def _make_role(self, arn: str, role: dict[str, Any], undone: ExitStack) -> None:
        iam = self._client("iam", REGION)
        path, name = arn.split(":role", 1)[1].rsplit("/", 1)
        boundary = {"PermissionsBoundary": role["boundary"]} if "boundary" in role else {}
        iam.create_role(
            RoleName=name, Path=f"{path}/", AssumeRolePolicyDocument=json.dumps(role.get("trust", TRUSTED_BY_S3)),
            Tags=[{"Key": key, "Value": value} for key, value in role.get("tags", {}).items()], **boundary,
        )
        undone.callback(iam.delete_role, RoleName=name)
        for policy, document in role.get("inline", {}).items():
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
            undone.callback(iam.delete_role_policy, RoleName=name, PolicyName=policy)
        for policy in role.get("managed", []):
            iam.attach_role_policy(RoleName=name, PolicyArn=policy)
            undone.callback(iam.detach_role_policy, RoleName=name, PolicyArn=policy)

    def _make_bucket(self, name: str, bucket: dict[str, Any], names: Names, undone: ExitStack) -> None:
        region = bucket.get("region", REGION)
        s3 = self._client("s3", region, bucket.get("owner", ACCOUNT))
        # Without a constraint S3 takes its first Region, and does not take that one as a constraint.
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=bucket.get("objectLock", False), **where)
        undone.callback(s3.delete_bucket, Bucket=name)
        _configure(s3, name, bucket)
        # Before the rule, so that nothing is replicated. What is not encrypted is older than every encryption.
        encrypted = [version for version in bucket.get("objects", []) if version["encryption"].get("type") != "none"]
        older = [version for version in bucket.get("objects", []) if version not in encrypted]
        self._put_objects(s3, name, bucket, older, names, undone)
        if "type" in bucket.get("encryption", {}):
            s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=_encryption(bucket["encryption"]))
        self._put_objects(s3, name, bucket, encrypted, names, undone)
        if "replication" in bucket:
            s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=_replication(bucket["replication"]))
        # S3 takes a rule only where versions are kept.
        if bucket.get("versioning") == "Suspended":
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
        # Last: it may deny the rest.
        if "policy" in bucket:
            s3.put_bucket_policy(Bucket=name, Policy=json.dumps(bucket["policy"]))
            undone.callback(s3.delete_bucket_policy, Bucket=name)

    def _put_objects(
        self, s3: Any, name: str, bucket: dict[str, Any], versions: list[dict[str, Any]], names: Names,
        undone: ExitStack,
    ) -> None:
        # The newest comes first in a story.
        for version in reversed(versions):
            failing = _failing(s3, name, bucket) if version.get("replicationStatus") == "FAILED" else nullcontext()
            with failing:
                answer = s3.put_object(Bucket=name, Key=version["key"], **_object_encryption(version["encryption"]))
            names.learn(version.get("versionId", "v1"), answer["VersionId"])
            undone.callback(s3.delete_object, Bucket=name, Key=version["key"], VersionId=answer["VersionId"])

    def _deny(self, switch: dict[str, Any], undone: ExitStack) -> None:
        """Let an operation of the function fail as a guard of the organization would."""
        operation = switch["operation"]
        denied = {
            "Effect": "Deny", "Action": PERMISSIONS.get(operation, operation), "Resource": switch.get("resource", "*"),
        }
        iam = self._client("iam", REGION)
        policy = {"RoleName": self._function_role.rsplit("/", 1)[1], "PolicyName": operation.replace(":", "-")}
        iam.put_role_policy(**policy, PolicyDocument=_document([denied]))
        undone.callback(iam.delete_role_policy, **policy)


@contextmanager
def _failing(s3: Any, name: str, bucket: dict[str, Any]) -> Iterator[None]:
    """S3 alone writes an object's status: by a rule into the bucket itself it is one of failure."""
    rule = {
        "ID": "fails", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"}, "Destination": {"Bucket": f"arn:aws:s3:::{name}"},
    }
    configuration = {"Role": bucket["replication"]["Role"], "Rules": [rule]}
    s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=configuration)
    yield
    s3.delete_bucket_replication(Bucket=name)


def _configure(s3: Any, name: str, bucket: dict[str, Any]) -> None:
    """What neither a rule nor objects depend on, and versioning, without which S3 takes no rule."""
    ownership = {"ObjectOwnership": bucket.get("ownership", "BucketOwnerEnforced")}
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [ownership]})
    if bucket.get("versioning") != "Never":
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if "tags" in bucket:
        tags = [{"Key": key, "Value": value} for key, value in bucket["tags"].items()]
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    if bucket.get("requesterPays"):
        s3.put_bucket_request_payment(Bucket=name, RequestPaymentConfiguration={"Payer": "Requester"})
    if bucket.get("notifications"):
        queues = [{"QueueArn": one["arn"], "Events": one["events"]} for one in bucket["notifications"]]
        s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"QueueConfigurations": queues}
        )


def refuse_what_is_not_made(account: dict[str, Any]) -> None:
    """Nothing of an account may be passed over silently: the story would be told of another one."""
    buckets, keys = list(account.get("buckets", {}).values()), list(account.get("keys", {}).values())
    things = {
        "account": [account], "bucket": buckets, "key": keys, "role": list(account.get("roles", {}).values()),
        "object": [version for bucket in buckets for version in bucket.get("objects", [])],
        "grant": [grant for key in keys for grant in key.get("grants", [])], "switch": account.get("failing", []),
    }
    for kind, several in things.items():
        for one in several:
            if others := one.keys() - MADE[kind]:
                raise Unheld(f"{kind} with {sorted(others)}")
    for key in keys:
        if key.get("state", "Enabled") not in STATES:
            raise Unheld(f"key in the state {key['state']}")
    for switch in account.get("failing", []):
        if switch.get("code", "AccessDenied") not in REFUSALS:
            raise Unheld(f"failure with {switch['code']}")


def _import_material(kms: Any, key_id: str, expires: str | None) -> None:
    """Bring material that lasts as long from now as the story's lasts from when the story happens."""
    given = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    wrapped = load_der_public_key(given["PublicKey"]).encrypt(
        bytes(32), OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=None)
    )
    until: dict[str, Any] = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    if expires:
        lasts = datetime.fromisoformat(expires.replace("Z", "+00:00")) - NOW
        until = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": datetime.now(timezone.utc) + lasts}
    kms.import_key_material(KeyId=key_id, ImportToken=given["ImportToken"], EncryptedKeyMaterial=wrapped, **until)


def _document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _grant(grant: dict[str, Any]) -> dict[str, Any]:
    context = {"contextEquals": "EncryptionContextEquals", "contextSubset": "EncryptionContextSubset"}
    constraints = {theirs: grant[ours] for ours, theirs in context.items() if ours in grant}
    given = {
        "GranteePrincipal": grant["grantee"], "Operations": grant["operations"], "Constraints": constraints,
        "Name": grant.get("name"), "RetiringPrincipal": grant.get("retiringPrincipal"),
    }
    return {name: value for name, value in given.items() if value}


def _encryption(encryption: dict[str, Any]) -> dict[str, Any]:
    key = {"KMSMasterKeyID": encryption["key"]} if "key" in encryption else {}
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": encryption["type"], **key},
        "BucketKeyEnabled": encryption.get("bucketKey", False),
    }
    return {"Rules": [rule]}


def _object_encryption(encryption: dict[str, Any]) -> dict[str, Any]:
    if encryption.get("type") == "none":
        return {}
    if "key" not in encryption:
        return {"ServerSideEncryption": encryption.get("type", "AES256")}
    return {
        "ServerSideEncryption": encryption["type"], "SSEKMSKeyId": encryption["key"],
        "BucketKeyEnabled": encryption.get("bucketKey", False),
    }


def _replication(replication: dict[str, Any]) -> dict[str, Any]:
    """With what a story leaves out and S3 does not."""
    return replication | {"Rules": [{"Status": "Enabled"} | rule for rule in replication["Rules"]]}
