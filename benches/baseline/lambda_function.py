"""What the program is measured against: the same reads as its own, as a user would write them with boto3.

It makes the calls one after the other, judges nothing, and tells a topic that it looked: what it would take to judge
would only come on top.
"""

import json
import os

import boto3
from botocore.exceptions import ClientError

sts = boto3.client("sts")
s3 = boto3.client("s3")
iam = boto3.client("iam")
sns = boto3.client("sns")
account = None


def of_bucket(client, bucket, owner, **asked):
    facts = {}
    for name, read in {
        "location": client.head_bucket,
        "versioning": client.get_bucket_versioning,
        "encryption": client.get_bucket_encryption,
        "policy": client.get_bucket_policy,
        **asked,
    }.items():
        facts[name] = read_or_none(read, Bucket=bucket, ExpectedBucketOwner=owner)
    return facts


def read_or_none(read, **arguments):
    try:
        return read(**arguments)
    except ClientError as error:
        return {"error": error.response["Error"]["Code"]}


def of_key(arn, role):
    kms = boto3.client("kms", region_name=arn.split(":")[3])
    return {
        "metadata": read_or_none(kms.describe_key, KeyId=arn),
        "policy": read_or_none(kms.get_key_policy, KeyId=arn),
        "grants": read_or_none(kms.list_grants, KeyId=arn, GranteePrincipal=role),
        "tags": read_or_none(kms.list_resource_tags, KeyId=arn),
    }


def look(bucket):
    global account
    account = account or sts.get_caller_identity()["Account"]
    source = of_bucket(
        s3, bucket, account,
        ownership=s3.get_bucket_ownership_controls, lock=s3.get_object_lock_configuration,
    )
    tags = read_or_none(s3.get_bucket_tagging, Bucket=bucket)
    notifications = read_or_none(s3.get_bucket_notification_configuration, Bucket=bucket)
    configuration = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    arn = configuration["Role"]
    name = arn.split("/")[-1]
    role = iam.get_role(RoleName=name)["Role"]
    documents = [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    keys = set()
    default = source["encryption"].get("ServerSideEncryptionConfiguration", {}).get("Rules", [{}])[0]
    if key := default.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID"):
        keys.add(key)
    destinations = {}
    for rule in configuration["Rules"]:
        destination = rule["Destination"]["Bucket"].split(":")[-1]
        region = s3.meta.region_name
        if "EncryptionConfiguration" in rule["Destination"]:
            key = rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"]
            keys.add(key)
            region = key.split(":")[3]
        client = boto3.client("s3", region_name=region)
        destinations[destination] = of_bucket(client, destination, account, payer=client.get_bucket_request_payment)
    facts = {key: of_key(key, arn) for key in sorted(keys)}
    return {
        "bucket": bucket, "source": source, "tags": tags, "notifications": notifications, "role": role,
        "documents": documents, "attached": attached, "destinations": destinations, "keys": facts,
    }


def handler(event, context):
    for record in event["Records"]:
        detail = json.loads(record["body"])["detail"]
        found = look(detail["requestParameters"]["bucketName"])
        sns.publish(TopicArn=os.environ["NOTIFICATION_TOPIC_ARN"], Message=json.dumps(found, default=str)[:200_000])
    return {"batchItemFailures": []}
