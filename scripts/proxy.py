"""A proxy on this machine between the AWS SDK and the emulator: it counts calls, holds answers back, and spoils them.

Calls have AWS's own names, such as `s3:GetBucketReplication`. Faults look as AWS's do on the wire, service by service:
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (XML), the query protocol of IAM, STS and SNS (XML)
and the JSON protocol of KMS. Only this machine can reach it.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
SLOW_SECONDS = 2.0
# The kind of fault, and the token by which the page after the empty one is asked for.
BEGUN = "begun-empty"

OF_BUCKETS = {
    "replication": "GetBucketReplication",
    "versioning": "GetBucketVersioning",
    "encryption": "GetBucketEncryption",
    "policy": "GetBucketPolicy",
    "ownershipControls": "GetBucketOwnershipControls",
    "object-lock": "GetObjectLockConfiguration",
    "tagging": "GetBucketTagging",
    "requestPayment": "GetBucketRequestPayment",
    "notification": "GetBucketNotificationConfiguration",
    "versions": "ListObjectVersions",
}


@dataclass(frozen=True)
class Request:
    """One call as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def service(self) -> str:
        scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", self.headers.get("authorization", ""))
        return scope.group(1) if scope else "?"

    @property
    def operation(self) -> str:
        """`s3:GetBucketReplication`"""
        if target := self.headers.get("x-amz-target"):
            return f"{self.service}:{target.split('.')[-1]}"
        if action := re.search(rb"(?:^|&)Action=(\w+)", self.body):
            return f"{self.service}:{action.group(1).decode()}"
        url = urlsplit(self.path)
        asked = set(parse_qs(url.query, keep_blank_values=True)) & set(OF_BUCKETS)
        if asked:
            return f"{self.service}:{OF_BUCKETS[asked.pop()]}"
        kind = "Object" if url.path.strip("/").count("/") else "Bucket"
        return f"{self.service}:{self.method.title()}{kind}"

    @property
    def follows_the_empty_page(self) -> bool:
        return BEGUN.encode() in self.body

    def without_our_token(self) -> Request:
        """The question for the first page, which the emulator can answer."""
        if not self.follows_the_empty_page:
            return self
        if self.body.startswith(b"{"):
            asked = {name: value for name, value in json.loads(self.body).items() if value != BEGUN}
            return replace(self, body=json.dumps(asked).encode())
        return replace(self, body=self.body.replace(f"&Marker={BEGUN}".encode(), b""))


@dataclass(frozen=True)
class Reply:
    """An answer: its first line with the headers, and its body."""

    head: bytes
    body: bytes

    @staticmethod
    def of(status: int, body: str, kind: str = "application/xml") -> Reply:
        return Reply(f"HTTP/1.1 {status} Injected\r\ncontent-type: {kind}\r\n".encode(), body.encode())

    @property
    def status(self) -> int:
        return int(self.head.split()[1])


@dataclass
class Fault:
    """What goes wrong with an operation, the first `times` times; without a number, always."""

    operation: str
    kind: str
    times: int | None = None

    def hits(self, request: Request) -> bool:
        if self.times == 0 or self.operation not in ("*", request.operation):
            return False
        if self.kind == BEGUN and request.follows_the_empty_page:
            return False
        if self.times:
            self.times -= 1
        return True


@dataclass(frozen=True)
class Call:
    """A call that was made."""

    operation: str
    start: float
    end: float
    status: int
    body: bytes = field(repr=False)
    fault: str | None = None


def _error(request: Request, status: int, codes: tuple[str, str, str]) -> Reply:
    """The error as the service writes it; the codes are S3's, those of the query protocol, and those of JSON."""
    s3, query, for_json = codes
    if "x-amz-target" in request.headers:
        text = json.dumps({"__type": for_json, "message": "injected"})
        return Reply.of(400 if status < 500 else status, text, "application/x-amz-json-1.1")
    if request.service == "s3":
        return Reply.of(status, f"<Error><Code>{s3}</Code><Message>injected</Message></Error>")
    kind = "Sender" if status < 500 else "Receiver"
    error = f"<Error><Type>{kind}</Type><Code>{query}</Code><Message>injected</Message></Error>"
    return Reply.of(400 if query == "Throttling" else status, f"<ErrorResponse>{error}</ErrorResponse>")


def _again(reply: Reply) -> Reply:
    """The same page, with a token for one more, which will be the same."""
    return _with_token(reply, "again")


def _begun(reply: Reply) -> Reply:
    """An empty page with a token for the next, as AWS allows itself: what there is comes only then."""
    text = reply.body.decode()
    if text.startswith("{"):
        emptied = {name: [] if isinstance(value, list) else value for name, value in json.loads(text).items()}
        return _with_token(Reply(reply.head, json.dumps(emptied).encode()), BEGUN)
    return _with_token(Reply(reply.head, re.sub(r"<member>.*</member>", "", text, flags=re.DOTALL).encode()), BEGUN)


def _with_token(reply: Reply, token: str) -> Reply:
    text = reply.body.decode()
    if text.startswith("{"):
        return Reply(reply.head, json.dumps(json.loads(text) | {"Truncated": True, "NextMarker": token}).encode())
    more = f"<IsTruncated>true</IsTruncated><Marker>{token}</Marker>"
    return Reply(reply.head, re.sub(r"<IsTruncated>false</IsTruncated>|<IsTruncated ?/>", more, text).encode())


# What replaces the answer.
ANSWERS: dict[str, Callable[[Request], Reply]] = {
    "throttled": lambda request: _error(request, 503, ("SlowDown", "Throttling", "ThrottlingException")),
    "failed-500": lambda request: _error(request, 500, ("InternalError", "ServiceFailure", "KMSInternalException")),
    "failed-503": lambda request: _error(request, 503, ("ServiceUnavailable",) * 3),
    "denied": lambda request: _error(request, 403, ("AccessDenied", "AccessDenied", "AccessDeniedException")),
    "expired": lambda request: _error(request, 400, ("ExpiredToken", "ExpiredToken", "ExpiredTokenException")),
    "malformed": lambda request: Reply.of(200, "<html>{not what was asked for"),
    "empty": lambda request: Reply.of(200, ""),
}
# What is done to the answer that comes.
SPOILT: dict[str, Callable[[Reply], Reply]] = {"endless": _again, BEGUN: _begun}
# What is done to the connection. The client gives up by itself on a call that hangs.
CONNECTION = ("reset", "truncated", "slow", "hanging")
KINDS = (*ANSWERS, *SPOILT, *CONNECTION)
# What only answers in pages can suffer, and which have them.
OF_PAGES = tuple(SPOILT)
PAGED = ("iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "kms:ListGrants")


class Proxy:
    """A running proxy. Use it with `with`."""

    def __init__(
        self, upstream: str, latency: float = 0.0, remember: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        address = urlsplit(upstream)
        self._upstream = (address.hostname or HOST, address.port or 80)
        self._tls = tls
        self.latency = latency
        # As many calls of S3 as are answered in a second; what comes faster is told to slow down. None: all.
        self.rate: float | None = None
        self._slots = 0.0
        self._filled = time.perf_counter()
        # Equal reads are answered from memory, so that the emulator's own speed stays out of what is measured.
        self._memory: dict[tuple[str, str, str | None, bytes], Reply] | None = {} if remember else None
        self.faults: list[Fault] = []
        self._calls: list[Call] = []
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self.port = 0

    @property
    def endpoint(self) -> str:
        return f"http{'s' if self._tls else ''}://{HOST}:{self.port}"

    def __enter__(self) -> Proxy:
        ready = threading.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._client, HOST, 0, ssl=self._tls)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.create_task(serve())
            self._loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    def take_calls(self) -> list[Call]:
        """The calls since this was last asked."""
        calls, self._calls = self._calls, []
        return calls

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                request = await _read_request(reader)
                start = time.perf_counter()
                fault = next((fault for fault in self.faults if fault.hits(request)), None)
                kind = fault.kind if fault else "throttled" if self._is_too_fast(request) else None
                reply = await self._reply(request, kind)
                if kind == "slow":
                    await asyncio.sleep(SLOW_SECONDS)
                await asyncio.sleep(max(0.0, start + self.latency - time.perf_counter()))
                call = Call(
                    request.operation, start, time.perf_counter(), reply.status if reply else 0, request.body, kind
                )
                self._calls.append(call)
                if kind == "hanging":
                    await reader.read(1)
                    return
                if kind == "reset" or reply is None:
                    writer.transport.abort()
                    return
                writer.write(_written(request, reply, kind))
                await writer.drain()
                if kind == "truncated":
                    return
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    def _is_too_fast(self, request: Request) -> bool:
        """A bucket of tokens that holds a second's worth."""
        if self.rate is None or request.service != "s3":
            return False
        now = time.perf_counter()
        self._slots = min(self.rate, self._slots + (now - self._filled) * self.rate)
        self._filled = now
        if self._slots < 1:
            return True
        self._slots -= 1
        return False

    async def _reply(self, request: Request, kind: str | None) -> Reply | None:
        if kind in ANSWERS:
            return ANSWERS[kind](request)
        if kind in ("reset", "hanging"):
            return None
        reply = await self._upstreams(request.without_our_token())
        return SPOILT[kind](reply) if kind in SPOILT else reply

    async def _upstreams(self, request: Request) -> Reply:
        key = (request.method, request.path, request.headers.get("x-amz-target"), request.body)
        if self._memory is not None and key in self._memory:
            return self._memory[key]
        reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            dropped = {"connection", "content-length", "transfer-encoding", "expect"}
            lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items() if name not in dropped)
            head = f"{request.method} {request.path} HTTP/1.1\r\n{lines}content-length: {len(request.body)}\r\n"
            writer.write(f"{head}connection: close\r\n\r\n".encode("latin-1") + request.body)
            await writer.drain()
            first, headers, body = await _read_message(reader, to_head=request.method == "HEAD")
        finally:
            writer.close()
        kept = "".join(
            f"{name}: {value}\r\n" for name, value in headers.items()
            if name not in {"connection", "content-length", "transfer-encoding"}
        )
        reply = Reply(f"{first}\r\n{kept}".replace("HTTP/1.0", "HTTP/1.1").encode("latin-1"), body)
        if self._memory is not None and reply.status < 500:
            self._memory[key] = reply
        return reply


def _written(request: Request, reply: Reply, kind: str | None) -> bytes:
    head = reply.head + f"content-length: {len(reply.body)}\r\n\r\n".encode()
    if request.method == "HEAD":
        return head if kind != "truncated" else head[: len(head) // 2]
    if kind == "truncated":
        return head + reply.body[: len(reply.body) // 2]
    return head + reply.body


async def _read_request(reader: asyncio.StreamReader) -> Request:
    first, headers, body = await _read_message(reader)
    method, path, _ = first.split(" ", 2)
    return Request(method, path, headers, body)


async def _read_message(
    reader: asyncio.StreamReader, to_head: bool = False
) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, colon, value in (l.partition(":") for l in lines) if colon}
    body = b""
    if to_head:
        return first, headers, body
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readline()
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif first.startswith("HTTP/") and first.split()[1] not in ("204", "304"):
        body = await reader.read()
    return first, headers, body


def depth(calls: list[Call]) -> int:
    """The longest chain of calls of which each began after its forerunner had ended: the waits for AWS that add up."""
    best: list[tuple[float, int]] = []
    for call in sorted(calls, key=lambda call: call.end):
        before = max((length for end, length in best if end <= call.start), default=0)
        best.append((call.end, before + 1))
    return max((length for _, length in best), default=0)


def counts(calls: list[Call]) -> dict[str, int]:
    return dict(sorted(Counter(call.operation for call in calls).items()))
