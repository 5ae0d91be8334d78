"""The command line against the emulated account: every command, every form, every exit code."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import ACCOUNT, Emulator
from proxy import Proxy
from seed import SEEDS, Seeded, seed
from stack import REGION, wait_until

PROJECT = Path(__file__).resolve().parents[2]
HEALTHY, BROKEN, UNDETERMINED, USAGE, AT_RISK, UNREACHABLE, NOT_APPLIED = range(7)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def binary() -> Path:
    """What `cargo build` has left beside the function, unless another one is named."""
    beside = Path(os.environ["BOOTSTRAP"]).parent / "s3-replication-remediator"
    return Path(os.environ.get("COMMAND_LINE", beside))


@pytest.fixture
def run(emulator: Emulator, tmp_path: Path) -> Run:
    def start(*arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            # Nothing of whoever runs the tests may leak in, and nobody waits for a machine's own credentials.
            "HOME": str(tmp_path), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": emulator.endpoint, "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test",
        } | variables
        return subprocess.run(
            [binary(), *arguments], input=given, capture_output=True, text=True, timeout=120, cwd=tmp_path,
            env={name: value for name, value in environment.items() if value},
        )

    return start


def report(answer: subprocess.CompletedProcess[str]) -> Any:
    assert answer.stdout, answer.stderr
    return json.loads(answer.stdout)


def checks(told: dict[str, Any], severity: str) -> set[str]:
    return {finding["check"] for finding in told["findings"] if finding["severity"] == severity}


def inline_policies(emulator: Emulator, role: str) -> list[str]:
    names: list[str] = emulator.client("iam", REGION).list_role_policies(RoleName=role)["PolicyNames"]
    return names


@pytest.mark.parametrize("name", [file.stem for file in sorted(SEEDS.glob("*.yaml"))])
def test_check_finds_everything_that_the_seed_expects(emulator: Emulator, run: Run, name: str) -> None:
    seeded = seed(emulator, name)
    answer = run("check", seeded.bucket, "--output", "json")
    told = report(answer)
    assert told["verdict"] == seeded.expected["verdict"]
    assert checks(told, "error") == set(seeded.expected["errors"])
    assert checks(told, "warning") == set(seeded.expected["warnings"])
    assert answer.returncode == {"healthy": HEALTHY, "broken": BROKEN, "at-risk": HEALTHY}[told["verdict"]]
    assert answer.stderr == ""


def test_what_the_report_says_to_paste_is_understood(emulator: Emulator, run: Run) -> None:
    seeded = seed(emulator, "many-reasons")
    told = report(run("check", seeded.bucket, "-o", "json", "--trusted-accounts", "444455556666"))
    assert told["mode"] == "approve"
    assert told["commands"]["check"] == (
        f"s3-replication-remediator check {seeded.bucket} --trusted-accounts 444455556666"
    )
    program, *arguments = shlex.split(told["commands"]["apply"])
    assert program == "s3-replication-remediator"
    applied = run(*arguments, "--yes", "-o", "json")
    assert report(applied)["outcome"]["status"] == "applied"
    program, *arguments = shlex.split(report(applied)["commands"]["undo"])
    shown = run(*arguments, "-o", "json")
    assert shown.returncode == HEALTHY, shown.stderr
    assert report(shown)["plan"]["changes"][0]["kind"] == "delete-role-policy"


def test_a_plan_is_applied_by_its_digest_and_taken_back(emulator: Emulator, run: Run) -> None:
    seeded = seed(emulator, "many-reasons")
    before = inline_policies(emulator, seeded.role_name)
    digest = report(run("check", seeded.bucket, "-o", "json"))["plan"]["digest"]

    other = run("apply", seeded.bucket, "--plan", digest[:-1] + ("0" if digest[-1] != "0" else "1"), "--yes", "-o", "json")
    assert other.returncode == NOT_APPLIED
    assert report(other)["outcome"]["status"] == "refused"
    assert inline_policies(emulator, seeded.role_name) == before

    applied = run("apply", seeded.bucket, "--plan", digest, "--yes", "-o", "json")
    # The key that a person must enable is still disabled.
    assert applied.returncode == BROKEN
    assert report(applied)["outcome"]["status"] == "applied"
    assert run("apply", seeded.bucket, "--plan", digest, "--yes", "--fail-on", "never").returncode == HEALTHY
    assert len(inline_policies(emulator, seeded.role_name)) == len(before) + 1

    shown = run("undo", seeded.bucket, "-o", "json")
    assert shown.returncode == HEALTHY
    assert len(inline_policies(emulator, seeded.role_name)) == len(before) + 1
    undone = run("undo", seeded.bucket, "--plan", report(shown)["plan"]["digest"], "--yes", "-o", "json")
    assert undone.returncode == HEALTHY
    assert report(undone)["outcome"]["status"] == "applied"
    assert inline_policies(emulator, seeded.role_name) == before


def test_guards_hold_for_people_too(emulator: Emulator, run: Run) -> None:
    seeded = seed(emulator, "many-reasons")
    told = report(run("check", seeded.bucket, "-o", "json", "--opt-in-tag", "some=other"))
    assert told["plan"]["changes"] == []
    assert told["plan"]["withheld"]
    digest = told["plan"]["digest"]
    refused = run("apply", seeded.bucket, "--plan", digest, "--yes", "--opt-in-tag", "some=other")
    assert refused.returncode == BROKEN
    dry = run("apply", seeded.bucket, "--plan", digest, "--yes", "--mode", "dry-run", "-o", "json")
    assert dry.returncode == NOT_APPLIED
    assert len(inline_policies(emulator, seeded.role_name)) == 1


def test_a_person_at_a_terminal_is_shown_the_plan_and_asked(emulator: Emulator, run: Run, tmp_path: Path) -> None:
    seeded = seed(emulator, "many-reasons")
    before = inline_policies(emulator, seeded.role_name)

    def at_a_terminal(answer: str) -> subprocess.CompletedProcess[str]:
        """`script` lends the program a terminal."""
        command = shlex.join([str(binary()), "apply", seeded.bucket])
        return run_script(command, answer, emulator, tmp_path)

    declined = at_a_terminal("y\n")
    assert declined.returncode == NOT_APPLIED, declined.stdout
    assert "Only `yes` is taken" in declined.stdout and "Nothing was changed." in declined.stdout
    assert "\x1b[" in declined.stdout
    assert inline_policies(emulator, seeded.role_name) == before
    agreed = at_a_terminal("yes\n")
    assert agreed.returncode == BROKEN, agreed.stdout
    assert len(inline_policies(emulator, seeded.role_name)) == len(before) + 1


def run_script(command: str, answer: str, emulator: Emulator, home: Path) -> subprocess.CompletedProcess[str]:
    environment = emulator.owner_environment(
        HOME=str(home), AWS_REGION=REGION, AWS_EC2_METADATA_DISABLED="true", TERM="xterm"
    )
    return subprocess.run(
        ["script", "--quiet", "--return", "--command", command, "/dev/null"],
        input=answer, capture_output=True, text=True, timeout=120, env=environment,
    )


@pytest.mark.parametrize(
    ("form", "holds"),
    [
        ("text", "BROKEN: amzn-s3-demo-source-bucket: "),
        ("markdown", "# ❌ `amzn-s3-demo-source-bucket` broken"),
        ("html", "<!doctype html>"),
        ("json", '"schema": "s3-replication-remediator/report/v1"'),
        ("sarif", '"version": "2.1.0"'),
    ],
)
def test_every_form_is_written_to_a_file_too(
    emulator: Emulator, run: Run, tmp_path: Path, form: str, holds: str
) -> None:
    seeded = seed(emulator, "many-reasons")
    answer = run("check", seeded.bucket, "-o", form, "--output-file", "report", "--color", "always")
    assert (answer.returncode, answer.stdout, answer.stderr) == (BROKEN, "", "")
    text = (tmp_path / "report").read_text()
    assert holds in text
    assert "\x1b" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report"]


def test_all_buckets_with_a_configuration_are_looked_at(emulator: Emulator, run: Run, tmp_path: Path) -> None:
    seeded = seed(emulator, "many-reasons")
    s3 = emulator.client("s3", seeded.region)
    for name in ("no-replication-here", "opted-out"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": seeded.region})
    s3.put_bucket_versioning(Bucket="opted-out", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_replication(
        Bucket="opted-out",
        ReplicationConfiguration=s3.get_bucket_replication(Bucket=seeded.bucket)["ReplicationConfiguration"],
    )
    tag = {"Key": "s3-replication-remediator", "Value": "ignore"}
    s3.put_bucket_tagging(Bucket="opted-out", Tagging={"TagSet": [tag]})

    # From another Region than the buckets'.
    answer = run("check", "--all", "-o", "json", "--resume", "state", "--region", "ap-southeast-2")
    assert [told["bucket"]["name"] for told in report(answer)] == [seeded.bucket]
    assert answer.returncode == BROKEN
    assert "passed over" in answer.stderr and "opted-out" in answer.stderr
    # It has come to its end, so there is nothing to go on from.
    assert not (tmp_path / "state").exists()
    # Who names it is answered.
    assert report(run("check", "opted-out", "-o", "json"))["bucket"]["name"] == "opted-out"


def test_an_interrupted_run_goes_on_where_it_was(emulator: Emulator, run: Run, tmp_path: Path) -> None:
    seeded = seed(emulator, "many-reasons")
    s3 = emulator.client("s3", seeded.region)
    for number in range(20):
        s3.create_bucket(Bucket=f"plain-{number}", CreateBucketConfiguration={"LocationConstraint": seeded.region})
    state = tmp_path / "state"
    # Slow enough to be interrupted: the seed's own buckets come first.
    with Proxy(emulator.endpoint, latency=0.2) as proxy:
        interrupted = subprocess.Popen(
            [binary(), "check", "--all", "--resume", "state", "--jobs", "1"], cwd=tmp_path,
            env=emulator.owner_environment(
                HOME=str(tmp_path), AWS_REGION=REGION, AWS_EC2_METADATA_DISABLED="true", AWS_ENDPOINT_URL=proxy.endpoint
            ),
        )
        wait_until(lambda: state.exists() and state.read_text().count("\n") > 4, 60, lambda: "nothing was noted")
        interrupted.send_signal(signal.SIGINT)
        assert interrupted.wait(30) == -signal.SIGINT
    lines = state.read_text().splitlines(keepends=True)
    assert seeded.bucket in "".join(lines[1:]) and "plain-9" not in "".join(lines)
    # An interruption in the midst of a line.
    state.write_text("".join(lines) + '{"bucket":"amzn')

    other = run("check", "--all", "--resume", "state", "--trusted-accounts", "444455556666")
    assert other.returncode == USAGE and "another run" in other.stderr
    foreign = tmp_path / "notes"
    foreign.write_text("my notes\n")
    refused = run("check", "--all", "--resume", "notes")
    assert refused.returncode == USAGE and foreign.read_text() == "my notes\n"

    again = run("check", "--all", "--resume", "state", "-o", "json")
    assert f"going on: {len(lines) - 1} buckets are done already" in again.stderr
    (told,) = report(again)
    (noted,) = [json.loads(line) for line in lines[1:] if json.loads(line)["looked"]]
    assert told["id"] == noted["looked"]["report"]["id"]
    assert not state.exists()


def test_several_buckets_are_a_list_in_the_order_asked_for(emulator: Emulator, run: Run) -> None:
    seeded = seed(emulator, "healthy")
    answer = run("check", seeded.destination, seeded.bucket, seeded.bucket, "-o", "json")
    assert [told["bucket"]["name"] for told in report(answer)] == [seeded.destination, seeded.bucket]


def test_a_configuration_is_looked_at_before_it_is_put(emulator: Emulator, run: Run, tmp_path: Path) -> None:
    seeded = seed(emulator, "healthy")
    s3 = emulator.client("s3", seeded.region)
    configuration = s3.get_bucket_replication(Bucket=seeded.bucket)["ReplicationConfiguration"]
    s3.delete_bucket_replication(Bucket=seeded.bucket)
    file = tmp_path / "replication.json"
    arguments = ["check", "--config", "replication.json", "--bucket", seeded.bucket, "-o", "json"]

    file.write_text(json.dumps({"ReplicationConfiguration": configuration}))
    good = run(*arguments)
    assert (good.returncode, report(good)["verdict"]) == (HEALTHY, "healthy"), good.stdout

    key = configuration["Rules"][0]["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"]
    configuration["Rules"][0]["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"] = key[:-4] + "0000"
    file.write_text(json.dumps(configuration, indent=2))
    bad = run(*arguments)
    assert bad.returncode == BROKEN
    assert "replica-key-not-found" in checks(report(bad), "error")
    assert report(bad)["mode"] == "dry-run"
    sarif = json.loads(run(*arguments[:-1], "sarif").stdout)
    place = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "replication.json"
    assert place["region"]["startLine"] > 1
    # Nothing was put.
    with pytest.raises(s3.exceptions.ClientError):
        s3.get_bucket_replication(Bucket=seeded.bucket)


def test_who_may_not_look_is_told_what_is_not_known(emulator: Emulator, run: Run) -> None:
    """A user, with rights for a part of it."""
    seeded = seed(emulator, "healthy")
    iam = emulator.client("iam", REGION)
    iam.create_user(UserName="auditor")
    may = {"Effect": "Allow", "Action": ["s3:Get*", "s3:ListBucket", "s3:ListAllMyBuckets"], "Resource": "*"}
    iam.put_user_policy(
        UserName="auditor", PolicyName="look",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [may]}),
    )
    key = iam.create_access_key(UserName="auditor")["AccessKey"]
    as_user = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    answer = run("check", seeded.bucket, "-o", "json", **as_user)
    assert (answer.returncode, report(answer)["verdict"]) == (UNDETERMINED, "undetermined")
    assert any("iam:" in unread["permit"] for unread in report(answer)["unread"])
    assert run("check", seeded.bucket, "--fail-on", "broken", **as_user).returncode == HEALTHY
    # The same from a profile, which goes before the environment.
    credentials = f"[auditor]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = {key['SecretAccessKey']}\n"
    told = run_with_profile(run, credentials, "check", seeded.bucket, "--profile", "auditor", "-o", "json")
    assert report(told)["verdict"] == "undetermined"
    assert " --profile auditor" in report(told)["commands"]["check"]


def run_with_profile(run: Run, credentials: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(credentials)
        file.flush()
        return run(*arguments, AWS_SHARED_CREDENTIALS_FILE=file.name)


def test_at_risk_fails_only_where_that_is_asked_for(emulator: Emulator, run: Run) -> None:
    seeded = seed(emulator, "healthy")
    s3 = emulator.client("s3", seeded.region)
    configuration = s3.get_bucket_replication(Bucket=seeded.bucket)["ReplicationConfiguration"]
    configuration["Rules"][0]["Destination"].pop("Metrics")
    s3.put_bucket_replication(Bucket=seeded.bucket, ReplicationConfiguration=configuration)
    assert run("check", seeded.bucket).returncode == HEALTHY
    assert run("check", seeded.bucket, "--fail-on", "at-risk").returncode == AT_RISK


def test_wrong_credentials_are_told_as_such(run: Run) -> None:
    answer = run("check", "--all", AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE")
    assert answer.returncode == UNREACHABLE
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: AWS cannot be asked")


def test_events_are_decoded_without_aws(run: Run) -> None:
    event = PROJECT / "events" / "cloudtrail" / "put-kms-rule.json"
    answer = run("decode", "-", "-o", "json", given=event.read_text(), AWS_ENDPOINT_URL="http://127.0.0.1:9")
    (subject,) = report(answer)["subjects"]
    assert (subject["kind"], subject["change"]) == ("replication-configured", "configured")


def test_sarif_and_json_are_what_their_schemas_say(emulator: Emulator, run: Run, tmp_path: Path) -> None:
    # An environment of its own, installed for nothing but the schema and the validator that it brings.
    python = PROJECT / ".tools" / "sarif" / "bin" / "python"
    assert python.exists(), "run `make tools`"
    (sarif,) = python.parent.parent.glob("lib/python*/site-packages/sarif-schema.json")
    written = {file: sarif for file in (PROJECT / "tests" / "cli" / "forms").glob("*.sarif")}
    assert written
    # Its name is no address, under which the validator would look for it.
    of_reports = tmp_path / "schema"
    named = json.loads((PROJECT / "docs" / "report-v1.schema.json").read_text())
    of_reports.write_text(json.dumps({name: value for name, value in named.items() if name != "$id"}))
    seeded = seed(emulator, "many-reasons")
    for bucket in (seeded.bucket, seeded.destination):
        for form, schema in (("sarif", sarif), ("json", of_reports)):
            file = tmp_path / f"{bucket}.{form}"
            run("check", bucket, "-o", form, "--output-file", str(file))
            written[file] = schema
    for file, schema in written.items():
        subprocess.run([python, "-m", "jsonschema", "--instance", file, schema], check=True)
