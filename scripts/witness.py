"""The emulator, with every decision about a permission written to a file: who asked for which action on what.

It stands where the emulator asks its own evaluator, so that what is written is what was asked for on the wire, and not
what the function says of itself. `Emulator` starts it in place of the emulator where `EMULATOR_DECISIONS` names a file.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ministack import app
from ministack.core import iam_evaluator


def main() -> None:
    decide = iam_evaluator.evaluate
    # What is left of the command line is the emulator's.
    file = os.open(sys.argv.pop(), os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write_down(context: Any, *policies: Any) -> Any:
        result = decide(context, *policies)
        decision = {
            "principal": context.principal_arn, "action": context.action, "resource": context.resource_arn,
            "allowed": result.decision == "Allow", "emulator": os.environ["GATEWAY_PORT"],
        }
        # One write: lines of emulators that run side by side do not mix.
        os.write(file, json.dumps(decision).encode() + b"\n")
        return result

    iam_evaluator.evaluate = write_down
    app.main()


if __name__ == "__main__":
    main()
