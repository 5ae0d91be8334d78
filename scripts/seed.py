"""What is in the emulated account before the function looks: keys, buckets, a role and a rule, from a readable file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any

import yaml

from stack import Account, make_bucket

PROJECT = Path(__file__).resolve().parent.parent
SEEDS = PROJECT / "tests" / "deployed" / "seeds"
EVENTS = PROJECT / "events"

# What the recorded events call the things that a seed makes.
RECORDED_ROLE = "arn:aws:iam::111122223333:role/service-role/s3crr_role_for_amzn-s3-demo-source-bucket"
RECORDED_REPLICA_KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

# Hears of what is made: its kind, Region and name.
Made = Callable[[str, str, str], object]

TRUSTED_BY_S3 = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True)
class Seeded:
    """What was made, by the names that the tests and the demo ask for."""

    bucket: str
    region: str
    destination: str
    destination_region: str
    role: str
    role_name: str
    source_key: str
    replica_key: str
    expected: dict[str, Any]
    # S3's own answer to the rule: it takes what cannot work.
    accepted_with: int

    def recorded(self, event: str) -> str:
        """An event of `events/`, about what was made here."""
        text = (EVENTS / event).read_text()
        return text.replace(RECORDED_ROLE, self.role).replace(RECORDED_REPLICA_KEY, self.replica_key)


def seed(
    account: Account, name: str, renamed: Mapping[str, str] = MappingProxyType({}), made: Made = lambda *_: None
) -> Seeded:
    """Make everything that `tests/deployed/seeds/<name>.yaml` describes, under other names where some are given.

    `made` hears of everything: kind, Region and name. Of what the names are known before, it hears before.
    """
    text = (SEEDS / f"{name}.yaml").read_text()
    for old, new in renamed.items():
        text = text.replace(old, new)
    wanted = yaml.safe_load(text)
    keys = {key: _make_key(account, settings, made) for key, settings in wanted["keys"].items()}
    source, destination = wanted["buckets"].items()
    for bucket, settings in (source, destination):
        made("bucket", settings["region"], bucket)
        _make_bucket(account, bucket, settings, keys)
    made("role", "us-east-1", wanted["role"]["name"])
    arns = keys | {"role": _make_role(account, wanted["role"])}
    _write_policies(account, wanted["role"], arns)
    answer = account.client("s3", source[1]["region"]).put_bucket_replication(
        Bucket=source[0], ReplicationConfiguration=_with_arns(wanted["replication"], arns)
    )
    for key, settings in wanted["keys"].items():
        # Last, since a disabled key could take part in nothing above.
        if not settings.get("enabled", True):
            account.client("kms", settings["region"]).disable_key(KeyId=keys[key])
    return Seeded(
        bucket=source[0], region=source[1]["region"],
        destination=destination[0], destination_region=destination[1]["region"],
        role=arns["role"], role_name=wanted["role"]["name"],
        source_key=keys["source"], replica_key=keys["replica"],
        expected=wanted["expected"], accepted_with=answer["ResponseMetadata"]["HTTPStatusCode"],
    )


def _make_key(account: Account, key: dict[str, Any], made: Made) -> str:
    policy = {"Policy": json.dumps(key["policy"])} if "policy" in key else {}
    answer = account.client("kms", key["region"]).create_key(
        **policy,
        Tags=[{"TagKey": name, "TagValue": value} for name, value in key.get("tags", {}).items()]
    )
    made("key", key["region"], answer["KeyMetadata"]["KeyId"])
    return str(answer["KeyMetadata"]["Arn"])


def _make_bucket(account: Account, name: str, bucket: dict[str, Any], keys: dict[str, str]) -> None:
    s3 = account.client("s3", bucket["region"])
    make_bucket(s3, name, bucket["region"])
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if "key" in bucket:
        encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": keys[bucket["key"]]}
        rule = {"ApplyServerSideEncryptionByDefault": encryption, "BucketKeyEnabled": bucket["bucketKey"]}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _make_role(account: Account, role: dict[str, Any]) -> str:
    answer = account.client("iam", "us-east-1").create_role(
        RoleName=role["name"],
        AssumeRolePolicyDocument=json.dumps(TRUSTED_BY_S3),
        Tags=[{"Key": key, "Value": value} for key, value in role.get("tags", {}).items()],
    )
    return str(answer["Role"]["Arn"])


def _write_policies(account: Account, role: dict[str, Any], arns: dict[str, str]) -> None:
    iam = account.client("iam", "us-east-1")
    for name, document in role["policies"].items():
        iam.put_role_policy(
            RoleName=role["name"], PolicyName=name, PolicyDocument=json.dumps(_with_arns(document, arns))
        )


def _with_arns(document: Any, arns: dict[str, str]) -> Any:
    return json.loads(Template(json.dumps(document)).substitute(arns))
