"""The arithmetic of the manual's costs, added up again, and held against what the stack consists of."""

from __future__ import annotations

import re

from test_template import FUNCTION, ROOT, TEMPLATE
from test_watching import ALARMS, measured

MANUAL = (ROOT / "docs" / "OPERATING.md").read_text()
COST = " ".join(MANUAL.split("\n## Cost\n")[1].split("\n## ")[0].split())


def number(pattern: str) -> float:
    (found,) = re.findall(pattern, COST)
    return float(found.replace(",", ""))


def test_the_stack_at_rest_is_the_sum_of_its_lines() -> None:
    assert number(r"\| alarms \| (\d+) × 0\.10 \|") == len(ALARMS)
    assert number(r"× 0\.10 \| ([\d.]+) \|") == round(len(ALARMS) * 0.10, 2)
    pollers, minutes = number(r"(\d+) pollers"), number(r"([\d,]+) minutes =")
    requests = number(r"minutes = ([\d,]+) requests")
    # Each poller waits for up to twenty seconds.
    assert (pollers * 3 * minutes, minutes) == (requests, 30 * 24 * 60)
    polling = number(r"0\.40 a million \| ([\d.]+) \|")
    assert polling == round(requests * 0.40 / 1_000_000, 2)
    assert number(r"the stack at rest\*\* \| \| \*\*([\d.]+)\*\*") == round(len(ALARMS) * 0.10 + polling, 2)


def test_the_metrics_are_those_that_the_function_writes() -> None:
    ours = {name for namespace, name, by in measured() if namespace == "S3ReplicationRemediator" and not by}
    assert number(r"(\d+) × 0\.30 \| up to") == len(ours)
    assert number(r"up to ([\d.]+) \|") == round(len(ours) * 0.30, 2)


def test_a_look_costs_the_sum_of_its_parts_with_the_memory_of_the_template() -> None:
    assert FUNCTION["MemorySize"] == {"Ref": "MemorySize"}
    memory = number(r"about a second with (\d+) MB")
    assert memory == TEMPLATE["Parameters"]["MemorySize"]["Default"]
    parts = [
        number(r"(\d+) of S3") * 0.0004 / 1_000, number(r"(\d+) of KMS") * 0.03 / 10_000,
        memory / 1024 * 0.0000167 + 0.0000002, number(r"(\d+) kB of log") * 0.50 / 1_000_000,
    ]
    (written,) = re.findall(r"That is ([\d. +]+), about ([\d.]+)\d?\.", COST)
    assert [f"{part:.7f}" for part in parts] == written[0].split(" + ")
    assert f"{sum(parts):.5f}" == written[1]


def test_the_table_of_buckets_is_that_sum_times_the_looks() -> None:
    rest, look = number(r"the stack at rest\*\* \| \| \*\*([\d.]+)\*\*"), number(r", about (0\.0000\d+)\.")
    rows = re.findall(r"\| ([\d,]+) \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \|", COST)
    assert [row[0] for row in rows] == ["10", "100", "1,000"]
    for buckets, looks, cost, together in rows:
        count = int(looks.replace(",", ""))
        assert count == 30 * int(buckets.replace(",", ""))
        assert (float(cost), float(together)) == (round(count * look, 2), round(rest + count * look, 2))
