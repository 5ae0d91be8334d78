"""The forms that machines read, held against AWS's own models of them and against the schemas in `docs/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import pytest
from botocore.validate import ParamValidator

ROOT = Path(__file__).parents[2]
FORMS = ROOT / "tests" / "core" / "handler" / "forms"
SESSION = botocore.session.Session()
REPORT = json.loads((ROOT / "docs" / "report-v1.schema.json").read_text())
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
def test_the_state_is_report_v1_and_a_repair_is_made_of_its_fields(events: list[dict[str, Any]]) -> None:
    for event in events:
        detail = event["Detail"]
        if event["DetailType"] == "S3 Replication Check Result":
            jsonschema.validate(detail, REPORT)
            continue
        assert detail["schema"] == "s3-replication-remediator/repair/v1"
        for name in detail.keys() - {"schema", "kind"}:
            jsonschema.validate(detail[name], REPORT["properties"][name] | {"$defs": REPORT["$defs"]})


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
