"""Where measured tables stand in the documents: between marks that name them.

`document.py <document> <name>` writes there what it reads.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


def write(document: str, name: str, text: str) -> None:
    """Replace what stands between the marks of that name."""
    path = DOCS / document
    marks = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
    after, count = re.subn(marks, lambda found: f"{found[1]}{text}\n{found[2]}", path.read_text(), flags=re.DOTALL)
    if not count:
        raise SystemExit(f"{path} has no place for `{name}`")
    path.write_text(after)


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2], sys.stdin.read().strip())
