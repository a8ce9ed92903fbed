"""A database that stops answering, and comes back: writes do not go, the process lives, and says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio.abc import ByteStream, SocketAttribute
from sqlalchemy import make_url

from saasus_mcp.catalog import Catalogue
from tests.support.databases import POSTGRESQL
from tests.support.gate import reply_text
from tests.support.hosting_server import connect_client
from tests.support.processes import TIMEOUT
from tests.support.replicas import start_replicas

SOON = 5.0
"""Far less than a database is waited for, far more than an answer without one takes."""


@dataclass
class Line:
    """The network before a database: while it is cut, nothing comes through and nobody is told."""

    host: str
    port: int
    whole: anyio.Event = field(default_factory=anyio.Event)

    def cut(self) -> None:
        self.whole = anyio.Event()

    def mend(self) -> None:
        self.whole.set()

    async def carry(self, client: ByteStream) -> None:
        async with client, await anyio.connect_tcp(self.host, self.port) as server, anyio.create_task_group() as both:
            both.start_soon(self._pass, client, server)
            both.start_soon(self._pass, server, client)

    async def _pass(self, source: ByteStream, sink: ByteStream) -> None:
        try:
            async for piece in source:
                await self.whole.wait()
                await sink.send(piece)
            await sink.aclose()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            await source.aclose()


@asynccontextmanager
async def line(address: str) -> AsyncIterator[tuple[Line, str]]:
    """A line to this database, and the address at its near end."""
    url = make_url(address)
    assert url.host is not None
    assert url.port is not None
    made = Line(url.host, url.port)
    made.mend()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, made.carry)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - not of Django
        yield made, url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        made.mend()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
async def test_while_the_database_does_not_answer_no_write_goes_and_the_server_says_so(
    catalogue: Catalogue, where: str, tmp_path: Path
) -> None:
    async with (
        line(where) as (network, near),
        start_replicas(catalogue, near, tmp_path, count=1) as one,
        connect_client(one.replicas[0].url, "2026-07-28", None) as client,
        httpx2.AsyncClient(base_url=one.replicas[0].url) as probe,
    ):
        answers: list[Any] = []

        async def write(name: str) -> None:
            answers.append(await client.call_tool("auth_create_role", {"role_name": name, "display_name": "x"}))

        await write("before")
        assert (await probe.get("/readyz")).json()["store"] == "ok"
        network.cut()
        with anyio.fail_after(TIMEOUT):
            async with anyio.create_task_group() as together:
                for number in range(3):
                    together.start_soon(write, f"during_{number}")
                with anyio.fail_after(SOON):
                    assert (await probe.get("/healthz")).status_code == 200
                    while (ready := await probe.get("/readyz", timeout=SOON)).status_code == 200:
                        pass
                    assert (ready.status_code, ready.json()["store"]) == (503, "failed")
        assert [answer.is_error for answer in answers] == [False, True, True, True]
        assert all("not_applied" in reply_text(answer) and "Check that" in reply_text(answer) for answer in answers[1:])
        assert one.sandbox.count_writes("during_") == 0
        network.mend()
        await write("after")
        assert not answers[-1].is_error, reply_text(answers[-1])
        assert (await probe.get("/readyz")).json()["store"] == "ok"
    assert "Traceback" not in one.replicas[0].output
