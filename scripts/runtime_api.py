"""A function's program without Lambda: the Runtime API that it asks for events, on this machine.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import IO, Any

HOST = "127.0.0.1"
ACCOUNT = "111122223333"
REGION = "eu-west-1"
START_SECONDS = 30


class FunctionDied(Exception):
    """The program ended, or did not ask for an event in time."""


@dataclass(frozen=True)
class Answer:
    """What an invocation led to."""

    body: Any
    # Lambda counts it as an error, and gives the event again where the source does that.
    is_error: bool
    seconds: float


class Function:
    """A running function. Use it with `with`, so that its process ends however the block is left."""

    def __init__(
        self, command: Sequence[str | Path], environment: dict[str, str], log: IO[bytes] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._events: queue.Queue[tuple[str, bytes, float]] = queue.Queue()
        self._answers: queue.Queue[tuple[bytes, bool, float]] = queue.Queue()
        self._asked = threading.Semaphore(0)
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        settings = {
            "AWS_LAMBDA_RUNTIME_API": f"{HOST}:{self._server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "s3-replication-remediator",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/s3-replication-remediator",
            "AWS_LAMBDA_LOG_STREAM_NAME": "s",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            # Nothing of the person who runs this may reach the function.
            "HOME": "/nonexistent",
            "PATH": "/usr/bin:/bin",
        }
        self._log = log
        self._start = time.perf_counter()
        self.process = subprocess.Popen(
            [str(part) for part in command], env=settings | environment, cwd=folder,
            stdin=subprocess.DEVNULL, stdout=log or subprocess.DEVNULL, stderr=log or subprocess.DEVNULL,
        )
        self.init_seconds = 0.0

    def __enter__(self) -> Function:
        self._await_ready()
        self.init_seconds = time.perf_counter() - self._start
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._server.shutdown()
        self._server.server_close()

    def _await_ready(self) -> None:
        """Wait until the program asks for the next event: only then is the CPU time of the last one spent."""
        deadline = time.monotonic() + START_SECONDS
        while not self._asked.acquire(timeout=0.2):
            if self.process.poll() is not None:
                raise FunctionDied(f"the program ended with {self.process.returncode}")
            if time.monotonic() > deadline:
                raise FunctionDied("the program did not ask for an event")

    def invoke(self, payload: Any, seconds: float = 60) -> Answer:
        """Hand an event to the function, which has so many seconds for it, and return its answer."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        start = time.perf_counter()
        self._events.put((str(uuid.uuid4()), body, time.time() + seconds))
        deadline = time.monotonic() + seconds + 5
        while True:
            try:
                answer, is_error, end = self._answers.get(timeout=0.2)
                break
            except queue.Empty:
                if self.process.poll() is not None:
                    raise FunctionDied(f"the program ended with {self.process.returncode}") from None
                if time.monotonic() > deadline:
                    raise FunctionDied(f"no answer within {seconds:.0f} s: Lambda would have stopped it") from None
        self._await_ready()
        return Answer(json.loads(answer), is_error, end - start)

    def cpu_seconds(self) -> float:
        """CPU time of the process so far, its ended threads included."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def peak_memory_mb(self) -> float:
        return self._status("VmHWM") / 1024

    def memory_mb(self) -> float:
        return self._status("VmRSS") / 1024

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def _status(self, field: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
        raise FunctionDied("the program has ended")

    def _handler(function) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer in two segments would wait for the other side's acknowledgement.
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                if not self.path.endswith("/invocation/next"):
                    return self._answer(404, {})
                function._asked.release()
                request_id, body, deadline = function._events.get()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000)))
                self.send_header(
                    "Lambda-Runtime-Invoked-Function-Arn",
                    f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:s3-replication-remediator",
                )
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def do_POST(self) -> None:
                end = time.perf_counter()
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if "/invocation/" in self.path:
                    function._answers.put((body, self.path.endswith("/error"), end))
                self._answer(202, {"status": "OK"})

            def _answer(self, status: int, body: dict[str, str]) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
                self.wfile.flush()

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        return Handler
