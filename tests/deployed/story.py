"""The stories of `tests/scenarios`, read with the rules by which the in-memory tests read them."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"


@dataclass(frozen=True)
class Story:
    """An account, what woke the program, and all that it must say."""

    name: str
    account: dict[str, Any]
    event: dict[str, Any]
    settings: dict[str, Any]
    expected: dict[str, Any]


def stories() -> list[Story]:
    """Every story, in the order of the names."""
    folders = (path.parent for path in SCENARIOS.glob("**/account.json"))
    return [_story(str(folder.relative_to(SCENARIOS))) for folder in sorted(folders)]


def _story(name: str) -> Story:
    account = _account(name)
    return Story(
        name, account,
        event=_read(name, "event.json") or {"command": "check", "bucket": _source(account)},
        settings=_read(name, "settings.json") or {},
        expected=_read(name, "expected.json"),
    )


def _read(name: str, file: str) -> Any:
    path = SCENARIOS / name / file
    return json.loads(path.read_text()) if path.exists() else None


def _account(name: str) -> Any:
    """The account of a story, with what it takes from the one that it is like."""
    written = _read(name, "account.json")
    like = written.pop("like", None)
    return patched(_account(like), written) if like else written


def _source(account: dict[str, Any]) -> str:
    """The one bucket that replicates."""
    (source,) = (name for name, bucket in account["buckets"].items() if bucket.get("replication"))
    return str(source)


def patched(target: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7386), and a way into lists: see the README of the stories."""
    if not isinstance(patch, dict):
        return patch
    if isinstance(target, list):
        return _patched_list(target, patch)
    result = deepcopy(target) if isinstance(target, dict) else {}
    for name, change in patch.items():
        if change is None:
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), change)
    return result


def _patched_list(target: list[Any], patch: dict[str, Any]) -> list[Any]:
    result = deepcopy(target)
    for name, change in patch.items():
        if name.startswith("+"):
            result.append(patched(None, change))
            continue
        at = _position(result, name)
        if change is None:
            del result[at]
        else:
            result[at] = patched(result[at], change)
    return result


def _position(elements: list[Any], name: str) -> int:
    """Where an element is: by the value of its `Sid`, `ID` or `key`, or by number."""
    for at, element in enumerate(elements):
        if isinstance(element, dict) and name in (element.get("Sid"), element.get("ID"), element.get("key")):
            return at
    return int(name)
