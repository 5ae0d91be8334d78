"""`make soak`: the deployed function for a long time, and then a storm of messages of all kinds.

For as long as it is asked to, the function is woken through its queue and asked directly; its memory, its open files
and its latency must stay flat. Then a storm: duplicates, poison, messages out of order, of 256 KiB, and ten thousand
levels deep. Every one of them must be accounted for: reported, merged with others of its bucket, dropped with a reason
in the log, or in the dead-letter queue; and the calls to AWS must stay as few as there are buckets and batches.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from document import write
from emulator import Emulator, end_on_termination
from faults import FAILED_OBJECT, PUT_EVENT
from seed import EVENTS, Seeded, seed
from stack import REGION, Stack

DEEP = 10_000
# What SQS takes in one message, less room for what surrounds it.
LARGEST = 255 * 1024
# The most calls that one look at one bucket of the storm may take; `docs/PERFORMANCE.md` has them by name.
CALLS_PER_LOOK = 40
# What becomes of a kind of message.
TOLD, DROPPED, DEAD = "told", "dropped", "dead"


@dataclass(frozen=True)
class Kind:
    """A kind of message: how to make one, and what must become of it."""

    name: str
    becomes: str
    body: str


def kinds(seeded: Seeded) -> list[Kind]:
    failed = json.loads(seeded.recorded(FAILED_OBJECT))
    large = json.loads(json.dumps(failed))
    large["Records"][0]["s3"]["object"]["key"] = "k" * (LARGEST - len(json.dumps(failed)))
    padded = failed | {"padding": "x" * (LARGEST - len(json.dumps(failed)))}
    many = {"Records": failed["Records"] * 100}
    recorded = {
        "a put": (TOLD, seeded.recorded(PUT_EVENT)),
        "a removal, out of order": (TOLD, seeded.recorded("cloudtrail/delete.json")),
        "a failed object": (TOLD, json.dumps(failed)),
        "a failed object, in 255 KiB": (TOLD, json.dumps(padded)),
        # S3 takes names of 1,024 bytes at most.
        "a failed object with a name of 255 KiB": (DEAD, json.dumps(large)),
        "a hundred failed objects": (TOLD, json.dumps(many)),
        "an alarm": (TOLD, (EVENTS / "alarm/event-bridge.json").read_text()),
        # Drift: the buckets whose replication depends on it are looked at.
        "a change of versioning": (TOLD, (EVENTS / "cloudtrail/put-versioning.json").read_text()),
        "a refused put": (DROPPED, (EVENTS / "cloudtrail/put-access-denied.json").read_text()),
        "a test event of S3": (DROPPED, (EVENTS / "s3-notification/test-event.json").read_text()),
        "a created object": (DROPPED, (EVENTS / "s3-notification/object-created.json").read_text()),
        "no JSON": (DEAD, "{not json"),
        "JSON ten thousand levels deep": (DEAD, "[" * DEEP + "]" * DEEP),
        "255 KiB of nothing": (DEAD, "x" * LARGEST),
    }
    return [Kind(name, becomes, body) for name, (becomes, body) in recorded.items()]


class Observed:
    """The deployed function as the machine sees it."""

    def __init__(self, emulator: Emulator, stack: Stack) -> None:
        self.stack = stack
        self._sqs = emulator.client("sqs", REGION)
        self._logs = emulator.client("logs", REGION)
        self._queue = stack.outputs["QueueUrl"]

    def processes(self) -> list[Path]:
        """The function's processes: the emulator starts a program named `bootstrap` for each."""
        found = []
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and b"bootstrap" in (process / "cmdline").read_bytes() and (
                    b"AWS_LAMBDA_RUNTIME_API" in (process / "environ").read_bytes()
                    and self.stack.outputs["QueueUrl"].split("/")[2].encode() in (process / "environ").read_bytes()
                ):
                    found.append(process)
            except OSError:
                continue
        return found

    def memory_mb(self) -> float:
        sizes = [
            int(line.split()[1]) / 1024
            for process in self.processes()
            for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS")
        ]
        return max(sizes, default=0.0)

    def descriptors(self) -> int:
        return max((len(list((process / "fd").iterdir())) for process in self.processes()), default=0)

    def send(self, bodies: list[str]) -> list[str]:
        """Put messages on the queue, and return their ids in the same order."""
        ids: list[str] = []
        for body in bodies:
            ids.append(self._sqs.send_message(QueueUrl=self._queue, MessageBody=body)["MessageId"])
        return ids

    def await_empty(self, seconds: float) -> None:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=names)["Attributes"]
            if all(answer[name] == "0" for name in names):
                return
            time.sleep(0.5)
        raise SystemExit(f"messages are left in the queue after {seconds:.0f} s: {answer}")

    def dead(self) -> Iterator[tuple[str, str]]:
        """The ids and bodies of what ended in the dead-letter queue."""
        queue = self.stack.outputs["DeadLetterQueueUrl"]
        while messages := self._sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                yield message["MessageId"], message["Body"]
                self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    def log(self, since_ms: int) -> Iterator[str]:
        # The template names the group; the emulator may write to the function's own.
        groups = self._logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]
        for group in groups:
            start, seen = since_ms, set()
            # No answer has more than ten thousand events, and the emulator's names no next page.
            while True:
                events = self._logs.filter_log_events(logGroupName=group["logGroupName"], startTime=start)["events"]
                new = [event for event in events if _name(event) not in seen]
                if not new:
                    break
                for event in new:
                    yield from event["message"].splitlines()
                seen |= {_name(event) for event in new}
                start = max(event["timestamp"] for event in new)


def _name(event: dict[str, Any]) -> tuple[int, str, str]:
    """What tells log events apart: the emulator's have no id."""
    return event["timestamp"], event.get("logStreamName", ""), event["message"]


def soak(observed: Observed, seeded: Seeded, seconds: float, told: list[str]) -> list[str]:
    """What is not flat."""
    samples: list[tuple[float, int, float]] = []
    end = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < end:
        turn += 1
        start = time.monotonic()
        observed.stack.invoke({"command": "check", "bucket": seeded.bucket})
        latency = time.monotonic() - start
        observed.send([seeded.recorded(FAILED_OBJECT if turn % 10 else PUT_EVENT)])
        samples.append((observed.memory_mb(), observed.descriptors(), latency))
        time.sleep(max(0.0, 0.5 - latency))
    # The first tenth is warming up.
    samples = samples[len(samples) // 10:]
    quarter = max(1, len(samples) // 4)
    first, last = samples[:quarter], samples[-quarter:]

    def medians(part: list[tuple[float, int, float]]) -> list[float]:
        return [statistics.median(values) for values in zip(*part, strict=True)]

    (memory, files, latency), (memory_last, files_last, latency_last) = medians(first), medians(last)
    told += [
        f"{2 * turn} events in {seconds:.0f} s:", "",
        "| | first quarter | last quarter |", "| --- | ---: | ---: |",
        f"| memory, MB | {memory:.1f} | {memory_last:.1f} |",
        f"| open files | {files:.0f} | {files_last:.0f} |",
        f"| latency of a direct check, relative | 1 | {latency_last / latency:.2f} |", "",
    ]
    wrong = []
    if memory_last > memory * 1.1 + 2:
        wrong.append("memory grows")
    if files_last > files + 4:
        wrong.append("open files grow")
    # The machine may be busy with something else: only a manifold counts.
    if latency_last > latency * 3:
        wrong.append("latency grows")
    return wrong


def storm(
    observed: Observed, seeded: Seeded, count: int, chance: random.Random, told: list[str]
) -> list[str]:
    """Which messages are not accounted for."""
    every = kinds(seeded)
    chosen = [chance.choice(every) for _ in range(count)]
    began_ms = int(time.time() * 1000)
    ids = observed.send([kind.body for kind in chosen])
    observed.await_empty(120 + count)
    lines = list(observed.log(began_ms))
    dead = Counter(id for id, _ in observed.dead())
    dropped = {id for id in ids if any(id in line and "dropped" in line for line in lines)}
    looks = sum("checked" in line for line in lines)
    calls = sum(_number(line, "calls") for line in lines if "answered" in line)
    became: Counter[tuple[str, str]] = Counter()
    wrong = []
    for id, kind in zip(ids, chosen, strict=True):
        what = DEAD if id in dead else DROPPED if id in dropped else TOLD
        became[kind.name, what] += 1
        if what != kind.becomes:
            wrong.append(f"{kind.name}: {what} instead of {kind.becomes}")
    told += [
        f"{count} messages, {looks} looks, {calls} calls to AWS:", "",
        "| message | sent | told, alone or with others | dropped with a reason | dead letter |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for kind in every:
        ends = [became[kind.name, what] for what in (TOLD, DROPPED, DEAD)]
        told.append(f"| {kind.name} | {sum(ends)} | {' | '.join(map(str, ends))} |")
    if not looks:
        wrong.append("nothing was looked at")
    if calls > looks * CALLS_PER_LOOK:
        wrong.append(f"{calls} calls for {looks} looks")
    return wrong


def _number(line: str, name: str) -> int:
    _, found, rest = line.partition(f"{name}=")
    return int(rest.split()[0]) if found else json.loads(line).get("fields", {}).get(name, 0)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("bootstrap", type=Path, help="the function's program")
    arguments.add_argument("--seconds", type=float, default=3600)
    arguments.add_argument("--messages", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=1, help="of the random choice, to repeat a run")
    arguments.add_argument("--write", action="store_true", help="write the tables to docs/RELIABILITY.md")
    chosen = arguments.parse_args()
    end_on_termination()
    with Emulator() as emulator:
        seeded = seed(emulator, "many-reasons")
        observed = Observed(emulator, Stack(emulator, chosen.bootstrap))
        told: list[str] = []
        wrong = soak(observed, seeded, chosen.seconds, told) if chosen.seconds else []
        observed.await_empty(60)
        observed.stack.hurry()
        if chosen.messages:
            wrong += storm(observed, seeded, chosen.messages, random.Random(chosen.seed), told)
    print("\n".join(told))
    if chosen.write:
        write("RELIABILITY.md", "soak", "\n".join(told))
    for text, times in Counter(wrong).items():
        print(f"WRONG  {text}{f' ({times} times)' if times > 1 else ''}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
