"""The commands that documents tell people to run, whatever their program, and how each of them was tried.

A command that nobody has said this of fails `test_documented_commands.py`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(path for folder in (".", "docs", "events", "tests/iam-corpus", "tests/scenarios") for path in (ROOT / folder).glob("*.md"))

# Programs, each with how many words say which of its commands is meant.
PROGRAMS = {
    "aws": 3, "cargo": 2, "gh": 3, "git": 2, "make": 2, "python": 3, "s3-replication-remediator": 2, "sam": 2,
    "sha256sum": 1,
}
SEPARATORS = set("();<>|&\n")


def words_of(shell: str) -> Iterator[list[str]]:
    """The words of each simple command in a piece of shell."""
    without_comments = re.sub(r"(^|\s)# .*$", "", shell, flags=re.MULTILINE)
    lexer = shlex.shlex(without_comments.replace("\\\n", " "), posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace, lexer.commenters = " \t\r", ""
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word and set(word) <= SEPARATORS:
            if words:
                yield words
            words = []
        else:
            words.append(word)


def head(words: list[str]) -> str | None:
    """Which command of which program it is, or nothing if it is no program that is listed."""
    # Of a loop its body, of variables what they are set for.
    while words and (words[0] in ("do", "done", "then", "fi") or re.match(r"[A-Z_]+=", words[0])):
        words = words[1:]
    if not words or (program := Path(words[0]).name) not in PROGRAMS:
        return None
    return " ".join([program, *words[1:PROGRAMS[program]]])


def in_blocks(text: str) -> Iterator[str]:
    """The blocks of a document that are for a shell."""
    yield from (
        re.sub(r"^" + indent, "", block, flags=re.MULTILINE)
        for indent, block in re.findall(r"^( *)```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    )


def mentioned(text: str) -> Iterator[str]:
    """What stands in the prose of a document as code."""
    yield from re.findall(r"`([^`]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))


def heads(text: str) -> set[str]:
    """The commands of a document."""
    found: set[str] = set()
    for piece in [*in_blocks(text), *mentioned(text)]:
        try:
            found |= {name for words in words_of(piece) if (name := head(words))}
        except ValueError:
            # Prose quotes code with a quote left open; no command is written so.
            continue
    return {name for name in found if re.fullmatch(r"sha256sum|[a-z0-9-]+( [a-z0-9-]+)+", name)}


# How each was tried. `RUN`: `tests/deployed/test_manual.py` takes it out of the document and runs it in an emulated account.
RUN = "run as it stands in the document"
NO_ORGANIZATION = "needs an organization, which the emulator has not; held against the AWS CLI's own model"
TRIED = {
    "aws cloudformation deploy": RUN,
    "aws dynamodb delete-item": RUN,
    "aws events put-rule": RUN,
    "aws events put-targets": RUN,
    "aws iam list-role-policies": RUN,
    "aws lambda invoke": RUN,
    "aws sns subscribe": RUN,
    "aws cloudformation create-stack-set": NO_ORGANIZATION,
    "aws cloudformation create-stack-instances": NO_ORGANIZATION,
    "aws kms list-retirable-grants": "the emulator has not got it; held against the AWS CLI's own model",
    "aws login": "opens a browser; only the second version of the AWS CLI has it",
    "aws s3api put-bucket-replication": "mentioned only; `tests/deployed/test_command_line.py` checks what would be put",
    "cargo install": "asks the registry for every crate again; what it builds is what `cargo build` builds",
    "cargo lambda": "what `make build` runs, for the demo and for releases",
    "cargo test": "what `make test` runs",
    "cargo tree": "lists what a build consists of, and decides nothing",
    "gh attestation verify": "needs a published release",
    "git pull": "needs a repository that others push to",
    "make bench": "takes minutes; docs/PERFORMANCE.md has what it wrote",
    "make check": "a part of `make test`",
    "make demo": "`tests/deployed/test_demo.py` runs it",
    "make deploy": "`tests/deployed/test_install.py` runs the deployment, and the demo the build",
    "make faults": "takes minutes; `tests/deployed/test_faults.py` runs the same for a few faults",
    "make fuzz": "needs a nightly Rust",
    "make growth": "takes minutes; docs/PERFORMANCE.md has what it wrote",
    "make invoke": "`tests/deployed/test_demo.py` runs it",
    "make lint-template": "installs 300 MB of linters; a job of its own in CI",
    "make live": "`tests/deployed/test_live.py` runs the same script against the emulator",
    "make package": "`tests/template/test_package.py` runs the script",
    "make sweep": "takes long; docs/PERFORMANCE.md has what it wrote",
    "make soak": "takes an hour; docs/RELIABILITY.md has what it wrote",
    "make test": "what CI runs",
    "make tools": "a part of `make test`",
    "python -m pytest": "a part of `make test`",
    "s3-replication-remediator apply": "`tests/deployed/test_command_line.py` runs it",
    "s3-replication-remediator backlog": "the emulator orders no jobs; `tests/cli` runs it in memory",
    "s3-replication-remediator check": "`tests/deployed/test_command_line.py` runs it",
    "s3-replication-remediator completions": "`tests/cli/binary.rs` runs it",
    "s3-replication-remediator explain": "`tests/cli/binary.rs` runs it",
    "s3-replication-remediator man": "`tests/cli/binary.rs` runs it",
    "sam build": "`make demo` builds the same by cargo-lambda, which SAM calls",
    "sam delete": "`tests/deployed/test_install.py` runs it",
    "sam deploy": "`tests/deployed/test_install.py` runs it",
    "sha256sum": "`tests/template/test_package.py` holds the sums against the files",
}
# The same of commands that reports print, of which docs/CHECKS.md has one for each check.
TRIED_OF_REPORTS = {
    "aws iam create-role": RUN,
    "aws iam delete-role-policy": RUN,
    "aws iam detach-role-policy": "nobody but AWS makes a policy that AWS manages; held against the AWS CLI's own model",
    "aws iam put-role-permissions-boundary": "its reader makes the boundary; held against the AWS CLI's own model",
    "aws iam put-role-policy": RUN,
    "aws iam tag-role": "for a policy that denies the function too; held against the AWS CLI's own model",
    "aws kms cancel-key-deletion": RUN,
    "aws kms enable-key": RUN,
    "aws lambda invoke": RUN,
    "aws s3api create-bucket": RUN,
    "aws s3api get-bucket-notification-configuration": RUN,
    "aws s3api get-bucket-replication": RUN,
    "aws s3api put-bucket-encryption": RUN,
    "aws s3api put-bucket-notification-configuration": RUN,
    "aws s3api put-bucket-ownership-controls": RUN,
    "aws s3api put-bucket-replication": RUN,
    "aws s3api put-bucket-request-payment": RUN,
    "aws s3api put-bucket-versioning": RUN,
    "aws s3api put-object-lock-configuration": RUN,
    "aws kms connect-custom-key-store": "the emulator has no key stores; held against the AWS CLI's own model",
    "aws kms describe-custom-key-stores": "the emulator has no key stores; held against the AWS CLI's own model",
    "aws kms get-parameters-for-import": "the key's owner has the material; held against the AWS CLI's own model",
    "aws kms import-key-material": "the key's owner has the material; held against the AWS CLI's own model",
    "aws kms replicate-key": RUN,
    "aws s3control create-job": "the emulator orders no jobs; held against the AWS CLI's own model",
}
# And of those that the stack puts out.
TRIED_OF_OUTPUTS = {
    "aws cloudformation deploy": RUN,
    "aws lambda invoke": RUN,
    "aws logs tail": "only the second version of the AWS CLI has it",
    "aws s3api get-bucket-notification-configuration": RUN,
    "aws s3api put-bucket-notification-configuration": RUN,
    "aws sqs start-message-move-task": "the emulator has not got it; held against the AWS CLI's own model",
}
