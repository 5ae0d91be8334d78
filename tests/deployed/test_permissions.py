"""What the template permits, seen through the eyes of the function's role."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from conftest import Deploy
from emulator import ACCOUNT, Emulator
from seed import Seeded, seed
from stack import REGION, Stack

DOCUMENT = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::example"}],
})
TRUST_OF_THE_TEST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole",
    }],
})

Call = Callable[[], object]


class FunctionRole:
    """Clients that may what the function may."""

    def __init__(self, emulator: Emulator, stack: Stack) -> None:
        self._emulator = emulator
        self.arn = stack.outputs["FunctionRoleArn"]
        self.name = self.arn.split("/")[-1]
        emulator.client("iam", REGION).update_assume_role_policy(RoleName=self.name, PolicyDocument=TRUST_OF_THE_TEST)
        answer = emulator.client("sts", REGION).assume_role(RoleArn=self.arn, RoleSessionName="test")
        self._credentials = {
            "aws_access_key_id": answer["Credentials"]["AccessKeyId"],
            "aws_secret_access_key": answer["Credentials"]["SecretAccessKey"],
            "aws_session_token": answer["Credentials"]["SessionToken"],
        }

    def client(self, service: str, region: str = REGION) -> Any:
        return self._emulator.client_with(service, region, self._credentials)


def is_denied(call: Call) -> bool:
    """Whether the call is refused for want of permission; any other refusal came after the permission."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
    return False


def denied(calls: dict[str, Call]) -> set[str]:
    return {name for name, call in calls.items() if is_denied(call)}


def reads(role: FunctionRole, seeded: Seeded) -> dict[str, Call]:
    s3, iam, kms = role.client("s3"), role.client("iam"), role.client("kms")
    bucket = {"Bucket": seeded.bucket}
    return {
        "HeadBucket": lambda: s3.head_bucket(**bucket),
        "GetBucketReplication": lambda: s3.get_bucket_replication(**bucket),
        "GetBucketVersioning": lambda: s3.get_bucket_versioning(**bucket),
        "GetBucketEncryption": lambda: s3.get_bucket_encryption(**bucket),
        "GetBucketOwnershipControls": lambda: s3.get_bucket_ownership_controls(**bucket),
        "GetObjectLockConfiguration": lambda: s3.get_object_lock_configuration(**bucket),
        "GetBucketPolicy": lambda: s3.get_bucket_policy(**bucket),
        "GetBucketTagging": lambda: s3.get_bucket_tagging(**bucket),
        "GetBucketRequestPayment": lambda: s3.get_bucket_request_payment(**bucket),
        "GetBucketNotification": lambda: s3.get_bucket_notification_configuration(**bucket),
        "DescribeKey": lambda: kms.describe_key(KeyId=seeded.source_key),
        "GetKeyPolicy": lambda: kms.get_key_policy(KeyId=seeded.source_key, PolicyName="default"),
        "ListGrants": lambda: kms.list_grants(KeyId=seeded.source_key),
        "ListResourceTags": lambda: kms.list_resource_tags(KeyId=seeded.source_key),
        "GetRole": lambda: iam.get_role(RoleName=seeded.role_name),
        "ListRolePolicies": lambda: iam.list_role_policies(RoleName=seeded.role_name),
        "GetRolePolicy": lambda: iam.get_role_policy(RoleName=seeded.role_name, PolicyName="replication"),
        "ListAttachedRolePolicies": lambda: iam.list_attached_role_policies(RoleName=seeded.role_name),
        "GetPolicy": lambda: iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"),
        "GetPolicyVersion": lambda: iam.get_policy_version(
            PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", VersionId="v1"
        ),
    }


def repairs(role: FunctionRole, replication_role: str, key: str) -> dict[str, Call]:
    """The only writes that a mode may permit."""
    iam, kms = role.client("iam"), role.client("kms")
    grant = {
        "KeyId": key, "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:role/{replication_role}", "Name": "repair",
        "Operations": ["Decrypt"],
        "Constraints": {"EncryptionContextEquals": {"aws:s3:arn": "arn:aws:s3:::example"}},
    }
    return {
        "PutRolePolicy": lambda: iam.put_role_policy(
            RoleName=replication_role, PolicyName="repair", PolicyDocument=DOCUMENT
        ),
        "DeleteRolePolicy": lambda: iam.delete_role_policy(RoleName=replication_role, PolicyName="repair"),
        "CreateGrant, dry run": lambda: kms.create_grant(**grant, DryRun=True),
        "CreateGrant": lambda: kms.create_grant(**grant),
        "RevokeGrant": lambda: kms.revoke_grant(KeyId=key, GrantId="0" * 64),
    }


def never_permitted(role: FunctionRole, seeded: Seeded) -> dict[str, Call]:
    """What the function only ever proposes to a person, or has no business with."""
    s3, iam, kms = role.client("s3"), role.client("iam"), role.client("kms")
    return {
        "AttachRolePolicy": lambda: iam.attach_role_policy(
            RoleName=seeded.role_name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
        "UpdateAssumeRolePolicy": lambda: iam.update_assume_role_policy(
            RoleName=seeded.role_name, PolicyDocument=TRUST_OF_THE_TEST
        ),
        "DeleteRolePermissionsBoundary": lambda: iam.delete_role_permissions_boundary(RoleName=seeded.role_name),
        "TagRole": lambda: iam.tag_role(RoleName=seeded.role_name, Tags=[{"Key": "k", "Value": "v"}]),
        "PutRolePolicy on itself": lambda: iam.put_role_policy(
            RoleName=role.name, PolicyName="repair", PolicyDocument=DOCUMENT
        ),
        "EnableKey": lambda: kms.enable_key(KeyId=seeded.source_key),
        "PutKeyPolicy": lambda: kms.put_key_policy(KeyId=seeded.source_key, PolicyName="default", Policy=DOCUMENT),
        "TagResource": lambda: kms.tag_resource(
            KeyId=seeded.source_key, Tags=[{"TagKey": "k", "TagValue": "v"}]
        ),
        "PutBucketReplication": lambda: s3.put_bucket_replication(
            Bucket=seeded.bucket, ReplicationConfiguration={"Role": seeded.role, "Rules": []}
        ),
        "PutBucketPolicy": lambda: s3.put_bucket_policy(Bucket=seeded.bucket, Policy=DOCUMENT),
        "GetObject": lambda: s3.get_object(Bucket=seeded.bucket, Key="k"),
        "PutObject": lambda: s3.put_object(Bucket=seeded.bucket, Key="k", Body=b""),
    }


def test_dry_run_may_read_all_and_write_nothing(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    role = FunctionRole(emulator, deploy())
    writes = repairs(role, seeded.role_name, seeded.source_key) | never_permitted(role, seeded)
    assert denied(reads(role, seeded)) == set()
    assert denied(writes) == writes.keys()


def test_auto_may_repair_what_opted_in_and_nothing_else(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    role = FunctionRole(emulator, deploy(Mode="auto"))
    never = never_permitted(role, seeded)
    assert denied(repairs(role, seeded.role_name, seeded.source_key)) == set()
    assert denied(never) == never.keys()


def test_auto_may_not_repair_what_did_not_opt_in(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "healthy")
    role = FunctionRole(emulator, deploy(Mode="auto"))
    writes = repairs(role, seeded.role_name, seeded.source_key)
    assert denied(writes) == writes.keys()


def test_the_allow_lists_stand_in_for_the_tag(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "healthy")
    # A pattern may leave the account open, but must not name every key.
    some_keys = f"arn:aws:kms:{REGION}:*:key/{seeded.source_key.split('/')[-1][:8]}*"
    stack = deploy(Mode="approve", AllowedRoleArns=seeded.role, AllowedKeyArns=some_keys)
    role = FunctionRole(emulator, stack)
    assert denied(repairs(role, seeded.role_name, seeded.source_key)) == set()
    # The replica key lies in another Region, and is another key.
    kms = role.client("kms", seeded.destination_region)
    assert is_denied(lambda: kms.revoke_grant(KeyId=seeded.replica_key, GrantId="0" * 64))


def test_another_account_is_read_only_when_it_is_trusted(emulator: Emulator, deploy: Deploy) -> None:
    role = FunctionRole(emulator, deploy(TrustedAccounts="222222222222", MemberRoleName="member"))
    trust = json.loads(DOCUMENT)
    trust["Statement"] = [{"Effect": "Allow", "Principal": {"AWS": role.arn}, "Action": "sts:AssumeRole"}]
    for account in ("222222222222", "333333333333"):
        emulator.client("iam", REGION, account).create_role(
            RoleName="member", AssumeRolePolicyDocument=json.dumps(trust)
        )
    sts = role.client("sts")

    def assume(account: str) -> object:
        return sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/member", RoleSessionName="remediator")

    assert not is_denied(lambda: assume("222222222222"))
    assert is_denied(lambda: assume("333333333333"))
