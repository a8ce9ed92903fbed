"""A console of one profile, called in memory, with its clock, its store, and browsers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from starlette.applications import Starlette

from saasus_mcp.common.language import Text
from saasus_mcp.hosting.console.routes import Console
from saasus_mcp.store.job_records import JobGrant
from saasus_mcp.store.records import Commitment, UndoEntry
from saasus_mcp.store.signin_sessions import Approver
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW, pending_approval
from tests.support.questions import deletion

ORIGIN = "http://127.0.0.1:8000"
ALICE = Approver("alice", frozenset({"operators"}))
TOKEN = "smcp_made-up"
JOB, CALL = "a1" * 16, "c1" * 16
REQUESTED_AT = pending_approval(
    principal="bob",
    profile="production",
    name="株式会社青空",
    preview=deletion("<b>株式会社青空</b>\u202e", typed=Text("株式会社青空", "株式会社青空")).to_json(),
)


@dataclass
class ConsoleSession:
    """A console of one profile, with its clock and store."""

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
        """Serve the console with these changes of its sign-in."""
        self.console = replace(self.console, signin=replace(self.console.signin, **doors))
        self.app = Starlette(routes=list(self.console.routes()))

    def create_approval(self, **given: str | bool | float) -> None:
        assert self.store.request_approval(replace(REQUESTED_AT, **given), 5)  # type: ignore[arg-type]

    def start_job(self, job: str = JOB, principal: str = "bob", profile: str = "production") -> None:
        """Start a job of one step, in a profile."""
        grant = JobGrant(
            "job_import_users", principal, profile, "plan", "approval", "alice", False, {"row-1": "digest"}
        )
        record = {"operation": "job_import_users", "principal": principal, "profile": profile}
        self.store.commit(job, record, self.now, commitment=Commitment(grant=grant, profile=profile))

    def change_role(self, call: str = CALL, principal: str = "bob", profile: str = "production") -> None:
        """Create a role, as a call that can be undone."""
        arguments = {"role_name": "auditor", "display_name": "監査担当"}
        record = {"operation": "auth.CreateRole", "principal": principal, "profile": profile, "arguments": arguments}
        entry = UndoEntry(call, self.now, "auth.CreateRole", principal, profile, arguments, None)
        self.store.commit(call, record, self.now, commitment=Commitment(True, undo_entry=entry, profile=profile))
        self.store.finish_call(call, {"ok": True, "applied": "applied", "status": 201}, self.now)

    def approval_status(self) -> str:
        return self.store.list_approvals(self.now)[0].status


def csrf_token(page: httpx2.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    return found[1]


async def decide(client: httpx2.AsyncClient, action: str, **fields: str) -> httpx2.Response:
    token = csrf_token(await client.get("/console"))
    return await client.post(f"/console/{action}", data={"csrf": token, "code": REQUESTED_AT.code, **fields})
