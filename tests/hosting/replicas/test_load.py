"""Many clients at once, before one server and before two: everyone gets their own answer, and no write goes twice."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.outcome import Outcome
from tests.support.commands import spawn_command
from tests.support.databases import database_name
from tests.support.gate import reply_text
from tests.support.hosting_server import Transport, connect_client
from tests.support.load import CALLS, CLIENTS, RUN_SECONDS, Load, created_roles, judge_truth, run_load
from tests.support.load_report import MEASURED, report_row
from tests.support.replicas import (
    APPROVE_COMMAND,
    TOKENS_ONLY,
    Replicas,
    approve_call,
    create_tenant,
    create_tokens,
    start_replicas,
)
from tests.support.reverse_proxy import start_proxy


def judge(load: Load, servers: Replicas) -> None:
    """Every call was answered, to whom it belongs, and every write went once."""
    assert load.failed == {}
    judge_truth(load, servers.sandbox, "load")
    assert set(created_roles(servers.sandbox, "load")) == load.writes(Outcome.APPLIED)
    assert load.calls == CLIENTS * CALLS or load.took > RUN_SECONDS


@pytest.mark.exhaustive  # two servers do more, below
async def test_every_client_of_one_server_gets_its_own_answers(
    catalogue: Catalogue, where: Path | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with start_replicas(catalogue, where, tmp_path, count=1) as one:
        load = await run_load(one.replicas[0].url, "2026-07-28", "load")
        report_row("load", ("one", "2026-07-28", "nobody", database_name(where)), load.cells(one.sandbox), capsys)
        judge(load, one)
        assert spawn_command("audit", "verify", **one.env).status == 0


@pytest.mark.exhaustive  # two servers under load, of which one dies besides, are below
@pytest.mark.parametrize("way", ["2026-07-28", pytest.param("legacy", marks=pytest.mark.exhaustive)])
async def test_every_client_of_two_servers_behind_a_proxy_gets_its_own_answers(
    catalogue: Catalogue, where: Path | str, tmp_path: Path, way: Transport, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = create_tokens(where, CLIENTS)
    async with (
        start_replicas(catalogue, where, tmp_path, auth=TOKENS_ONLY) as two,
        start_proxy(two.replicas) as url,
    ):
        load = await run_load(url, way, "load", tokens=tokens)
        report_row("load", ("two", way, "tokens", database_name(where)), load.cells(two.sandbox), capsys)
        judge(load, two)
        assert not any("Traceback" in each.output for each in two.replicas)


@pytest.mark.parametrize("way", ["2026-07-28", "legacy"] if MEASURED else ["2026-07-28"])
async def test_a_server_that_dies_midway_loses_no_approval_and_repeats_no_write(
    catalogue: Catalogue, where: Path | str, tmp_path: Path, way: Transport, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = create_tokens(where, CLIENTS)
    async with (
        start_replicas(catalogue, where, tmp_path, auth=TOKENS_ONLY) as two,
        start_proxy(two.replicas) as url,
    ):
        dying, left = two.replicas
        async with connect_client(dying.url, "2026-07-28", tokens[0]) as client:
            wanted = {"tenant_id": await create_tenant(client, "approved before")}
            [code] = APPROVE_COMMAND.findall(reply_text(await client.call_tool("auth_delete_tenant", wanted)))
        approve_call(where, code, "approved before")

        async def kill_one(load: Load) -> None:
            while load.calls < 2 * CLIENTS:  # noqa: ASYNC110 - the clients set no event
                await anyio.sleep(0.01)
            dying.kill()

        load = await run_load(url, way, "load", tokens=tokens, meanwhile=kill_one)
        report_row("load", ("two", way, "tokens", "killed", database_name(where)), load.cells(two.sandbox), capsys)
        assert dying.process.poll() is not None
        assert len(load.failed) <= CLIENTS, "only what was under way there"
        judge_truth(load, two.sandbox, "load")

        async with connect_client(left.url, "2026-07-28", tokens[0]) as client:
            assert not (await client.call_tool("auth_delete_tenant", wanted)).is_error
            assert (await client.call_tool("auth_delete_tenant", wanted)).is_error
        assert two.sandbox.count_writes(f"DELETE /v1/auth/tenants/{wanted['tenant_id']} ") == 1
        assert spawn_command("audit", "verify", **two.env).status == 0
