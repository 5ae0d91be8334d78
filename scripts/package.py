"""`make package`: what a release is made of, in `dist/`, for one architecture.

The archive that Lambda takes, a template that names it, and what is deployed with it. The same program makes the same
archive, byte for byte. A program that Lambda could not run is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import sys
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
NAME = "s3-replication-remediator"
# The C library of Amazon Linux 2023, on which `provided.al2023` runs:
# https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html
GLIBC = (2, 34)
# e_machine of the ELF header.
MACHINES = {"x86_64": 62, "arm64": 183}
LARGEST = 6_000_000
DEPLOYED_WITH_IT = ("template-member.yaml", "forward-drift.yaml", "samconfig.toml", "LICENSE", "README.md")
# Zip knows no time before.
EPOCH = (1980, 1, 1, 0, 0, 0)


class Unfit(Exception):
    """What would be released cannot be."""


def examine(program: bytes, architecture: str) -> None:
    """Refuse a program that Lambda could not run."""
    if program[:4] != b"\x7fELF":
        raise Unfit("the program is no ELF file: build it with `make build`")
    machine = int.from_bytes(program[18:20], "little")
    if machine != MACHINES[architecture]:
        raise Unfit(f"the program is not built for {architecture}: its ELF header names machine {machine}")
    needed = max(
        ((int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", program)), default=(0, 0)
    )
    if needed > GLIBC:
        raise Unfit(f"the program needs glibc {needed[0]}.{needed[1]}; Amazon Linux 2023 has {GLIBC[0]}.{GLIBC[1]}")


def pack(program: bytes, archive: Path) -> None:
    """The archive that Lambda takes."""
    entry = zipfile.ZipInfo("bootstrap", EPOCH)
    entry.external_attr = 0o755 << 16
    entry.create_system = 3
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr(entry, program, zipfile.ZIP_DEFLATED, 9)
    if archive.stat().st_size > LARGEST:
        raise Unfit(f"{archive.name} has {archive.stat().st_size} bytes; more than {LARGEST} slow every cold start")


def template_for(architecture: str, archive: str) -> str:
    """The template with the archive in the place of the source, for that architecture."""
    template = (PROJECT / "template.yaml").read_text()
    for old, new in (
        ("      CodeUri: .\n", f"      CodeUri: {archive}\n"),
        ("    Default: x86_64\n    AllowedValues: [x86_64, arm64]\n",
         f"    Default: {architecture}\n    AllowedValues: [{architecture}]\n"),
    ):
        if template.count(old) != 1:
            raise Unfit(f"template.yaml has {template.count(old)} times {old!r}")
        template = template.replace(old, new)
    return template


def released(tag: str) -> str:
    """What the changelog says of a tag, which must be that of the version in `Cargo.toml`."""
    (version,) = re.findall(r'^version = "([^"]+)"$', (PROJECT / "Cargo.toml").read_text(), re.MULTILINE)
    if tag != f"v{version}":
        raise Unfit(f"the tag is {tag}, and Cargo.toml has version {version}")
    changelog = (PROJECT / "CHANGELOG.md").read_text()
    found = re.search(rf"^## {re.escape(version)} .*?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not found:
        raise Unfit(f"CHANGELOG.md has no chapter `## {version} - <date>`")
    return found[1].strip() + "\n"


def write_checksums(folder: Path) -> None:
    """In the form that `sha256sum --check` takes."""
    files = sorted(path for path in folder.iterdir() if path.name != "SHA256SUMS")
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (folder / "SHA256SUMS").write_text(sums)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", choices=MACHINES, default="x86_64")
    parser.add_argument("--program", type=Path, help="the built function; without it only checksums are written")
    parser.add_argument("--tag", help="print what the changelog says of this tag, and do nothing else")
    parser.add_argument("--folder", type=Path, default=PROJECT / "dist")
    chosen = parser.parse_args()
    try:
        if chosen.tag:
            print(released(chosen.tag), end="")
            return 0
        chosen.folder.mkdir(parents=True, exist_ok=True)
        if chosen.program:
            program = chosen.program.read_bytes()
            examine(program, chosen.architecture)
            archive = chosen.folder / f"{NAME}-{chosen.architecture}.zip"
            pack(program, archive)
            template = chosen.folder / f"template-{chosen.architecture}.yaml"
            template.write_text(template_for(chosen.architecture, archive.name))
            for file in DEPLOYED_WITH_IT:
                shutil.copy(PROJECT / file, chosen.folder)
        write_checksums(chosen.folder)
    except Unfit as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
