"""The forms that machines read, held against AWS's own models of them and against the schemas in `docs/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
