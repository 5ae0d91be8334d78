"""`make sweep`: every bucket of a large account, by the function's sweep and by `check --all` of the command line.

Once S3 answers all that it is asked, and once it takes only so many calls in a second and tells whoever is faster to slow
down, as S3 does: https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html. Counted are the time,
the calls for each bucket, those that were refused, and the most memory that a process had at once. Every bucket that
replicates must be told, however busy S3 is.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from document import write
from emulator import ACCOUNT, Emulator, end_on_termination
from proxy import Call, Proxy
from runtime_api import REGION, Function
from seed import seed
from stack import make_bucket

TABLE, TOPIC, QUEUE = "ledger", "reports", "sweep"
# What the template gives an invocation, and what SQS gives at once.
SECONDS, BATCH = 60, 10
LONGEST = 3600


@dataclass
class Run:
    """What a sweep took."""

    name: str
    seconds: float
    calls: list[Call]
    memory_mb: float
    buckets: int
    # How many of the buckets that replicate were told to be broken, and of how many S3 had no time to say.
    told: int
    undetermined: int
    invocations: int | None = None

    def row(self) -> str:
        refused = sum(call.fault is not None for call in self.calls)
        asked = sum(call.operation.startswith("s3:") and call.fault is None for call in self.calls)
        return (
            f"| {self.name} | {self.buckets:,} | {self.seconds:.0f} | {self.invocations or ''} | "
            f"{asked / self.buckets:.2f} | {(len(self.calls) - refused) / self.buckets:.2f} | {refused:,} | "
            f"{self.memory_mb:.0f} | {self.told} | {self.undetermined} |"
        )


class Large:
    """An account with many buckets, of which some replicate, and none of them well."""

    def __init__(self, emulator: Emulator, buckets: int, replicating: int) -> None:
        self._emulator = emulator
        self.replicating = replicating
        # The seed's own two are among them.
        self.buckets = buckets
        seeded = seed(emulator, "many-reasons")
        s3 = emulator.client("s3", REGION)
        rules = s3.get_bucket_replication(Bucket=seeded.bucket)["ReplicationConfiguration"]

        def make(number: int) -> None:
            name = f"bucket-{number:05}"
            make_bucket(s3, name, REGION)
            if number < replicating - 1:
                s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
                s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=rules)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(make, range(buckets - 2)))

    def by_command_line(self, name: str, program: Path, proxy: Proxy) -> Run:
        proxy.take_calls()
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as home:
            report = Path(home) / "report"
            environment = {
                "HOME": home, "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ENDPOINT_URL": proxy.endpoint, "AWS_REGION": REGION,
                "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test",
            }
            command = [program, "check", "--all", "--output", "json", "--output-file", report]
            process = subprocess.Popen(command, env=environment, cwd=home)
            _, _, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - began
            verdicts = Counter(one["verdict"] for one in json.loads(report.read_text()))
        memory = usage.ru_maxrss / 1024
        return Run(name, seconds, proxy.take_calls(), memory, self.buckets, verdicts["broken"], verdicts["undetermined"])

    def by_function(self, name: str, program: Path, proxy: Proxy) -> Run:
        """The function with its queue, which is read here as Lambda reads it."""
        client = self._emulator.client
        sqs = client("sqs", REGION)
        url = sqs.create_queue(QueueName=f"{QUEUE}-{len(name)}", Attributes={"VisibilityTimeout": "400"})["QueueUrl"]
        table = f"{TABLE}-{len(name)}"
        client("dynamodb", REGION).create_table(
            TableName=table, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": at, "AttributeType": "S"} for at in ("partition", "sort")],
            KeySchema=[{"AttributeName": "partition", "KeyType": "HASH"}, {"AttributeName": "sort", "KeyType": "RANGE"}],
        )
        topic = client("sns", REGION).create_topic(Name=TOPIC)["TopicArn"]
        settings = {
            "AWS_ENDPOINT_URL": proxy.endpoint, "QUEUE_URL": url, "LEDGER_TABLE": table, "NOTIFICATION_TOPIC_ARN": topic,
        }
        proxy.take_calls()
        began = time.monotonic()
        with tempfile.TemporaryFile() as log:
            with Function([program.resolve()], settings, log) as function:
                function.invoke({"command": "sweep"}, SECONDS)
                invocations = 1
                for batch in _batches(sqs, url):
                    answer = function.invoke({"Records": [_record(message) for message in batch]}, SECONDS)
                    invocations += 1
                    again = {item["itemIdentifier"] for item in answer.body["batchItemFailures"]}
                    for message in batch:
                        if message["MessageId"] not in again:
                            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                memory = function.peak_memory_mb()
            log.seek(0)
            text = log.read().decode(errors="replace")
        verdicts = Counter(dict(re.findall(r'bucket"?[=:]"?([a-z0-9-]+)"?[ ,]"?verdict"?[=:]"?([a-z-]+)', text)).values())
        return Run(
            name, time.monotonic() - began, proxy.take_calls(), memory, self.buckets, verdicts["broken"],
            verdicts["undetermined"], invocations,
        )


def _batches(sqs: Any, url: str) -> Iterator[list[dict[str, Any]]]:
    """Messages until none is left, those that are held back included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible"]
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=1, AttributeNames=["All"]
        )
        if messages := answer.get("Messages"):
            yield messages
            continue
        left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        if all(left[name] == "0" for name in names):
            return
    raise SystemExit(f"the sweep was not over after {LONGEST} s")


def _record(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
        "attributes": message.get("Attributes", {}), "messageAttributes": {}, "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}", "awsRegion": REGION,
    }


def table(runs: list[Run], share: int, rate: float) -> str:
    head = [
        f"One bucket in {share} replicates, and none of those well. Throttled: S3 takes {rate:.0f} calls in a second.", "",
        "| | buckets | seconds | invocations | answered calls of S3 per bucket | all per bucket | refused | peak memory, MB "
        "| told broken | undetermined |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join([*head, *(run.row() for run in runs)])


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("bootstrap", type=Path, help="the function's program")
    arguments.add_argument("program", type=Path, help="the command line")
    arguments.add_argument("--buckets", type=int, default=10_000, help="where S3 answers all; 0 leaves that out")
    arguments.add_argument("--throttled", type=int, default=1_000, help="buckets where it does not; 0 leaves that out")
    arguments.add_argument("--share", type=int, default=100, help="of as many buckets one replicates")
    arguments.add_argument("--rate", type=float, default=15, help="calls of S3 in a second, where it is throttled")
    arguments.add_argument("--write", action="store_true", help="write the table to docs/PERFORMANCE.md")
    chosen = arguments.parse_args()
    end_on_termination()
    runs, short = [], []
    for buckets, rate, how in ((chosen.buckets, None, ""), (chosen.throttled, chosen.rate, ", throttled")):
        if not buckets:
            continue
        with Emulator() as emulator, Proxy(emulator.endpoint) as proxy:
            large = Large(emulator, buckets, max(1, buckets // chosen.share))
            proxy.rate = rate
            for sweep, name, program in (
                (large.by_command_line, "`check --all`", chosen.program), (large.by_function, "`sweep`", chosen.bootstrap),
            ):
                run = sweep(name + how, program, proxy)
                print(run.row(), file=sys.stderr, flush=True)
                runs.append(run)
                if run.told != large.replicating:
                    short.append(run)
    text = table(runs, chosen.share, chosen.rate)
    print(text)
    if chosen.write:
        write("PERFORMANCE.md", "sweep", text)
    for run in short:
        print(f"WRONG  {run.name}: not every bucket that replicates was told to be broken")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
