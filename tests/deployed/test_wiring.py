"""What the template wires together, read back from the deployed stack."""

from __future__ import annotations

import subprocess
from pathlib import Path


from conftest import Deploy
from emulator import Emulator
from seed import EVENTS, seed
from stack import NAME, REGION

TAKEN_BY = {
    "cloudtrail/put-kms-rule.json": ["ReplicationConfiguredRule"],
    "cloudtrail/delete.json": ["ReplicationConfiguredRule"],
    "cloudtrail/put-access-denied.json": [],
    "cloudtrail/put-on-outposts.json": [],
    "cloudtrail/put-versioning.json": ["DriftOfBucketsRule"],
    "alarm/event-bridge.json": ["ReplicationAlarmRule"],
    "alarm/event-bridge-metric-math.json": ["ReplicationAlarmRule"],
    "alarm/event-bridge-contributor.json": ["ReplicationAlarmContributorRule"],
    "alarm/event-bridge-contributor-without-bucket.json": [],
    "alarm/event-bridge-query.json": [],
    "alarm/event-bridge-ok.json": [],
    "alarm/event-bridge-other-metric.json": [],
}


def test_the_queue_feeds_the_function_in_batches_that_may_fail_in_part(emulator: Emulator, deploy: Deploy) -> None:
    stack = deploy()
    (mapping,) = emulator.client("lambda", REGION).list_event_source_mappings(
        FunctionName=stack.outputs["FunctionName"]
    )["EventSourceMappings"]
    assert mapping["EventSourceArn"] == stack.outputs["QueueArn"]
    assert mapping["BatchSize"] == 50
    assert mapping["MaximumBatchingWindowInSeconds"] == 20
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}


def test_the_rules_take_what_concerns_replication_and_nothing_else(emulator: Emulator, deploy: Deploy) -> None:
    deploy()
    patterns = event_patterns(emulator)
    events = emulator.client("events", REGION)
    taken_by = {
        recorded: [
            rule for rule, pattern in patterns.items()
            if events.test_event_pattern(EventPattern=pattern, Event=(EVENTS / recorded).read_text())["Result"]
        ]
        for recorded in TAKEN_BY
    }
    assert taken_by == TAKEN_BY


def event_patterns(emulator: Emulator) -> dict[str, str]:
    """The pattern of every deployed rule, by its name in the template."""
    resources = emulator.client("cloudformation", REGION).list_stack_resources(StackName=NAME)
    names = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"].split("/")[-1]
        for resource in resources["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Events::Rule"
    }
    events = emulator.client("events", REGION)
    return {logical: events.describe_rule(Name=name)["EventPattern"] for logical, name in names.items()}


def test_the_printed_command_routes_failure_events_and_keeps_what_was_there(
    emulator: Emulator, deploy: Deploy, tmp_path: Path
) -> None:
    seeded = seed(emulator, "healthy")
    stack = deploy()
    s3 = emulator.client("s3", REGION)
    theirs = {"Id": "theirs", "QueueArn": stack.outputs["QueueArn"], "Events": ["s3:ObjectTagging:Put"]}
    s3.put_bucket_notification_configuration(
        Bucket=seeded.bucket, NotificationConfiguration={"QueueConfigurations": [theirs]}
    )
    environment = emulator.owner_environment(AWS_REGION=REGION, BUCKET=seeded.bucket)
    for _ in ("the first time", "and again"):
        command = stack.outputs["RouteFailureEvents"]
        subprocess.run(["sh", "-c", command], env=environment, cwd=tmp_path, check=True)
    ours = {
        "Id": "s3-replication-remediator", "QueueArn": stack.outputs["QueueArn"],
        "Events": ["s3:Replication:OperationFailedReplication"],
    }
    configured = s3.get_bucket_notification_configuration(Bucket=seeded.bucket)["QueueConfigurations"]
    assert configured == [theirs, ours]
