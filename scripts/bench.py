"""`make bench`: the function beside the one that a user would write instead with Python and boto3, in one run.

Both are woken by the same message about the same emulated account, make the same reads, and tell the same topic. Each
run starts a new process of each, in turn, so that whatever else the machine does falls on both alike. What is compared
are CPU times, memory, calls and waits; wall times are those of this machine at this moment, and only their ratio says
something. The emulator's own speed stays out: equal reads are answered from memory.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from document import write
from emulator import Emulator, end_on_termination
from faults import PUT_EVENT, TOPIC, message
from proxy import Proxy, counts, depth
from runtime_api import REGION, Function
from seed import PROJECT, seed

BASELINE = PROJECT / "benches" / "baseline"
DOCUMENT = "PERFORMANCE.md"
# Lambda gives a whole core at this memory, and less in proportion.
CORE_MB = 1769
SMALL_MB = 128
PERIOD_US = 20_000
LATENCY = 0.05


@dataclass
class Program:
    """Something to measure."""

    name: str
    command: list[str]
    folder: Path | None = None


class Share:
    """A CPU share as Lambda gives it to a function of so much memory: a control group of this script's own."""

    def __init__(self, megabytes: int) -> None:
        first = Path("/sys/fs/cgroup/cpu")
        self._is_first = first.is_dir()
        root = first if self._is_first else Path("/sys/fs/cgroup")
        self._group = root / f"bench-{os.getpid()}-{id(self)}"
        self._quota = max(1000, PERIOD_US * megabytes // CORE_MB)

    def __enter__(self) -> Share:
        self._group.mkdir()
        if self._is_first:
            (self._group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (self._group / "cpu.cfs_quota_us").write_text(str(self._quota))
        else:
            (self._group / "cpu.max").write_text(f"{self._quota} {PERIOD_US}")
        return self

    def take(self, process: int) -> None:
        (self._group / "cgroup.procs").write_text(str(process))

    def __exit__(self, *_: object) -> None:
        for _attempt in range(100):
            try:
                return self._group.rmdir()
            except OSError:
                subprocess.run(["sleep", "0.02"], check=True)


@contextmanager
def certificate() -> Iterator[tuple[ssl.SSLContext, Path]]:
    """A certificate for this machine, and a bundle that has it beside all that the system trusts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bench",
            "-keyout", folder / "key", "-out", folder / "certificate",
            "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
        ], check=True, capture_output=True)
        system = Path("/etc/ssl/certs/ca-certificates.crt").read_text()
        bundle = folder / "bundle"
        bundle.write_text((folder / "certificate").read_text() + system)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate", folder / "key")
        yield context, bundle


class Bench:
    """An account, and what of it both programs are told."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        request = urllib.request.Request(f"{emulator.endpoint}/_ministack/reset", method="POST")
        urllib.request.urlopen(request).close()
        emulator.client("sns", REGION).create_topic(Name=TOPIC)
        self._event = message(seed(emulator, "many-reasons"), PUT_EVENT, 1)

    def _start(self, program: Program, proxy: Proxy, bundle: Path | None) -> Function:
        trust = {"AWS_CA_BUNDLE": str(bundle), "SSL_CERT_FILE": str(bundle)} if bundle else {}
        return Function(program.command, {
            "AWS_ENDPOINT_URL": proxy.endpoint, "NOTIFICATION_TOPIC_ARN": f"arn:aws:sns:{REGION}:111122223333:{TOPIC}",
            "PATH": os.environ["PATH"], **trust,
        }, folder=program.folder)

    def cold_and_warm(self, program: Program, proxy: Proxy, bundle: Path | None, warm: int) -> dict[str, float]:
        """One process: from its start to its first answer, then some more events."""
        with self._start(program, proxy, bundle) as function:
            ready = function.cpu_seconds()
            proxy.take_calls()
            first = function.invoke(self._event)
            cold = function.cpu_seconds()
            calls = proxy.take_calls()
            for _ in range(warm):
                function.invoke(self._event)
            assert not first.is_error, first.body
            return {
                "CPU until ready, ms": ready * 1e3,
                f"CPU of a cold start{' with TLS' if bundle else ''}, ms": cold * 1e3,
                "CPU of a warm event, ms": (function.cpu_seconds() - cold) / warm * 1e3,
                "peak memory, MB": function.peak_memory_mb(),
                "calls": len(calls),
            }

    def throttled(self, program: Program, proxy: Proxy, bundle: Path) -> dict[str, float]:
        """The first answer with the CPU share of a small function; until it is ready, Lambda gives it a whole core."""
        with Share(SMALL_MB) as share, self._start(program, proxy, bundle) as function:
            share.take(function.process.pid)
            answer = function.invoke(self._event, 120)
            function.process.kill()
            function.process.wait()
            return {f"first answer at {SMALL_MB} MB of CPU, ms": answer.seconds * 1e3}

    def waits(self, program: Program, proxy: Proxy) -> dict[str, float]:
        """How many waits for AWS add up, of the first event and of a later one."""
        with self._start(program, proxy, None) as function:
            proxy.take_calls()
            function.invoke(self._event)
            first = proxy.take_calls()
            function.invoke(self._event)
            later = proxy.take_calls()
        print(f"# {program.name}: {counts(first)}", file=sys.stderr)
        return {"waits for AWS of the first event": depth(first), "of a later event": depth(later)}


def measure(programs: list[Program], runs: int, warm: int) -> dict[str, dict[str, float]]:
    """The medians of each program's figures."""
    figures: dict[str, dict[str, list[float]]] = {program.name: {} for program in programs}

    def note(program: Program, found: dict[str, float]) -> None:
        for name, value in found.items():
            figures[program.name].setdefault(name, []).append(value)

    with Emulator() as emulator, certificate() as (context, bundle):
        bench = Bench(emulator)
        with Proxy(emulator.endpoint, remember=True) as proxy:
            for program in programs:
                # Not counted: it fills the page cache and the proxy's memory.
                bench.cold_and_warm(program, proxy, None, 1)
            for _ in range(runs):
                for program in programs:
                    note(program, bench.cold_and_warm(program, proxy, None, warm))
            proxy.latency = LATENCY
            for program in programs:
                note(program, bench.waits(program, proxy))
        with Proxy(emulator.endpoint, remember=True, tls=context) as proxy:
            for _ in range(runs):
                for program in programs:
                    found = bench.cold_and_warm(program, proxy, bundle, 1)
                    note(program, {name: value for name, value in found.items() if "TLS" in name})
            if os.geteuid() == 0:
                for _ in range(max(1, runs // 2)):
                    for program in programs:
                        note(program, bench.throttled(program, proxy, bundle))
    return {
        name: {figure: statistics.median(values) for figure, values in of_program.items()}
        for name, of_program in figures.items()
    }


def zipped_mb(bootstrap: Path) -> float:
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.write(bootstrap, "bootstrap")
        return file.tell() / 1024 / 1024


def table(found: dict[str, dict[str, float]], size: float) -> str:
    ours, theirs = found.values()
    lines = ["| | this function | Python and boto3 | ratio |", "| --- | ---: | ---: | ---: |"]
    for name, value in ours.items():
        other = theirs[name]
        whole = float(value).is_integer() and float(other).is_integer()
        shown = [f"{number:.0f}" if whole else f"{number:.1f}" for number in (value, other)]
        lines.append(f"| {name} | {shown[0]} | {shown[1]} | {other / value:.1f} |")
    lines.append(f"| zip, MB | {size:.1f} | | |")
    return "\n".join(lines)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("bootstrap", type=Path, help="the function's program, as it is deployed")
    arguments.add_argument("--runs", type=int, default=10)
    arguments.add_argument("--warm", type=int, default=20)
    arguments.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments.add_argument("--write", action="store_true", help=f"write the table to docs/{DOCUMENT}")
    chosen = arguments.parse_args()
    end_on_termination()
    programs = [
        Program("this function", [str(chosen.bootstrap.resolve())]),
        Program("python", [str(PROJECT / ".tools" / "bench" / "bin" / "python"), "-m", "awslambdaric", "lambda_function.handler"], BASELINE),
    ]
    found = measure(programs, chosen.runs, chosen.warm)
    size = zipped_mb(chosen.bootstrap)
    print(json.dumps(found, indent=2) if chosen.json else table(found, size))
    if chosen.write:
        write(DOCUMENT, "bench", table(found, size))
    return 0


if __name__ == "__main__":
    sys.exit(main())
