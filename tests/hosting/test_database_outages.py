"""A database that stops answering, and comes back: writes do not go, the process lives, and says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from tests.support.databases import POSTGRESQL
from tests.support.gate import reply_text
from tests.support.hosting_server import connect_client
from tests.support.network import SHORT_TIMEOUT, connect_through
from tests.support.processes import TIMEOUT
from tests.support.replicas import start_replicas


@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
async def test_while_the_database_does_not_answer_no_write_goes_and_the_server_says_so(
    catalogue: Catalogue, where: str, tmp_path: Path
) -> None:
    async with (
        connect_through(where) as (network, near),
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
                with anyio.fail_after(SHORT_TIMEOUT):
                    assert (await probe.get("/healthz")).status_code == 200
                    while (ready := await probe.get("/readyz", timeout=SHORT_TIMEOUT)).status_code == 200:
                        pass
                    assert (ready.status_code, ready.json()["store"]) == (503, "failed")
        assert [answer.is_error for answer in answers] == [False, True, True, True]
        assert all("not_applied" in reply_text(answer) and "Check that" in reply_text(answer) for answer in answers[1:])
        assert one.sandbox.count_writes("during_") == 0
        network.restore()
        await write("after")
        assert not answers[-1].is_error, reply_text(answers[-1])
        assert (await probe.get("/readyz")).json()["store"] == "ok"
    assert "Traceback" not in one.replicas[0].output
