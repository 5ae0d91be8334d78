"""What a person who operates the stack sees of it: alarms, dashboard, outputs, and what an installation consists of."""

from __future__ import annotations

import json
import re
from typing import Any

from resolver import Resolver
from test_template import ROOT, TEMPLATE, rows

RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
ALARMS = {name: of["Properties"] for name, of in RESOURCES.items() if of["Type"] == "AWS::CloudWatch::Alarm"}


def dashboard() -> list[dict[str, Any]]:
    body = RESOURCES["OperatorDashboard"]["Properties"]["DashboardBody"]
    widgets: list[dict[str, Any]] = json.loads(Resolver({"Dashboard": "true"}).resolve(body))["widgets"]
    return widgets


def queries() -> dict[str, str]:
    """The queries of the log widgets, by title."""
    return {
        widget["properties"]["title"]: widget["properties"]["query"] for widget in dashboard() if widget["type"] == "log"
    }


def test_every_alarm_tells_the_topic_and_is_explained_in_the_manual() -> None:
    topic = {"Fn::If": ["MakesTopic", {"Ref": "Topic"}, {"Ref": "NotificationTopicArn"}]}
    for alarm in ALARMS.values():
        assert alarm["AlarmActions"] == [topic]
        assert alarm["AlarmDescription"]
        # Silence of a metric is never an alarm by itself.
        assert alarm["TreatMissingData"] in ("notBreaching", "ignore")
    assert {alarm.strip("`") for alarm, *_ in rows("docs/OPERATING.md", "alarms")} == ALARMS.keys()


def test_alarms_on_metrics_of_aws_look_where_aws_writes_them() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html and
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"""
    function = [{"Name": "FunctionName", "Value": {"Ref": "Function"}}]

    def queue(name: str) -> list[dict[str, Any]]:
        return [{"Name": "QueueName", "Value": {"Fn::GetAtt": [name, "QueueName"]}}]

    looked_at = {
        name: (alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"])
        for name, alarm in ALARMS.items() if alarm["Namespace"].startswith("AWS/")
    }
    assert looked_at == {
        "ErrorAlarm": ("AWS/Lambda", "Errors", function),
        "ThrottleAlarm": ("AWS/Lambda", "Throttles", function),
        "DeadLetterAlarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue("DeadLetterQueue")),
        "QueueAgeAlarm": ("AWS/SQS", "ApproximateAgeOfOldestMessage", queue("Queue")),
    }


def test_the_dashboard_shows_every_alarm() -> None:
    (shown,) = (widget["properties"]["alarms"] for widget in dashboard() if widget["type"] == "alarm")
    assert {name.removesuffix(".Arn") for name in shown} == ALARMS.keys()


def test_the_widgets_of_the_dashboard_do_not_overlap() -> None:
    taken = set()
    for widget in dashboard():
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not taken & cells and max(x for x, _ in cells) < 24
        taken |= cells


def measured() -> set[tuple[str, ...]]:
    """Namespace and name of each metric that the dashboard shows, and the dimension beside the function."""
    shown: set[tuple[str, ...]] = set()
    for widget in dashboard():
        row: list[Any] = []
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], dict):
                found = re.match(r"SEARCH\('\{(\w+),Function,(\w+)\} MetricName=\"(\w+)\" ", metric[0]["expression"])
                assert found, metric
                shown.add((found[1], found[3], found[2]))
                continue
            # A dot stands for what the row above has there.
            row = [above if own == "." else own for own, above in zip(metric, row or metric)]
            shown.add((row[0], row[1], ""))
    return shown


def test_the_dashboard_shows_of_each_metric_what_alarms_look_at() -> None:
    assert {(alarm["Namespace"], alarm["MetricName"], "") for alarm in ALARMS.values()} <= measured()


def test_the_dashboard_and_the_alarms_use_the_metrics_that_the_function_writes() -> None:
    source = (ROOT / "src" / "telemetry.rs").read_text()
    (namespace,) = re.findall(r'pub const NAMESPACE: &str = "(\w+)";', source)
    counts = re.findall(r'= count\(\s*"(\w+)"', source)
    others = re.findall(r'name: "(\w+)",\s*unit: "\w+",\s*by: "(\w*)"', source)
    written = {(namespace, name, "") for name in counts} | {(namespace, name, by) for name, by in others}
    (count,) = re.findall(r"METRICS: \[Metric; (\d+)\]", source)
    assert len(written) == int(count)
    assert {metric for metric in measured() if metric[0] == namespace} == written
    for alarm in ALARMS.values():
        if alarm["Namespace"] == namespace:
            assert (namespace, alarm["MetricName"], "") in written
            assert [dimension["Name"] for dimension in alarm["Dimensions"]] == ["Function"]


def test_the_dashboard_reads_the_log_of_the_stack_alone() -> None:
    for query in queries().values():
        assert re.match(r"SOURCE '[^' ]*/aws/lambda/s3-replication-remediator\S*' \| filter ", query), query


def test_the_smallest_installation_has_nothing_that_nobody_asked_for() -> None:
    assert Resolver({}).resources() == {
        "Function", "FunctionRole", "ReadPolicy", "LogGroup",
        "Queue", "QueuePolicy", "DeadLetterQueue", "DeadLetterQueuePolicy",
        "ReplicationConfiguredRule", "ReplicationAlarmRule", "ReplicationAlarmContributorRule",
        # What worked must not break unseen.
        "DriftOfBucketsRule", "DriftOfKeysRule", "DriftOfKeysByThemselvesRule", "DriftOfRolesRule",
        "Topic", "TopicPolicy",
        # Without it the same trouble would be told again by each process.
        "Table",
        *ALARMS,
    }


def test_every_output_is_described_and_exists_with_what_it_names() -> None:
    for name, output in TEMPLATE["Outputs"].items():
        assert output["Description"], name
        named = {word for word in re.findall(r"\w+", json.dumps(output["Value"])) if word in RESOURCES}
        there = {None, output.get("Condition")}
        # What may be the stack's own or the owner's is chosen inside the value.
        if chosen := output["Value"].get("Fn::If"):
            there.add(chosen[0])
        for resource in named:
            assert RESOURCES[resource].get("Condition") in there, f"{name}: {resource}"


def test_the_published_application_is_this_version_of_this_project() -> None:
    published = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]
    head = (ROOT / "Cargo.toml").read_text().split("\n\n")[0]
    package = dict(re.findall(r'^(\w+) = "([^"]*)"', head, re.MULTILINE))
    assert published["SemanticVersion"] == package["version"]
    assert published["Name"] == package["name"]
    assert published["SpdxLicenseId"] == package["license"]
    for file in (published["LicenseUrl"], published["ReadmeUrl"]):
        assert (ROOT / file).is_file()
