"""What CloudWatch makes metrics of: lines of the deployed function's log, each a JSON document by itself."""

from __future__ import annotations

import json
from typing import Any

from conftest import Deploy
from emulator import Emulator
from seed import seed
from stack import REGION, Stack, wait_until
from test_replication import REPLICATION_CONFIGURED

NAMESPACE = "S3ReplicationRemediator"


def documents(stack: Stack) -> list[dict[str, Any]]:
    """The lines in the embedded metric format, as CloudWatch finds them: a JSON object from the first sign to the last."""
    lines = [line for line in stack.log().splitlines() if '"_aws"' in line]
    return [json.loads(line) for line in lines]


def total(stack: Stack, metric: str) -> int:
    return sum(document.get(metric, 0) for document in documents(stack))


def test_metrics_are_lines_of_json_by_themselves(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy()

    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    wait_until(lambda: total(stack, "BrokenBuckets") == 1, 60, lambda: stack.log())
    stack.send(json.dumps({"command": "check"}))
    wait_until(lambda: total(stack, "UnusableMessages") >= 1, 60, lambda: stack.log())

    for document in documents(stack):
        # Not wrapped into a line of the log, where CloudWatch would look for nothing.
        assert "message" not in document and "fields" not in document
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == NAMESPACE
        (dimensions,) = directive["Dimensions"]
        assert dimensions[0] == "Function" and all(isinstance(document[name], str) for name in dimensions)
        for metric in directive["Metrics"]:
            assert isinstance(document[metric["Name"]], int), metric


def test_alarms_look_at_metrics_under_the_very_dimensions_that_the_function_writes(
    emulator: Emulator, deploy: Deploy
) -> None:
    """CloudWatch keeps a metric apart for each set of dimensions: an alarm on another set would hear nothing, for ever."""
    seeded = seed(emulator, "many-reasons")
    stack = deploy()
    stack.invoke({"command": "check", "bucket": seeded.bucket})
    wait_until(lambda: total(stack, "BrokenBuckets") == 1, 60, lambda: stack.log())
    written = {
        (metric["Name"], tuple((name, document[name]) for name in dimensions))
        for document in documents(stack)
        for directive in document["_aws"]["CloudWatchMetrics"]
        for dimensions in directive["Dimensions"] for metric in directive["Metrics"]
    }
    alarms = emulator.client("cloudwatch", REGION).describe_alarms()["MetricAlarms"]
    ours = [alarm for alarm in alarms if alarm["Namespace"] == NAMESPACE]
    assert ours
    for alarm in ours:
        dimensions = tuple((dimension["Name"], dimension["Value"]) for dimension in alarm["Dimensions"])
        assert (alarm["MetricName"], dimensions) in written, alarm["AlarmName"]
