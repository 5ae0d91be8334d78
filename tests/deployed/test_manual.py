"""The AWS commands that documents, reports and the stack tell people to run, run as they stand there.

`tests/template/documented.py` says of each command whether it is run here, and why not where it is not. What stands in
capitals is filled in, as a person would; nothing else is changed but what the first version of the AWS CLI, which is
installed here, does not need to be told.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Deploy
from demo import commands
from documented import DOCUMENTS, RUN, TRIED, TRIED_OF_OUTPUTS, TRIED_OF_REPORTS, head, in_blocks, words_of
from emulator import ACCOUNT, Emulator
from seed import seed
from stack import PROJECT, REGION

OTHER = "eu-central-1"
ONLY_SECOND_VERSION = "--cli-binary-format raw-in-base64-out"
# The document with an example of each check, a whole report with its plan, and one more about a key.
REPORTS = [
    "docs/CHECKS.md", "tests/core/handler/many-reasons.txt",
    "tests/scenarios/replica-key-is-a-multi-region-key-without-relative/told.txt",
]


class Shell:
    """Runs commands as the account's owner, in the folder of the project, and keeps what failed."""

    def __init__(self, emulator: Emulator, folder: Path, **variables: str) -> None:
        self._environment = emulator.owner_environment(AWS_REGION=REGION, AWS_DEFAULT_REGION=REGION, **variables)
        self._folder = folder
        self.ran: set[str | None] = set()
        self.failed: dict[str, str] = {}

    def run(self, command: str) -> None:
        done = subprocess.run(
            ["sh", "-c", command.replace(ONLY_SECOND_VERSION, "")], cwd=self._folder, env=self._environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        self.ran |= {head(words) for words in words_of(command) if words[0] == "aws"}
        if done.returncode:
            self.failed[command] = done.stdout[-600:]


def run_here(table: dict[str, str]) -> set[str]:
    return {name for name, how in table.items() if how == RUN}


def to_run(text: str, table: dict[str, str]) -> Iterator[str]:
    """The commands of a text that consist of nothing but what is run here."""
    for command in commands(text):
        if {head(words) for words in words_of(command) if words[0] == "aws"} <= run_here(table):
            yield command


def filled_in(command: str, values: dict[str, str]) -> str:
    return re.sub(r"\b[A-Z]{2,}(?:_[A-Z]+)*\b", lambda name: values.get(name[0], name[0]), command)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder from which the templates are deployed as from that of the project."""
    for template in PROJECT.glob("*.yaml"):
        (tmp_path / template.name).symlink_to(template)
    return tmp_path


def test_the_commands_of_the_documents(emulator: Emulator, deploy: Deploy, project: Path) -> None:
    seeded = seed(emulator, "healthy")
    stack = deploy()
    emulator.client("sns", OTHER).create_topic(Name="failures")
    values = {
        "FUNCTION": stack.outputs["FunctionName"], "BUCKET": seeded.bucket, "TABLE": stack.outputs["LedgerTableName"],
        "QUEUE_ARN": stack.outputs["QueueArn"], "ACCOUNT": ACCOUNT, "HOME": REGION, "OTHER": OTHER, "TOPIC": "failures",
        "ROLE": seeded.role_name,
    }
    shell = Shell(emulator, project)
    for document in DOCUMENTS:
        for block in in_blocks(document.read_text()):
            for command in to_run(block, TRIED):
                shell.run(filled_in(command, values))
    assert shell.failed == {}
    assert shell.ran == run_here(TRIED)


def test_the_commands_that_the_stack_puts_out(emulator: Emulator, deploy: Deploy, project: Path) -> None:
    seeded = seed(emulator, "healthy")
    stack = deploy(TrustedAccounts="222222222222", MemberRoleName="reader", MemberRoleExternalId="an-id")
    shell = Shell(emulator, project, BUCKET=seeded.bucket)
    for output in stack.outputs.values():
        for command in to_run(output, TRIED_OF_OUTPUTS):
            shell.run(command)
    assert shell.failed == {}
    assert shell.ran == run_here(TRIED_OF_OUTPUTS)
    (statement,) = emulator.client("iam", REGION).get_role(RoleName="reader")["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "an-id"}}


def test_the_commands_that_reports_print(emulator: Emulator, deploy: Deploy, project: Path) -> None:
    """Of an example of each check, and of whole reports, told of what is there."""
    seeded = seed(emulator, "many-reasons")
    stack = deploy()
    kms = emulator.client("kms", REGION)
    related = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    names = {
        "invoices-replica": seeded.destination, "invoices": seeded.bucket,
        "--key-id replica": f"--key-id {seeded.replica_key}", "--key-id source": f"--key-id {seeded.source_key}",
        "--role-name crr": "--role-name made-again", "KEY_ARN": seeded.replica_key,
        "arn:aws:kms:eu-central-1:111122223333:key/replica": seeded.replica_key,
        "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab": related,
        # As the whole reports call them.
        "1234abcd-12ab-34cd-56ef-1234567890ab": seeded.source_key.rsplit("/", 1)[1],
        "5678efab-56ef-78ab-90cd-567890abcdef": seeded.replica_key.rsplit("/", 1)[1],
        "--function-name s3-replication-remediator": f"--function-name {stack.outputs['FunctionName']}",
    }
    # One remedy takes a configuration that its reader is to have in a file.
    kept = emulator.client("s3", REGION).get_bucket_replication(Bucket=seeded.bucket)["ReplicationConfiguration"]
    project.joinpath("replication.json").write_text(json.dumps(kept))
    shell = Shell(emulator, project, QUEUE_ARN=stack.outputs["QueueArn"])
    done: set[str] = set()
    for text in (PROJECT.joinpath(file).read_text() for file in REPORTS):
        for command in to_run(text, TRIED_OF_REPORTS):
            for name, ours in names.items():
                command = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", lambda _: ours, command)
            if "create-bucket" in command:
                command = command.replace(seeded.destination, "made-again")
            if "cancel-key-deletion" in command:
                emulator.client("kms", OTHER).schedule_key_deletion(KeyId=seeded.replica_key)
            if ids := re.search(r"""' '(\[".*"\])' && aws s3api put-bucket-replication""", command):
                # It changes rules of these ids, and nothing where one is missing.
                rules = [
                    kept["Rules"][0] | {"ID": id, "Priority": number, "Filter": {"Prefix": f"{number}/"}}
                    for number, id in enumerate(json.loads(ids[1]))
                ]
                emulator.client("s3", REGION).put_bucket_replication(
                    Bucket=seeded.bucket, ReplicationConfiguration=kept | {"Rules": rules}
                )
            if command not in done:
                shell.run(command)
                done.add(command)
    assert shell.failed == {}
    assert run_here(TRIED_OF_REPORTS) - shell.ran == set()
