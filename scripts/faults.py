"""`make faults`: every AWS call that the function makes goes wrong, in every way, one by one and together.

In each case the function must answer in time, and either with a report that is right as far as it goes (what is
missing is marked as unread) or by giving the message back to its queue. Never may it call broken what is well, or well
what is broken, lose a message, or change something without telling so.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

from document import write
from emulator import Emulator, end_on_termination
from proxy import BEGUN, CONNECTION, KINDS, OF_PAGES, PAGED, Fault, Proxy, counts
from runtime_api import REGION, Answer, Function, FunctionDied
from seed import Seeded, seed

TOPIC = "reports"
# What the function has for one invocation, less than Lambda's default here: it must stop by itself.
SECONDS = 30
SHORT_SECONDS = 6
PUBLISH = "sns:Publish"
IDENTITY = "sts:GetCallerIdentity"
WRITES = ("iam:PutRolePolicy", "kms:CreateGrant")
PUT_EVENT = "cloudtrail/put-kms-rule.json"
FAILED_OBJECT = "s3-notification/reason/DstKmsKeyInvalidState.json"


@dataclass(frozen=True)
class Case:
    """An account, a mode, and what goes wrong in it: operation, kind, and how often (None: always)."""

    seed: str
    mode: str
    faults: tuple[tuple[str, str, int | None], ...]
    seconds: float = SECONDS

    def __str__(self) -> str:
        faults = ", ".join(
            f"{operation} {kind}{'' if times is None else f' {times}x'}" for operation, kind, times in self.faults
        )
        return f"{self.seed} in {self.mode}, {self.seconds:.0f} s: {faults}"


@dataclass
class Outcome:
    """How a case went: what was wrong about it, and what became of the message."""

    case: Case
    wrong: list[str] = field(default_factory=list)
    message: str = ""
    verdict: str = ""
    calls: int = 0
    seconds: float = 0.0


class Account:
    """An emulated account and a proxy in front of it, for one case after the other."""

    def __init__(self, emulator: Emulator, proxy: Proxy, bootstrap: Path) -> None:
        self._emulator = emulator
        self._proxy = proxy
        self._bootstrap = bootstrap
        self._seeded: tuple[str, Seeded] | None = None
        self._clean: dict[tuple[str, str], dict[str, Any]] = {}

    def _seed(self, name: str, anew: bool) -> Seeded:
        if anew or self._seeded is None or self._seeded[0] != name:
            request = urllib.request.Request(f"{self._emulator.endpoint}/_ministack/reset", method="POST")
            urllib.request.urlopen(request).close()
            self._emulator.client("sns", REGION).create_topic(Name=TOPIC)
            self._seeded = (name, seed(self._emulator, name))
        return self._seeded[1]

    def _start(self, mode: str, log: Any) -> Function:
        # A process of its own for each case: what one learns, the next must not know.
        return Function([self._bootstrap], {
            "AWS_ENDPOINT_URL": self._proxy.endpoint, "MODE": mode, "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "NOTIFICATION_TOPIC_ARN": f"arn:aws:sns:{REGION}:111122223333:{TOPIC}",
            "ALLOWED_ROLE_ARNS": "", "ALLOWED_KEY_ARNS": "",
        }, log)

    def operations(self, name: str, mode: str) -> dict[str, int]:
        """The operations that the function calls when all goes well, and how often."""
        seeded = self._seed(name, anew=True)
        self._proxy.faults = []
        self._proxy.take_calls()
        with tempfile.TemporaryFile() as log, self._start(mode, log) as function:
            function.invoke(message(seeded, PUT_EVENT, 1))
        self._seeded = None
        return counts(self._proxy.take_calls())

    def truth(self, name: str) -> dict[str, Any]:
        """The report when all goes well."""
        seeded = self._seed(name, anew=False)
        key = (name, seeded.role)
        if key not in self._clean:
            self._proxy.faults = []
            with tempfile.TemporaryFile() as log, self._start("dry-run", log) as function:
                self._clean = {key: function.invoke({"command": "check", "bucket": seeded.bucket}).body}
        return self._clean[key]

    def run(self, case: Case) -> Outcome:
        outcome = Outcome(case)
        start = time.monotonic()
        writes = case.mode == "auto"
        seeded = self._seed(case.seed, anew=writes)
        truth = self.truth(case.seed)
        try:
            if not writes:
                self._check(case, seeded, truth, outcome)
            self._message(case, seeded, truth, outcome)
        except FunctionDied as died:
            outcome.wrong.append(f"the function died: {died}")
        outcome.seconds = time.monotonic() - start
        return outcome

    def _spoil(self, case: Case) -> None:
        self._proxy.faults = [Fault(*fault) for fault in case.faults]
        self._proxy.take_calls()

    def _check(self, case: Case, seeded: Seeded, truth: dict[str, Any], outcome: Outcome) -> None:
        """A person asks, and gets a report that is right as far as it goes, or an error that says what failed."""
        self._spoil(case)
        with tempfile.TemporaryFile() as log, self._start(case.mode, log) as function:
            answer = function.invoke({"command": "check", "bucket": seeded.bucket}, case.seconds)
        outcome.calls = len(self._proxy.take_calls())
        self._judge_time(case, answer, outcome)
        if answer.is_error:
            outcome.verdict = answer.body.get("errorType", "no type")
            # Without knowing who we are, nothing that is read can be judged; without time, nothing can be read.
            if outcome.verdict not in ("Unavailable", "OutOfTime"):
                outcome.wrong.append(f"answered with the error {answer.body}")
            return
        outcome.verdict = answer.body["verdict"]
        outcome.wrong += _against(answer.body, truth)
        unread = {failure["operation"] for failure in answer.body["unread"]}
        if unread and answer.body["verdict"] in ("healthy", "at-risk"):
            outcome.wrong.append(f"{answer.body['verdict']} although {sorted(unread)} is unread")
        if unread and all(kind == BEGUN for _, kind, _ in case.faults):
            outcome.wrong.append(f"{sorted(unread)} is unread although every page came")
        if not unread and answer.body["verdict"] != truth["verdict"]:
            outcome.wrong.append(f"{answer.body['verdict']} although nothing is unread")

    def _message(self, case: Case, seeded: Seeded, truth: dict[str, Any], outcome: Outcome) -> None:
        """A message is told of, or comes again; delivered once more when all is well, it leads to the usual end."""
        self._spoil(case)
        with tempfile.TemporaryFile() as log, self._start(case.mode, log) as function:
            answer = function.invoke(message(seeded, PUT_EVENT, 1), case.seconds)
            self._judge_time(case, answer, outcome)
            calls = self._proxy.take_calls()
            returned = answer.is_error or bool(answer.body["batchItemFailures"])
            told = sum(call.operation == PUBLISH and call.status == 200 for call in calls)
            written = sum(call.operation in WRITES and call.status == 200 for call in calls)
            log.seek(0)
            verdicts = [line["verdict"] for line in _lines(log.read()) if "verdict" in line]
            outcome.message = "returned" if returned else "told" if told else "well, so not told"
            for verdict in verdicts:
                if {verdict, truth["verdict"]} == {"broken", "healthy"}:
                    outcome.wrong.append(f"the message was called {verdict}")
            if not returned and not told and verdicts != ["healthy"]:
                outcome.wrong.append(f"the message is lost: nothing told, and called {verdicts}")
            # The next delivery, when all is well again.
            self._proxy.faults = []
            if returned:
                answer = function.invoke(message(seeded, PUT_EVENT, 2), SECONDS)
                calls = self._proxy.take_calls()
                told += sum(call.operation == PUBLISH and call.status == 200 for call in calls)
                written += sum(call.operation in WRITES and call.status == 200 for call in calls)
                if answer.is_error or answer.body["batchItemFailures"]:
                    outcome.wrong.append(f"the message comes again for ever: {answer.body}")
                if not told and truth["verdict"] != "healthy":
                    outcome.wrong.append("the message is lost: nothing told on the next delivery")
            if case.mode == "auto":
                # A person asks again until all that can be done is done.
                report = function.invoke(message(seeded, PUT_EVENT, 2), SECONDS)
                if report.is_error or report.body["batchItemFailures"]:
                    outcome.wrong.append("the repair comes to no end")
                left = function.invoke({"command": "check", "bucket": seeded.bucket}).body
                if left["plan"] and left["plan"]["changes"]:
                    outcome.wrong.append("what could be repaired is not")
                if written and not told:
                    outcome.wrong.append("something was changed, and nobody told")

    def _judge_time(self, case: Case, answer: Answer, outcome: Outcome) -> None:
        if answer.seconds > case.seconds:
            outcome.wrong.append(f"answered after {answer.seconds:.1f} s of {case.seconds:.0f}")


def _against(report: dict[str, Any], truth: dict[str, Any]) -> Iterator[str]:
    """What a report says that is not so."""
    known = {(finding["check"], finding["subject"]) for finding in truth["findings"]}
    for finding in report["findings"]:
        if (finding["check"], finding["subject"]) not in known:
            yield f"finds {finding['check']} on {finding['subject']}, which is not so: {finding['found']}"
    if {report["verdict"], truth["verdict"]} == {"broken", "healthy"}:
        yield f"calls {report['verdict']} what is {truth['verdict']}"


def _lines(log: bytes) -> Iterator[dict[str, Any]]:
    for text in log.decode(errors="replace").splitlines():
        if text.startswith("{"):
            line = json.loads(text)
            yield line | line.get("fields", {})


def message(seeded: Seeded, event: str, receive_count: int) -> dict[str, Any]:
    return {"Records": [{
        "messageId": "m1", "receiptHandle": "r", "eventSource": "aws:sqs", "awsRegion": REGION,
        "eventSourceARN": f"arn:aws:sqs:{REGION}:111122223333:s3-replication-remediator",
        "attributes": {"ApproximateReceiveCount": str(receive_count)}, "messageAttributes": {},
        "body": seeded.recorded(event),
    }]}


def fits(operation: str, kind: str) -> bool:
    return kind not in OF_PAGES or operation in PAGED


def every(account: Account, chance: random.Random, combinations: int) -> Iterator[Case]:
    """One by one, always and once; then some at random together; then with little time."""
    for name in ("healthy", "many-reasons"):
        operations = list(account.operations(name, "dry-run"))
        for operation in operations:
            for kind in KINDS:
                if fits(operation, kind):
                    yield Case(name, "dry-run", ((operation, kind, None),))
                    if kind not in CONNECTION:
                        yield Case(name, "dry-run", ((operation, kind, 1),))
        for _ in range(combinations):
            yield Case(name, "dry-run", _some(operations, chance))
        for kind in ("hanging", "slow", "throttled"):
            yield Case(name, "dry-run", (("*", kind, None),), SHORT_SECONDS)
    for name in ("many-reasons", "key-without-delegation"):
        operations = list(account.operations(name, "auto"))
        for operation in operations:
            if operation in WRITES or operation == PUBLISH:
                kinds: Iterable[str] = KINDS
            else:
                kinds = ("denied", "failed-500", "reset", "malformed", BEGUN)
            for kind in kinds:
                if fits(operation, kind):
                    yield Case(name, "auto", ((operation, kind, None),))
                    yield Case(name, "auto", ((operation, kind, 1),))
        for _ in range(combinations // 4):
            yield Case(name, "auto", _some(operations, chance))


def _some(operations: list[str], chance: random.Random) -> tuple[tuple[str, str, int | None], ...]:
    chosen = chance.sample(operations, min(len(operations), chance.randint(2, 5)))
    faults = ((operation, chance.choice(KINDS), chance.choice([None, 1, 2])) for operation in chosen)
    return tuple(fault for fault in faults if fits(fault[0], fault[1]))


def quick(account: Account) -> Iterator[Case]:
    """A few of each, for every change of the program."""
    for operation in account.operations("many-reasons", "dry-run"):
        yield Case("many-reasons", "dry-run", ((operation, "denied", None),))
        yield Case("many-reasons", "dry-run", ((operation, "malformed", None),))
    for operation in account.operations("many-reasons", "auto"):
        if operation in WRITES or operation == PUBLISH:
            yield Case("many-reasons", "auto", ((operation, "denied", None),))
            yield Case("many-reasons", "auto", ((operation, "reset", 1),))


def run(bootstrap: Path, workers: int, cases: list[Case] | None, chance: random.Random, combinations: int) -> list[Outcome]:
    """Run cases side by side, each worker with an emulator of its own: the function waits most of the time."""
    outcomes: list[Outcome] = []
    with ExitStack() as stack:
        accounts: Queue[Account] = Queue()
        for _ in range(workers):
            emulator = stack.enter_context(Emulator())
            proxy = stack.enter_context(Proxy(emulator.endpoint))
            accounts.put(Account(emulator, proxy, bootstrap))
        if cases is None:
            account = accounts.get()
            cases = list(every(account, chance, combinations) if combinations else quick(account))
            accounts.put(account)

        def one(case: Case) -> Outcome:
            account = accounts.get()
            try:
                return account.run(case)
            finally:
                accounts.put(account)

        with ThreadPoolExecutor(workers) as pool:
            for outcome in pool.map(one, cases):
                outcomes.append(outcome)
                for wrong in outcome.wrong:
                    print(f"WRONG  {outcome.case}\n       {wrong}", flush=True)
    return outcomes


def table(outcomes: list[Outcome]) -> str:
    """What became of the cases, by kind of fault."""
    lines = ["| fault | cases | told or well | returned to the queue | wrong |", "| --- | ---: | ---: | ---: | ---: |"]
    kinds = [*KINDS, "several together"]
    for kind in kinds:
        of_kind = [
            outcome for outcome in outcomes
            if (outcome.case.faults[0][1] if len(outcome.case.faults) == 1 else "several together") == kind
        ]
        became = Counter("returned" if outcome.message == "returned" else "told" for outcome in of_kind)
        wrong = sum(bool(outcome.wrong) for outcome in of_kind)
        lines.append(f"| {kind} | {len(of_kind)} | {became['told']} | {became['returned']} | {wrong} |")
    return "\n".join(lines)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("bootstrap", type=Path, help="the function's program")
    arguments.add_argument("--workers", type=int, default=6)
    arguments.add_argument("--combinations", type=int, default=100, help="random combinations; 0 for the quick subset")
    arguments.add_argument("--seed", type=int, default=1, help="of the random choice, to repeat a run")
    arguments.add_argument("--write", action="store_true", help="write the table to docs/RELIABILITY.md")
    arguments.add_argument("--only", help="only cases whose description holds this text")
    chosen = arguments.parse_args()
    end_on_termination()
    chance = random.Random(chosen.seed)
    start = time.monotonic()
    cases = None
    if chosen.only:
        with Emulator() as emulator, Proxy(emulator.endpoint) as proxy:
            account = Account(emulator, proxy, chosen.bootstrap)
            cases = [case for case in every(account, chance, chosen.combinations) if chosen.only in str(case)]
    outcomes = run(chosen.bootstrap, chosen.workers, cases, chance, chosen.combinations)
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    told = f"{table(outcomes)}\n\n{len(outcomes)} cases, {wrong} wrong."
    print(f"{told}\n{time.monotonic() - start:.0f} s")
    if chosen.write:
        write("RELIABILITY.md", "faults", told)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
