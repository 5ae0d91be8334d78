"""What the template wires together, read back from the deployed stack."""

from __future__ import annotations

from conftest import Deploy
from emulator import Emulator
from seed import EVENTS
from stack import NAME, REGION

TAKEN_BY = {
    "cloudtrail/put-kms-rule.json": ["ReplicationConfiguredRule"],
    "cloudtrail/delete.json": ["ReplicationConfiguredRule"],
    "cloudtrail/put-access-denied.json": [],
    "cloudtrail/put-on-outposts.json": [],
    "cloudtrail/put-versioning.json": [],
    "alarm/event-bridge.json": ["ReplicationAlarmRule"],
    "alarm/event-bridge-metric-math.json": ["ReplicationAlarmRule"],
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
