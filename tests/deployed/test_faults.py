"""A few of what `make faults` tries: calls of the function go wrong, and nothing wrong is told, nothing is lost."""

from __future__ import annotations

import os
import random
from pathlib import Path

from faults import run


def test_whatever_a_call_answers_nothing_wrong_is_told_and_no_message_is_lost() -> None:
    outcomes = run(Path(os.environ["BOOTSTRAP"]), workers=4, cases=None, chance=random.Random(1), combinations=0)
    assert len(outcomes) > 40
    assert not [f"{outcome.case}: {outcome.wrong}" for outcome in outcomes if outcome.wrong]
