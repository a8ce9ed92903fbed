"""Receivers of notices on this machine, and channels that send to them."""

from __future__ import annotations

import select
import socketserver
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio

from saasus_mcp.notices.channels import Channel, ChannelKind, NoticeAudience
from saasus_mcp.notices.notice import Notice
from saasus_mcp.notices.rendering import NoticeRenderer
from saasus_mcp.notices.sending import NoticeSender, SendFailure
from saasus_mcp.notices.worker import NoticeSource, NoticeWorker, Sender, WorkerConfig
from saasus_mcp.settings.notices import ChannelTable, ChatworkTable, EmailTable, UrlChannelTable, WebhookTable
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW, pending_approval

SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CONSOLE = "https://mcp.example.com/console"
SOURCE = {"env": "NOTICES_TEST"}
PATIENCE = 30.0
CHANNELS = """
[notices.slack.approvals]
url = {{ env = "NOTICES_HOOK" }}
profiles = ["sandbox"]
lang = "ja"
[notices.email.operators]
profiles = ["sandbox"]
host = "127.0.0.1"
port = {mail}
security = "none"
from = "mcp@example.com"
to = ["ops@example.jp"]
"""
"""A chat and an e-mail channel of config.toml, to be formatted with the port of the mail receiver."""
FAST = WorkerConfig(interval=0.02, spacing=0.0, claim=0.5, delays=(0.05,), expiry_interval=0.0)


def channel(
    kind: ChannelKind = "slack", name: str = "ops", url: str = "https://hooks.example.com/T/B/key", **table: Any
) -> Channel:
    """Return a channel of any kind."""
    match kind:
        case "chatwork":
            settings: ChannelTable = ChatworkTable.model_validate({"token": SOURCE, "room": "123", "url": url, **table})
            return Channel(name, kind, settings, {"token": "chatwork-token"})
        case "email":
            settings = EmailTable.model_validate(
                {"host": "127.0.0.1", "security": "none", "from": "mcp@example.com", "to": ["ops@example.jp"], **table}
            )
            return Channel(name, kind, settings, {})
        case "webhook":
            return Channel(
                name,
                kind,
                WebhookTable.model_validate({"url": SOURCE, "secret": SOURCE, **table}),
                {"url": url, "secret": SIGNING_SECRET},
            )
        case _:
            return Channel(name, kind, UrlChannelTable.model_validate({"url": SOURCE, **table}), {"url": url})


def worker(
    store: Store,
    channels: list[Channel],
    sender: Sender,
    *,
    clock: Callable[[], float],
    config: WorkerConfig = FAST,
    console: str = CONSOLE,
    profile: str = "default",
    others: Sequence[NoticeSource] = (),
) -> NoticeWorker:
    """Return a worker over a store, which has the mutes as well, and over other stores."""
    sources = [NoticeSource(lambda: store, frozenset({profile})), *others]

    async def run(query: Any) -> Any:
        return query()

    return NoticeWorker(
        channels,
        NoticeAudience({profile: frozenset({"support"})}),
        lambda: sources,
        decisions=lambda: store,
        renderer=NoticeRenderer(lambda: console, lambda text: text.replace("secret-key-under-test", "***")),
        sender=sender,
        clock=clock,
        run=run,
        config=config,
    )


@dataclass
class RecordingSender:
    """Records what it is given, and answers with the next of its failures."""

    failures: list[SendFailure | None] = field(default_factory=list)
    sent: list[tuple[str, Notice]] = field(default_factory=list)

    async def send(self, channel: Channel, notice: Notice) -> SendFailure | None:
        self.sent.append((channel.name, notice))
        return self.failures.pop(0) if self.failures else None


@dataclass
class HttpReceiver:
    """A receiver of webhooks.

    Attributes:
        answers: the next answers, as status, headers and body; then 200.
        times: when each request arrived.
        holds: no request is answered before `release`.
        given_up: how many requests were held until their client left.
    """

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    holds: bool = False
    given_up: int = 0
    arrival: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        with self.arrival:
            assert self.arrival.wait_for(lambda: len(self.requests) >= count, PATIENCE), f"{len(self.requests)} arrived"


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    """Run a receiver on loopback."""
    receiver = HttpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with receiver.arrival:
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append((self.path, headers, body))
                receiver.times.append(time.time())
                receiver.arrival.notify_all()
            if receiver.holds and self.is_given_up():
                receiver.given_up += 1
                return
            status, headers, answer = receiver.answers.pop(0) if receiver.answers else (200, {}, b"ok")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def is_given_up(self) -> bool:
            """Hold the request until `release`. Return whether its client leaves before."""
            while not receiver.release.wait(0.02):
                if select.select([self.connection], [], [], 0.0)[0]:
                    return True
            return False

        def log_message(self, format: str, *args: Any) -> None:
            """Keep standard error for the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/T/B/key"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailReceiver:
    """A mail server. `refusals` are answers to DATA, such as `550 no`, in place of acceptance."""

    port: int = 0
    messages: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    silent: bool = False
    arrival: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> None:
        """Wait until so many messages have arrived."""
        with self.arrival:
            assert self.arrival.wait_for(lambda: len(self.messages) >= count, PATIENCE), f"{len(self.messages)} arrived"


@contextmanager
def mail_receiver() -> Iterator[MailReceiver]:
    """Run a mail server on loopback that speaks as much SMTP as a client needs."""
    receiver = MailReceiver()
    ending = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            if receiver.silent:
                ending.wait(30)
                return
            self.say("220 test")
            while line := self.rfile.readline().decode().strip():
                match line.split()[0].upper():
                    case "DATA" if receiver.refusals:
                        self.say(receiver.refusals.pop(0))
                    case "DATA":
                        self.say("354 go on")
                        text = self.read_message()
                        with receiver.arrival:
                            receiver.messages.append(text)
                            receiver.times.append(time.time())
                            receiver.arrival.notify_all()
                        self.say("250 accepted")
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("250 ok")

        def read_message(self) -> str:
            lines: list[str] = []
            while (line := self.rfile.readline().decode()) != ".\r\n":
                lines.append(line)
            return "".join(lines)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            ending.set()
            server.shutdown()
            thread.join()


def sender_for_tests(clock: Callable[[], float], seconds: float = 10.0) -> NoticeSender:
    """Return a sender that uses the network of this machine."""
    return NoticeSender(clock, seconds=seconds)


class Clock:
    """A clock that a test moves."""

    now = NOW + 1

    def __call__(self) -> float:
        return self.now


async def deliver(each: NoticeWorker) -> None:
    """Let the worker look once, and wait until what it has started has ended."""
    async with anyio.create_task_group() as tasks:
        await each.look(tasks)


@asynccontextmanager
async def running(*workers: NoticeWorker) -> AsyncIterator[None]:
    """Run workers until the block ends."""
    async with anyio.create_task_group() as tasks:
        for each in workers:
            tasks.start_soon(each.run)
        yield
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is in a store
            await anyio.sleep(0.01)


def ask(store: Store, **other: str) -> None:
    """Store a pending approval."""
    store.request_approval(pending_approval(**other), 5)


def titles(sender: RecordingSender) -> list[str]:
    """Return the titles of what was sent."""
    return [notice.title for _, notice in sender.sent]
