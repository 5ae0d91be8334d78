"""What a release is made of, and what is refused as one."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import package
from stack import load_template


def program(machine: int = 62, glibc: str = "2.34") -> bytes:
    return b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little") + b"\0GLIBC_2.2.5\0GLIBC_" + glibc.encode() + b"\0"


@pytest.mark.parametrize(("wrong", "reason"), [
    (b"#!/bin/sh\n", "no ELF file"),
    (program(machine=183), "not built for x86_64"),
    (program(glibc="2.35"), "needs glibc 2.35"),
])
def test_a_program_that_lambda_could_not_run_is_refused(wrong: bytes, reason: str) -> None:
    with pytest.raises(package.Unfit, match=reason):
        package.examine(wrong, "x86_64")


def test_the_newest_glibc_is_found_by_number_and_not_by_letter() -> None:
    package.examine(program(glibc="2.9"), "x86_64")
    package.examine(program(machine=183, glibc="2.34"), "arm64")


def test_the_archive_holds_one_program_that_may_be_run_and_is_the_same_each_time(tmp_path: Path) -> None:
    archives = [tmp_path / "one.zip", tmp_path / "two.zip"]
    for archive in archives:
        package.pack(program(), archive)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as archive:
        (entry,) = archive.infolist()
        assert entry.filename == "bootstrap" and entry.external_attr >> 16 == 0o755
        assert archive.read(entry) == program()


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_a_release_is_whole_and_its_checksums_hold(tmp_path: Path, architecture: str) -> None:
    built = tmp_path / "bootstrap"
    built.write_bytes(program(package.MACHINES[architecture]))
    folder = tmp_path / "dist"
    command = [sys.executable, package.__file__, "--architecture", architecture, "--program", str(built)]
    subprocess.run([*command, "--folder", str(folder)], check=True)
    template = load_template(folder / f"template-{architecture}.yaml")
    function = template["Resources"]["Function"]["Properties"]
    assert (folder / function["CodeUri"]).is_file()
    assert template["Parameters"]["Architecture"]["Default"] == architecture
    sums = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert sums.keys() == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    for name, expected in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected


def test_a_tag_that_is_not_the_version_is_no_release() -> None:
    with pytest.raises(package.Unfit, match="Cargo.toml has version"):
        package.released("v999.0.0")


def test_a_version_without_a_chapter_of_the_changelog_is_no_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "PROJECT", tmp_path)
    (tmp_path / "Cargo.toml").write_text('[package]\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- new\n\n## 1.2.2 - 2026-01-01\n\n- old\n")
    with pytest.raises(package.Unfit, match="no chapter"):
        package.released("v1.2.3")
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## 1.2.2", "## 1.2.3 - 2026-02-02\n\n- this\n\n## 1.2.2"))
    assert package.released("v1.2.3") == "- this\n"


def workflows() -> list[Path]:
    return sorted((package.PROJECT / ".github" / "workflows").glob("*.yml"))


def test_workflows_pin_every_action_by_its_commit_and_hold_no_right_that_a_job_does_not_name() -> None:
    assert [path.name for path in workflows()] == ["ci.yml", "release.yml"]
    for path in workflows():
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {}, path
        for job in workflow["jobs"].values():
            assert "permissions" in job and "timeout-minutes" in job
            for step in job["steps"]:
                if "uses" in step:
                    action, commit = step["uses"].split("@")
                    assert action.startswith("actions/") and len(commit) == 40, step
                    assert step["with"]["persist-credentials"] is False if action == "actions/checkout" else True


def test_only_the_job_that_publishes_may_write() -> None:
    (release,) = (yaml.safe_load(path.read_text()) for path in workflows() if path.name == "release.yml")
    writers = {name for name, job in release["jobs"].items() if "write" in job["permissions"].values()}
    assert writers == {"publish"}
    assert set(release["jobs"]["publish"]["needs"]) == {"test", "build"}
