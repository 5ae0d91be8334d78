"""The forms that machines read, held against AWS's own models of them and against the schemas in `docs/`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import botocore.session
import jsonschema
import pytest
from botocore.validate import ParamValidator
from referencing import Registry, Resource

ROOT = Path(__file__).parents[2]
FORMS = ROOT / "tests" / "core" / "handler" / "forms"
SESSION = botocore.session.Session()
REPORT = json.loads((ROOT / "docs" / "report-v1.schema.json").read_text())
EVENTS = {
    "S3 Replication Check Result": json.loads((ROOT / "docs" / "event-check-result.schema.json").read_text()),
    "S3 Replication Repair Applied": json.loads((ROOT / "docs" / "event-repair-applied.schema.json").read_text()),
}
# The schemas of events refer to that of the report by the name of its file, beside which they stand.
BESIDE = Registry().with_resources([
    ("report-v1.schema.json", Resource.from_contents(REPORT)), (REPORT["$id"], Resource.from_contents(REPORT)),
])
CHAT = json.loads((ROOT / "docs" / "chat-notification.schema.json").read_text())


def forms(ending: str) -> list[Any]:
    found = [pytest.param(json.loads(path.read_text()), id=path.name) for path in sorted(FORMS.glob(f"*.{ending}.json"))]
    assert found, ending
    return found


def faults(service: str, operation: str, parameters: dict[str, Any]) -> str:
    shape = SESSION.get_service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return str(ParamValidator().validate(parameters, shape).generate_report())


@pytest.mark.parametrize("events", forms("events"))
def test_events_are_entries_of_put_events(events: list[dict[str, Any]]) -> None:
    entries = [event | {"Detail": json.dumps(event["Detail"]), "EventBusName": "default"} for event in events]
    assert faults("events", "PutEvents", {"Entries": entries}) == ""


@pytest.mark.parametrize("events", forms("events"))
def test_details_are_what_their_schemas_say(events: list[dict[str, Any]]) -> None:
    for event in events:
        schema = EVENTS[event["DetailType"]]
        validator = jsonschema.Draft202012Validator(schema, registry=BESIDE)
        validator.validate(event["Detail"])
        # What is whole lacks nothing; what is cut says so.
        for name in ("findings", "trigger", "commands", "plan"):
            if name not in schema["then"].get("required", REPORT["required"]):
                continue
            cut = {field: value for field, value in event["Detail"].items() if field != name}
            assert not validator.is_valid(cut), name
            assert validator.is_valid(cut | {"omitted": ["*"]}), name
        assert not validator.is_valid(event["Detail"] | {"omitted": ["what nobody knows"]})


@pytest.mark.parametrize("finding", forms("finding"))
def test_findings_are_what_security_hub_imports(finding: dict[str, Any]) -> None:
    assert faults("securityhub", "BatchImportFindings", {"Findings": [finding]}) == ""
    assert len(finding["Id"]) <= 512 and len(finding["Title"]) <= 256 and len(finding["Description"]) <= 1024
    assert len(finding["Remediation"]["Recommendation"]["Text"]) <= 512
    assert len(finding["ProductFields"]) <= 50
    known = SESSION.get_service_model("securityhub")
    for shape, value in {
        "ComplianceStatus": finding["Compliance"]["Status"], "RecordState": finding["RecordState"],
        "SeverityLabel": finding["FindingProviderFields"]["Severity"]["Label"],
    }.items():
        assert value in known.shape_for(shape).enum


@pytest.mark.parametrize("notification", forms("chat"))
def test_chats_get_a_custom_notification(notification: dict[str, Any]) -> None:
    jsonschema.validate(notification, CHAT)


def faults_of(element: ElementTree.Element, shape: Any) -> list[str]:
    """What an element of XML has that its shape has not, and lacks that it must have."""
    name = re.sub(r"\{.*\}", "", element.tag)
    if shape.type_name == "list":
        return [fault for item in element for fault in faults_of(item, shape.member)]
    if shape.type_name != "structure":
        allowed = getattr(shape, "enum", None)
        return [f"{name}: {element.text}"] if allowed and element.text not in allowed else []
    members = {of.serialization.get("name", key): of for key, of in shape.members.items()}
    given = {re.sub(r"\{.*\}", "", child.tag): child for child in element}
    in_body = {key for key in shape.required_members if "location" not in shape.members[key].serialization}
    faults = [f"{name} has no {key}" for key in given.keys() - members.keys()]
    faults += [f"{name} lacks {key}" for key in in_body - given.keys()]
    return faults + [fault for key, child in given.items() if key in members for fault in faults_of(child, members[key])]


def test_the_order_of_a_job_is_what_s3_control_takes() -> None:
    body = (ROOT / "tests" / "wire" / "create-job.xml").read_text()
    shape = SESSION.get_service_model("s3control").operation_model("CreateJob").input_shape
    assert shape is not None
    root = ElementTree.fromstring(body)
    assert root.tag == f"{{{shape.serialization['xmlNamespace']['uri']}}}{shape.serialization['name']}"
    assert faults_of(root, shape) == []
    confirmation = root.find("{*}ConfirmationRequired")
    assert confirmation is not None and confirmation.text == "true"
