"""The installation as the README has it, with SAM's own commands, into an emulated account."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from conftest import Deploy
from emulator import DECISIONS, Emulator
from seed import seed
from stack import NAME, PROJECT, REGION, TEMPLATE, load_template

SAM = PROJECT / ".tools" / "build" / "bin" / "sam"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A project as `sam build` leaves it, but for the program, which is not run here."""
    folder = tmp_path / ".aws-sam" / "build" / "Function"
    folder.mkdir(parents=True)
    (folder / "bootstrap").write_text("#!/bin/sh\n")
    template = TEMPLATE.read_text()
    assert template.count("CodeUri: .\n") == 1
    for file in ("LICENSE", "README.md"):
        shutil.copy(PROJECT / file, folder.parent)
    (folder.parent / "template.yaml").write_text(template.replace("CodeUri: .\n", "CodeUri: Function\n"))
    shutil.copy(PROJECT / "samconfig.toml", tmp_path)
    return tmp_path


def sam(emulator: Emulator, folder: Path, arguments: str, answers: str = "") -> str:
    environment = emulator.owner_environment(AWS_DEFAULT_REGION=REGION, SAM_CLI_TELEMETRY="0", HOME=str(folder))
    done = subprocess.run(
        [str(SAM), *arguments.split()], cwd=folder, env=environment, input=answers, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_every_answer_of_the_guide_may_be_its_default(emulator: Emulator, built: Path) -> None:
    # One empty line for each question, and a yes to the changes that are shown.
    questions = len(load_template()["Parameters"]) + 8
    sam(emulator, built, "deploy --guided --no-confirm-changeset", "\n" * questions + "y\n" * 4)
    (stack,) = emulator.client("cloudformation", REGION).describe_stacks(StackName=NAME)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    # What was answered is kept for the next time.
    assert 'Mode=\\"dry-run\\"' in (built / "samconfig.toml").read_text()


def guided(emulator: Emulator, folder: Path, answers: list[str]) -> str:
    """`make deploy` after the build: the deployment alone, with the answers of a person, and Enter for the rest."""
    environment = emulator.owner_environment(AWS_DEFAULT_REGION=REGION, SAM_CLI_TELEMETRY="0", HOME=str(folder))
    environment["PATH"] = f"{SAM.parent}{os.pathsep}{environment['PATH']}"
    command = [str(SAM.with_name("python")), str(PROJECT / "scripts" / "deploy.py"), "x86_64", "--no-confirm-changeset"]
    done = subprocess.run(
        command, cwd=folder, env=environment, input="\n".join(answers) + "\n" * 60, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_what_was_answered_the_last_time_is_offered_the_next_time(emulator: Emulator, built: Path) -> None:
    """Or else whoever upgrades and presses Enter would be back in dry-run, and told nothing."""
    # Stack, Region, and the first parameter.
    guided(emulator, built, ["", "", "approve"])
    guided(emulator, built, [])
    (stack,) = emulator.client("cloudformation", REGION).describe_stacks(StackName=NAME)["Stacks"]
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert (parameters["Mode"], parameters["Architecture"]) == ("approve", "x86_64")


def test_the_shipped_configuration_deploys_without_questions(emulator: Emulator, built: Path) -> None:
    told = sam(emulator, built, "deploy --no-confirm-changeset --parameter-overrides Dashboard=true Tracing=true")
    assert "DashboardUrl" in told
    sam(emulator, built, f"delete --stack-name {NAME} --region {REGION} --no-prompts")
    stacks = emulator.client("cloudformation", REGION).list_stacks(StackStatusFilter=["DELETE_COMPLETE"])
    assert NAME in {stack["StackName"] for stack in stacks["StackSummaries"]}


def test_the_command_that_asks_about_a_bucket_can_be_pasted(
    emulator: Emulator, deploy: Deploy, tmp_path: Path
) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy()
    environment = emulator.owner_environment(AWS_REGION=REGION, BUCKET=seeded.bucket)
    # The first version of the AWS CLI, which is installed here, always does what this tells the second to do.
    command = stack.outputs["CheckBucket"].replace("--cli-binary-format raw-in-base64-out", "")
    done = subprocess.run(
        ["sh", "-c", command], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, check=True
    )
    # The report, and after it what the CLI says of the invocation.
    report, _ = json.JSONDecoder().raw_decode(done.stdout.decode())
    assert report["verdict"] == "broken"


def log_as_json(emulator: Emulator, name: str) -> None:
    """What the template's `LoggingConfig` is to Lambda, and not to the emulator."""
    function = emulator.client("lambda", REGION)
    settings = function.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    function.update_function_configuration(
        FunctionName=name, Environment={"Variables": settings | {"AWS_LAMBDA_LOG_FORMAT": "JSON"}}
    )


def test_the_dashboard_asks_the_log_for_what_the_function_writes_there(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy(Mode="auto", Dashboard="true")
    log_as_json(emulator, stack.outputs["FunctionName"])
    stack.send(seeded.recorded("cloudtrail/put-kms-rule.json"), seeded.recorded("cloudtrail/put-versioning.json"))
    stack.notifications(1)
    stack.await_empty_queue()
    written: dict[str, set[str]] = {}
    for line in re.findall(r"^\{.*\}$", stack.log(), re.MULTILINE):
        # The other lines are metrics.
        if fields := json.loads(line).get("fields"):
            written.setdefault(fields["message"], set()).update(fields)
    cloudwatch = emulator.client("cloudwatch", REGION)
    body = cloudwatch.get_dashboard(DashboardName=f"{NAME}-{REGION}")["DashboardBody"]
    queries = [
        widget["properties"]["query"] for widget in json.loads(body)["widgets"] if widget["type"] == "log"
    ]
    assert queries
    for query in queries:
        assert query.startswith(f"SOURCE '/aws/lambda/{NAME}' | ")
        if asked := re.search(r"fields\.message = '(\w+)'", query):
            assert set(re.findall(r"fields\.(\w+)", query)) <= written[asked[1]], query


def test_a_look_makes_as_many_calls_as_the_manual_reckons_with(emulator: Emulator, deploy: Deploy) -> None:
    manual = (PROJECT / "docs" / "OPERATING.md").read_text()
    calls = r"A look at a bucket with one rule makes about (\d+) AWS calls .*?: (\d+) of S3 .*?, (\d+) of KMS"
    (reckoned,) = re.findall(calls, manual, re.DOTALL)
    seeded = seed(emulator, "healthy")
    stack = deploy()
    before = len(written())
    stack.invoke({"command": "check", "bucket": seeded.bucket})
    (calls,) = re.findall(r"answered calls=(\d+)", stack.log())
    services = Counter(action.split(":")[0] for action, _ in decisions(emulator, before))
    for made, expected in zip([int(calls), services["s3"], services["kms"]], map(int, reckoned), strict=True):
        assert abs(made - expected) <= 3, (made, expected, services)


def written() -> list[str]:
    return Path(os.environ[DECISIONS]).read_text().splitlines()


def decisions(emulator: Emulator, start: int) -> set[tuple[str, str]]:
    """What was asked for in a role, from a line of the decisions on, and on what; one call may be decided more than once."""
    found = [json.loads(line) for line in written()[start:]]
    return {
        (decision["action"], decision["resource"]) for decision in found
        if emulator.endpoint.endswith(f":{decision['emulator']}") and ":assumed-role/" in decision.get("principal", "")
    }
