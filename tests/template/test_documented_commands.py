"""Every AWS command that a document, the stack or a report tells a person to run, held against the AWS CLI's own model.

Nothing is run here: service, operation, the names of options, and that none is missing which the operation needs. What
a command does is tried against the emulator by `tests/deployed/test_manual.py`, as far as the emulator has it; of each
command, of whatever program, `documented.py` says how it was tried.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from awscli.clidriver import create_clidriver

from demo import commands
from documented import DOCUMENTS, TRIED, TRIED_OF_OUTPUTS, TRIED_OF_REPORTS, head, heads, words_of
from resolver import Resolver
from test_template import ROOT, TEMPLATE

REPORTS = sorted([*ROOT.glob("tests/scenarios/**/told.txt"), *ROOT.glob("tests/core/handler/*.txt")])
# What only the second version of the CLI has, and the first, which is installed here, has not:
# https://docs.aws.amazon.com/cli/latest/reference/logs/tail.html
SECOND_VERSION = {("logs", "tail"): {"since", "follow", "format", "filter-pattern", "log-stream-names"}}
# https://docs.aws.amazon.com/cli/latest/reference/login/
WITHOUT_OPERATION = {"login"}
GLOBAL_OF_SECOND_VERSION = {"cli-binary-format", "no-cli-pager"}


@cache
def operations(service: str) -> Any:
    command = create_clidriver()._get_command_table()[service]
    return command._create_command_table() if hasattr(command, "_create_command_table") else command.subcommand_table


@cache
def global_options() -> set[str]:
    return set(create_clidriver()._get_argument_table()) | GLOBAL_OF_SECOND_VERSION


def calls(shell: str) -> Iterator[list[str]]:
    """The words of each call of `aws` in a shell command."""
    yield from (words for words in words_of(shell) if words[0] == "aws")


def wrong(words: list[str], is_whole: bool = True) -> str | None:
    """What is wrong with a call of `aws`. One that is only mentioned need not be whole."""
    match words:
        case [_, service] if service in WITHOUT_OPERATION:
            return None
        case [_, service, operation, *rest]:
            pass
        case _:
            return "no operation"
    try:
        table = operations(service)
    except KeyError:
        return f"no service `{service}`"
    given = {word[2:].split("=")[0] for word in rest if word.startswith("--")}
    if (service, operation) in SECOND_VERSION:
        known, needed = SECOND_VERSION[service, operation], set()
    elif operation not in table:
        return f"`{service}` has no operation `{operation}`"
    else:
        arguments = table[operation].arg_table
        known = set(arguments)
        needed = {name for name, argument in arguments.items() if argument.required and name != "outfile"}
    if unknown := given - known - global_options():
        return f"`{service} {operation}` has no option {sorted(unknown)}"
    if is_whole and (missing := needed - given) and "cli-input-json" not in given:
        return f"`{service} {operation}` needs {sorted(missing)}"
    return None


def documented(text: str) -> Iterator[tuple[list[str], bool]]:
    """The calls in a document, each with whether it stands in a block that can be pasted."""
    blocks = re.findall(r"^ *```(?:sh|text)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    for block in blocks:
        for command in commands(block):
            yield from ((words, True) for words in calls(command))
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    for mention in re.findall(r"`(aws [a-z][^`]+)`", prose):
        yield from ((words, False) for words in calls(mention))


def complaints(found: Iterator[tuple[list[str], bool]]) -> list[str]:
    return [f"{shlex.join(words)}: {problem}" for words, whole in found if (problem := wrong(words, whole))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_documents_are_commands_of_the_aws_cli(document: Any) -> None:
    assert complaints(documented(document.read_text())) == []


def test_commands_that_reports_print_are_commands_of_the_aws_cli() -> None:
    texts = [path.read_text() for path in REPORTS]
    # What the owner of a key store or of key material has to choose is left to them, with an ellipsis.
    found = [(words, "…" not in words) for text in texts for command in commands(text) for words in calls(command)]
    assert len(found) > 100
    assert complaints(iter(found)) == []


def test_a_command_in_a_report_stands_on_lines_of_its_own() -> None:
    """Whoever pastes it would run the sentence before or behind it too."""
    for path in [*REPORTS, ROOT / "docs" / "CHECKS.md"]:
        text = path.read_text()
        assert re.findall(r"^.*\w: aws [a-z0-9]+ [a-z-]+ --.*$", text, re.MULTILINE) == [], path
        for command in commands(text):
            behind = [word for words in words_of(command) for word in words if re.search(r"\w\.$", word)]
            assert behind == [], f"{path}: {behind}"


def test_commands_that_the_stack_puts_out_are_commands_of_the_aws_cli() -> None:
    outputs = [Resolver({}).resolve(output["Value"]) for output in TEMPLATE["Outputs"].values()]
    found = [(words, True) for value in outputs for words in calls(value)]
    assert {head(words) for words, _ in found} == TRIED_OF_OUTPUTS.keys()
    assert complaints(iter(found)) == []


def test_of_every_command_in_a_document_it_is_said_how_it_was_tried() -> None:
    assert set().union(*(heads(document.read_text()) for document in DOCUMENTS)) == TRIED.keys()
    # Where a file is named that tries it, that file is there.
    for how in {*TRIED.values(), *TRIED_OF_REPORTS.values(), *TRIED_OF_OUTPUTS.values()}:
        for path in re.findall(r"\b(?:tests|docs)/[\w/.]+", how):
            assert (ROOT / path).exists(), path


def test_of_every_command_that_a_report_prints_it_is_said_how_it_was_tried() -> None:
    texts = [path.read_text() for path in [*REPORTS, ROOT / "docs" / "CHECKS.md"]]
    printed = {head(words) for text in texts for command in commands(text) for words in calls(command)}
    assert printed == TRIED_OF_REPORTS.keys()


def test_a_command_is_known_by_its_program_whatever_stands_before_it() -> None:
    text = """
```sh
for region in a b; do sam deploy --region "$region"; done   # a loop; with a remark
A=1 B=2 cargo test --all && aws kms enable-key \\
  --key-id k
```
`aws s3api` is no command, `make bench` is one, and `s3-replication-remediator=allow` is a tag.
"""
    assert heads(text) == {"sam deploy", "cargo test", "aws kms enable-key", "aws s3api", "make bench"}


@pytest.mark.parametrize(("command", "problem"), [
    ("aws s3ap get-bucket-policy --bucket b", "no service"),
    ("aws s3api get-bucket-polcy --bucket b", "no operation"),
    ("aws s3api", "no operation"),
    ("aws s3api get-bucket-policy --buckt b", "no option"),
    ("aws s3api get-bucket-policy", "needs ['bucket']"),
    ("aws kms list-aliases | aws kms enable-key --region eu-west-1", "needs ['key-id']"),
])
def test_a_wrong_command_is_noticed(command: str, problem: str) -> None:
    (found,) = complaints((words, True) for words in calls(command))
    assert problem in found
