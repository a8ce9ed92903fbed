"""A console over one profile, asked in memory: its clock, its store, and browsers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from starlette.applications import Starlette

from saasus_mcp.catalog.model import Text
from saasus_mcp.hosting.console.pages import Console
from saasus_mcp.hosting.console.sessions import Approver
from saasus_mcp.store import Store
from tests.approvals import NOW, pending
from tests.sample_questions import deletion

ORIGIN = "http://127.0.0.1:8000"
ALICE = Approver("alice", frozenset({"operators"}))
TOKEN = "smcp_made-up"
ASKED = pending(
    principal="bob",
    profile="production",
    name="株式会社青空",
    preview=deletion("<b>株式会社青空</b>\u202e", typed=Text("株式会社青空", "株式会社青空")).kept(),
)


@dataclass
class Stage:
    """A console over one profile, with its clock and store."""

    store: Store
    console: Console
    app: Starlette
    now: float = NOW

    @asynccontextmanager
    async def browser(self, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        given = {"origin": ORIGIN, "accept-language": "en", **headers}
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers=given) as client:
            yield client

    @asynccontextmanager
    async def signed_in(self, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        async with self.browser(**headers) as client:
            answer = await client.post("/console/sign-in", data={"token": TOKEN})
            assert answer.status_code == 303
            yield client

    def serve(self, **doors: Any) -> None:
        """Serve it, with other doors where they are given."""
        self.console = replace(self.console, doors=replace(self.console.doors, **doors))
        self.app = Starlette(routes=list(self.console.routes()))

    def asked(self, **given: str | bool | float) -> None:
        assert self.store.request_approval(replace(ASKED, **given), 5)  # type: ignore[arg-type]

    def status(self) -> str:
        return self.store.approvals(self.now)[0].status


def csrf(page: httpx2.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    return found[1]


async def decide(client: httpx2.AsyncClient, deed: str, **fields: str) -> httpx2.Response:
    token = csrf(await client.get("/console"))
    return await client.post(f"/console/{deed}", data={"csrf": token, "code": ASKED.code, **fields})
