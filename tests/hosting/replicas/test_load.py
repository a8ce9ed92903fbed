"""Many clients at once, before one server and before two: everyone gets their own answer, and no write goes twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue
from tests.support.commands import spawn_command
from tests.support.gate import reply_text
from tests.support.hosting_server import Transport, connect_client
from tests.support.load import MEASURED, Load, created_roles, repeated_writes, run_load
from tests.support.replicas import APPROVE_COMMAND, Replicas, approve_call, create_tenant, start_replicas
from tests.support.reverse_proxy import start_proxy

CLIENTS, CALLS = (int(number) for number in (MEASURED or "8x10").split("x"))


def print_result(case: str, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """Print the numbers if they were requested."""
    if MEASURED:
        with capsys.disabled():
            print(f"\n{case}: {load.line()}")  # noqa: T201 - what `make load` is for


def of(where: Path | str) -> str:
    return "SQLite" if isinstance(where, Path) else "PostgreSQL"


def judge(load: Load, servers: Replicas) -> None:
    """Every call was answered, to whom it belongs, and every write went once."""
    assert load.failed == {}
    assert load.wrong == []
    assert load.calls == CLIENTS * CALLS
    assert created_roles(servers.sandbox, "load") == dict.fromkeys(load.written, 1)
    assert repeated_writes(servers.sandbox) == {}


async def test_every_client_of_one_server_gets_its_own_answers(
    catalogue: Catalogue, where: Path | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with start_replicas(catalogue, where, tmp_path, count=1) as one:
        load = await run_load(one.replicas[0].url, "2026-07-28", CLIENTS, CALLS, "load")
        print_result(f"one server, {of(where)}", load, capsys)
        judge(load, one)
        assert spawn_command("audit", "verify", **one.env).status == 0


@pytest.mark.parametrize("way", ["2026-07-28", "legacy"])
async def test_every_client_of_two_servers_behind_a_proxy_gets_its_own_answers(
    catalogue: Catalogue, where: Path | str, tmp_path: Path, way: Transport, capsys: pytest.CaptureFixture[str]
) -> None:
    async with start_replicas(catalogue, where, tmp_path) as two, start_proxy(two.replicas) as url:
        load = await run_load(url, way, CLIENTS, CALLS, "load")
        print_result(f"two servers, {way}, {of(where)}", load, capsys)
        judge(load, two)
        assert not any("Traceback" in each.output for each in two.replicas)


async def test_a_server_that_dies_midway_loses_no_approval_and_repeats_no_write(
    catalogue: Catalogue, where: Path | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with start_replicas(catalogue, where, tmp_path) as two, start_proxy(two.replicas) as url:
        dying, left = two.replicas
        async with connect_client(dying.url, "2026-07-28", None) as client:
            wanted = {"tenant_id": await create_tenant(client, "approved before")}
            [code] = APPROVE_COMMAND.findall(reply_text(await client.call_tool("auth_delete_tenant", wanted)))
        approve_call(where, code, "approved before")

        load = await run_load(url, "2026-07-28", CLIENTS, CALLS, "load", after=_at(CLIENTS * CALLS // 2, dying.kill))
        print_result(f"two servers, one of which dies, {of(where)}", load, capsys)
        assert dying.process.poll() is not None
        assert load.calls == CLIENTS * CALLS
        assert len(load.failed) <= CLIENTS, "only what was under way there"
        assert load.wrong == []
        sent = created_roles(two.sandbox, "load")
        assert load.written <= set(sent), "what was answered as done was done"
        assert set(sent) - load.written <= set(load.failed), "no client got a success for a write that is missing"
        assert repeated_writes(two.sandbox) == {}

        async with connect_client(left.url, "2026-07-28", None) as client:
            assert not (await client.call_tool("auth_delete_tenant", wanted)).is_error
            assert (await client.call_tool("auth_delete_tenant", wanted)).is_error
        assert two.sandbox.count_writes(f"DELETE /v1/auth/tenants/{wanted['tenant_id']} ") == 1
        assert spawn_command("audit", "verify", **two.env).status == 0


def _at(calls: int, act: Callable[[], None]) -> Callable[[Load], None]:
    """Acts once, when so many calls were made."""

    def after(load: Load) -> None:
        nonlocal act
        if load.calls >= calls:
            act, once = lambda: None, act
            once()

    return after
