"""`make deploy`, once `sam build` is through: asks for the settings, and offers what was answered the last time.

To SAM, parameters on the command line replace all that `samconfig.toml` keeps, and the architecture has to stand there,
because the function was built for it. So the kept answers are handed over beside it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import tomlkit

ANSWERS = Path("samconfig.toml")


def kept(text: str) -> list[str]:
    """The parameters that a configuration of SAM keeps, as its command line takes them."""
    value = tomlkit.parse(text).unwrap()
    for name in ("default", "deploy", "parameters", "parameter_overrides"):
        value = value.get(name, {})
    return value if isinstance(value, list) else [value] if value else []


def main(architecture: str, *options: str) -> None:
    parameters = [*kept(ANSWERS.read_text()), f"Architecture={architecture}"]
    os.execvp("sam", ["sam", "deploy", "--guided", *options, "--parameter-overrides", *parameters])


if __name__ == "__main__":
    main(*sys.argv[1:])
