"""What a release is made of, and what is refused as one."""

from __future__ import annotations

import hashlib
import re
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


def need_target(folder: Path, architecture: str, rustup: str | None = None) -> subprocess.CompletedProcess[str]:
    """`scripts/need-target` with a Rust that has no standard library but that of this folder."""
    programs = {"rustc": f'echo "{folder}/$4"'}
    if rustup:
        programs["rustup"] = rustup
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return subprocess.run(
        [package.PROJECT / "scripts" / "need-target", architecture], capture_output=True, text=True,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
    )


def test_a_rust_that_cannot_build_for_an_architecture_is_told_before_the_build_and_with_what_to_do(
    tmp_path: Path,
) -> None:
    for rustup in (None, "exit 1"):
        told = need_target(tmp_path, "arm64", rustup)
        assert told.returncode == 1 and "rustup target add aarch64-unknown-linux-gnu" in told.stderr
    assert need_target(tmp_path, "arm64", "exit 0").returncode == 0
    (tmp_path / "x86_64-unknown-linux-gnu").mkdir()
    assert need_target(tmp_path, "x86_64", "exit 1").returncode == 0
    told = need_target(tmp_path, "aarch64")
    assert told.returncode == 1 and "x86_64 or arm64, not `aarch64`" in told.stderr


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
    # Whatever the manual has people deploy beside it.
    assert {path.name for path in package.PROJECT.glob("*.yaml")} - {"template.yaml"} <= {path.name for path in folder.iterdir()}
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


def test_the_job_that_may_write_runs_no_code_of_others() -> None:
    """What is built, or installed to build with, has nothing of ours within reach there."""
    (release,) = (yaml.safe_load(path.read_text()) for path in workflows() if path.name == "release.yml")
    commands = " ".join(step.get("run", "") for step in release["jobs"]["publish"]["steps"])
    assert not re.search(r"\b(make|cargo|pip|npm|npx|curl|wget)\b", commands)


def test_only_the_job_that_publishes_may_write() -> None:
    (release,) = (yaml.safe_load(path.read_text()) for path in workflows() if path.name == "release.yml")
    writers = {name for name, job in release["jobs"].items() if "write" in job["permissions"].values()}
    assert writers == {"publish"}
    assert set(release["jobs"]["publish"]["needs"]) == {"test", "build", "sbom"}
