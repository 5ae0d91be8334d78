"""`make invoke EVENT=<file>`: hand an event to the function, in an emulated account whose replication is broken."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from emulator import Emulator, end_on_termination
from seed import seed
from stack import Stack


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("bootstrap", type=Path, help="the function's program")
    arguments.add_argument("event", type=Path, help="a JSON file, such as those in events/")
    arguments.add_argument("--seed", default="many-reasons", help="a name in tests/deployed/seeds")
    chosen = arguments.parse_args()
    if not chosen.event.is_file():
        arguments.error(f"no such file: {chosen.event}")
    try:
        event = json.loads(chosen.event.read_text())
    except ValueError as error:
        arguments.error(f"{chosen.event} is not JSON: {error}")
    end_on_termination()
    with Emulator() as emulator:
        seed(emulator, chosen.seed)
        print(json.dumps(Stack(emulator, chosen.bootstrap).invoke(event), indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
