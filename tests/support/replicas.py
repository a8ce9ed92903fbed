"""Several servers that share one state: processes before one sandbox, which counts what reaches it."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from mcp import Client as McpClient
from starlette.types import ASGIApp, Receive, Scope, Send

from saasus_mcp.catalog import Catalogue
from saasus_mcp.cli.state import AUDIT_KEY_PURPOSE, KEY_FILE
from saasus_mcp.hosting.http import uvicorn_server
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.sandbox import CREDENTIALS
from saasus_mcp.sandbox.server import create_server as sandbox_server
from saasus_mcp.store.tokens import Token
from scripts.with_postgres import free_port
from tests.support.databases import open_stores
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.gate import reply_text
from tests.support.hosting_server import run_server
from tests.support.processes import TIMEOUT, start_module

KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(3)]
APPROVE_COMMAND = re.compile(r"saasus-mcp approve ([0-9A-Z-]+)")
LISTENING = re.compile(r"MCP at (http://127\.0\.0\.1:([0-9]+))/mcp")
WITH_SIGN_IN = "[http]\nleave_seconds = 1\n[profiles.default]\ngroups = ['support']\n[auth]\n"
TOKENS_ONLY = "tokens = true\n"


class CountingSandbox(FaultySandbox):
    """A sandbox that counts the writes that reach it, by method, path and body."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(catalogue)
        self.writes: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in {"GET", "HEAD"}:
            messages = [await receive()]
            while messages[-1].get("more_body"):
                messages.append(await receive())
            body = b"".join(message.get("body", b"") for message in messages)
            self.writes[f"{scope['method']} {scope['path']} {body.decode()}"] += 1
            waiting = iter(messages)

            async def again() -> object:
                return next(waiting, None) or await receive()

            await super().__call__(scope, again, send)  # type: ignore[arg-type]  # as it came
        else:
            await super().__call__(scope, receive, send)

    def count_writes(self, text: str) -> int:
        """Return how many writes contain a text."""
        return sum(count for said, count in self.writes.items() if text in said)


@dataclass
class Replica:
    """One server in a process of its own, with its log.

    Args:
        port: 0 for a free one, which a restart keeps.
    """

    env: dict[str, str] = field(repr=False)
    log: Path
    port: int = 0
    url: str = ""
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def start(self) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SAASUS_")}
        with self.log.open("wb") as kept:
            self.process = start_module(
                *("saasus_mcp", "serve", "--transport", "http", "--port", str(self.port)),
                stdin=subprocess.DEVNULL,
                stdout=kept,
                stderr=kept,
                env={**clean, **self.env},
            )

    async def wait_until_ready(self) -> None:
        with anyio.fail_after(TIMEOUT):
            while (found := LISTENING.search(self.output)) is None:
                assert self.process.poll() is None, self.output
                await anyio.sleep(0.02)
        self.url, self.port = found[1], int(found[2])

    async def wait_for_output(self, text: str) -> None:
        """Wait until the log has a text: a thread of the server writes it, later than what it reports."""
        with anyio.fail_after(TIMEOUT):
            while text not in self.output:  # noqa: ASYNC110 - a file of another process
                await anyio.sleep(0.02)

    async def restart(self) -> None:
        """Stop the server as its supervisor does, and start it again. It is not ready yet."""
        self.process.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(self.process.wait, TIMEOUT) == 0, self.output
        assert "Traceback" not in self.output
        self.start()

    def kill(self) -> None:
        """Kill the server, as when the machine loses power."""
        self.process.kill()
        self.process.wait(TIMEOUT)


@dataclass
class Replicas:
    """The servers, their sandbox, and the environment of a command in a terminal."""

    sandbox: CountingSandbox
    replicas: list[Replica]
    env: dict[str, str] = field(repr=False)


def environment(where: Path | str, folder: Path, keys: list[str] = KEYS[:1]) -> dict[str, str]:
    """Return the variables with which a process shares the state: the folder, or the database and the keys."""
    if isinstance(where, Path):
        return {"SAASUS_MCP_STATE_DIR": str(where)}
    return {
        "SAASUS_MCP_STATE_DIR": str(folder),
        "SAASUS_MCP_DATABASE_URL": where,
        "SAASUS_MCP_SEALING_KEYS": ",".join(keys),
    }


@contextmanager
def start_replica(env: dict[str, str], log: Path, port: int = 0) -> Iterator[Replica]:
    """Start a server on this port, or on a free one. Kill it at the end of the block."""
    replica = Replica(env, log, port)
    replica.start()
    try:
        yield replica
    finally:
        replica.kill()


def _write_config(folder: Path, auth: str) -> Path:
    """Write a configuration without console, so that no client is sent to a page."""
    file = folder / "config.toml"
    file.write_text(f"version = 1\n[console]\nenabled = false\n{WITH_SIGN_IN + auth if auth else ''}", encoding="utf-8")
    return file


@asynccontextmanager
async def start_replicas(
    catalogue: Catalogue, where: Path | str, folder: Path, count: int = 2, *, auth: str = "", **more: str
) -> AsyncIterator[Replicas]:
    """Start servers that share the state at `where`. Each has files of its own in `folder`.

    Args:
        auth: how callers sign in, as in `[auth]`: `TOKENS_ONLY`, for example. Only such a server lets balancers turn away before it stops.
    """
    sandbox = CountingSandbox(catalogue)
    with uvicorn_server.open_listener("127.0.0.1", 0) as listener:
        api = sandbox_server("127.0.0.1", 0, sandbox)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(api.serve, [listener])
            shared = {
                "SAASUS_MCP_CONFIG": str(_write_config(folder, auth)),
                "SAASUS_API_URL_BASE": f"http://127.0.0.1:{listener.getsockname()[1]}",
                "SAASUS_SAAS_ID": CREDENTIALS.saas_id,
                "SAASUS_API_KEY": CREDENTIALS.api_key,
                "SAASUS_SECRET_KEY": CREDENTIALS.secret_key,
                **more,
            }
            env = shared | environment(where, folder / "terminal")
            try:
                with _replicas(where, folder, shared, count, fixed_ports=bool(auth)) as replicas:
                    for each in replicas:
                        await each.wait_until_ready()
                    yield Replicas(sandbox, replicas, env)
            finally:
                api.should_exit = True


@contextmanager
def _replicas(
    where: Path | str, folder: Path, shared: dict[str, str], count: int, *, fixed_ports: bool
) -> Iterator[list[Replica]]:
    with ExitStack() as until:
        yield [
            until.enter_context(
                start_replica(
                    shared | environment(where, folder / f"replica-{number}"),
                    folder / f"replica-{number}.log",
                    free_port() if fixed_ports else 0,  # tokens are issued for an address, which must be known before
                )
            )
            for number in range(1, count + 1)
        ]


@asynccontextmanager
async def serve_app(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an app on a port of this machine until the block ends. Return the URL."""
    with uvicorn_server.open_listener("127.0.0.1", 0) as listener:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=60,
        )
        async with run_server(uvicorn.Server(config), listener) as url:
            yield url


async def call_raw(client: McpClient, tool: str, arguments: dict[str, Any], **round_: Any) -> Any:
    return await client.session.call_tool(tool, arguments, allow_input_required=True, **round_)


async def call_allowed(client: McpClient, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return the result of a call that needs no confirmation."""
    given = await call_raw(client, tool, arguments)
    assert not given.is_error, reply_text(given)
    return dict(given.structured_content or {})


async def create_tenant(client: McpClient, name: str) -> str:
    made = await call_allowed(
        client, "auth_create_tenant", name=name, attributes={}, back_office_staff_email="a@example.jp"
    )
    return str(made["id"])


def create_tokens(where: Path | str, count: int) -> list[str]:
    """Create the tokens of so many callers."""
    now = time.time()
    with closing(open_stores(where)) as kept, closing(kept.open_tokens()) as accounts:
        wanted = (
            Token(f"alice-{number}", "caller", frozenset({"support"}), "local:me", now, now + 3600)
            for number in range(count)
        )
        return [accounts.add(each) for each in wanted]


def approve_call(where: Path | str, code: str, name: str) -> None:
    """Approve a call as a person does in a terminal or on the console."""
    sealer = Encryptor.from_file(where / KEY_FILE) if isinstance(where, Path) else Encryptor(base64.b64decode(KEYS[0]))
    with (
        closing(open_stores(where, sealer.derive_keys(AUDIT_KEY_PURPOSE))) as kept,
        closing(kept.open_saas(CREDENTIALS.saas_id)) as store,
    ):
        approvals, now = ApprovalService(store), time.time()
        approvals.approve(approvals.find_pending(code, now), name, "local:somebody", now)
