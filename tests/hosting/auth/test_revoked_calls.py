"""A server that operators run stops the waiting calls of a token that is revoked in another process."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.store.tokens import TokenStore
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.hosting_process import SlowSandbox, audit_records, call_request, create_token, start_server
from tests.support.processes import TIMEOUT

READ = "auth.GetRoles"


@pytest.mark.slow
async def test_a_read_that_waits_for_the_api_ends_when_its_token_is_revoked(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    state, api = tmp_path / "state", SlowSandbox(FaultySandbox(catalogue))
    api.sandbox.faults.add("status", on=READ, times=1, status=429, retry_after=2)
    bearer, answers = create_token(state), list[httpx2.Response]()
    async with api.listening() as url:
        with start_server(url, state) as (server, _):
            async with httpx2.AsyncClient(timeout=TIMEOUT) as client, anyio.create_task_group() as calls:

                async def call() -> None:
                    answers.append(await client.post(f"{server}/mcp", **call_request(bearer, "auth_get_roles", {})))

                calls.start_soon(call)
                with anyio.fail_after(TIMEOUT):
                    while not api.requests:  # noqa: ASYNC110 - the sandbox tells nobody of reads
                        await anyio.sleep(0.01)
                with closing(TokenStore.open(state)) as tokens:
                    assert tokens.revoke("alice", time.time())
    [answer] = answers
    assert "revoked" in answer.text
    assert len(api.requests) == 1
    [ended] = [each for each in audit_records(state) if each["event"] == "ended"]
    assert ended["applied"] == "not_applied"
