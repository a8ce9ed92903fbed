"""Restarts under load: of each server, as docs/hosting.md describes it, and of the database. Nothing is lost, and nothing goes twice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import anyio
import httpx2
import pytest
from anyio import to_thread

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.sandbox import CREDENTIALS
from scripts.with_postgres import temporary_server
from tests.support.commands import spawn_command
from tests.support.databases import database_name, open_stores
from tests.support.documents import document_server
from tests.support.hosting_server import Transport
from tests.support.jwt_issuer import JwtIssuer
from tests.support.load import Load, created_roles, judge_truth, run_load
from tests.support.load_report import MEASURED, report_row
from tests.support.processes import TIMEOUT
from tests.support.replicas import TOKENS_ONLY, Replica, create_tokens, start_replicas
from tests.support.reverse_proxy import start_proxy

pytestmark = pytest.mark.slow
CLIENTS, CALLS = 8, 125
"""Each client makes so many calls, or more if the restarts take longer: a thousand together. In `make test` a fifth of them."""
RESTARTS = 3
"""Of the database in one run: each meets other calls in other moments."""
JWTS_ONLY = """tokens = false
[auth.jwt]
issuer = "{issuer}"
jwks_url = "{issuer}/keys"
audience = ["load"]
"""
BETWEEN = 50
"""Calls that the same clients make successfully before the first restart, and after each."""


def recorded_ends(address: str) -> Counter[str]:
    """Return the roles whose creation has an end in the audit log, and how often each."""
    with closing(open_stores(address)) as kept, closing(kept.open_saas(CREDENTIALS.saas_id)) as store:
        records = store.audit_log.list_records()
    ended = Counter(each["call"] for each in records if each["event"] == "ended" and each["applied"] == "applied")
    begun = {each["call"]: each for each in records if each["event"] == "begun"}
    writes = {call: record for call, record in begun.items() if record["operation"] == "auth.CreateRole"}
    return Counter({record["arguments"]["role_name"]: ended[call] for call, record in writes.items() if ended[call]})


async def wait_until_healthy(replicas: Sequence[Replica]) -> None:
    """Wait until each of the servers says that it is ready."""
    async with httpx2.AsyncClient() as http:
        with anyio.fail_after(TIMEOUT):
            for each in replicas:
                while (await http.get(f"{each.url}/readyz")).status_code != 200:  # noqa: ASYNC110 - as a probe does
                    await anyio.sleep(0.1)


async def wait_for_successes(load: Load) -> None:
    enough = load.calls - len(load.failed) + BETWEEN
    with anyio.fail_after(TIMEOUT):
        while load.calls - len(load.failed) < enough:  # noqa: ASYNC110 - the clients set no event
            await anyio.sleep(0.02)


@pytest.mark.exhaustive  # six seconds; workers that are replaced under load are in test_supervisor.py
@pytest.mark.parametrize("way", ["2026-07-28", "legacy"] if MEASURED else ["2026-07-28"])
async def test_no_call_fails_while_one_server_after_the_other_restarts(
    catalogue: Catalogue,
    where: Path | str,
    tmp_path: Path,
    way: Transport,
    exhaustive: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = CALLS if exhaustive or MEASURED else CALLS // 5
    tokens = create_tokens(where, CLIENTS)
    async with (
        start_replicas(catalogue, where, tmp_path, auth=TOKENS_ONLY) as two,
        start_proxy(two.replicas) as url,
    ):

        async def restart_each(_: Load) -> None:
            for each in two.replicas:
                await each.restart()
                await each.wait_until_ready()
                await wait_until_healthy([each])

        load = await run_load(url, way, "load", CLIENTS, calls, tokens=tokens, meanwhile=restart_each, seconds=math.inf)
        report_row("load", ("two", way, "tokens", "rolling", database_name(where)), load.cells(two.sandbox), capsys)
        assert load.failed == {}
        assert load.calls >= CLIENTS * calls
        judge_truth(load, two.sandbox, "load")
        assert set(created_roles(two.sandbox, "load")) == load.writes(Outcome.APPLIED)
        assert spawn_command("audit", "verify", **two.env).status == 0


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("mode", "way", "callers"),
    [
        ("fast", "2026-07-28", "tokens"),
        ("immediate", "legacy", "jwts"),
        *([("fast", "legacy", "tokens"), ("immediate", "2026-07-28", "jwts")] if MEASURED else []),
    ],
)
async def test_every_answer_is_true_while_the_database_restarts_and_the_servers_go_on_without_a_restart(
    catalogue: Catalogue,
    tmp_path: Path,
    mode: Literal["fast", "immediate"],
    way: Transport,
    callers: Literal["tokens", "jwts"],
    capsys: pytest.CaptureFixture[str],
) -> None:
    issuer = JwtIssuer()
    with temporary_server() as database, document_server({"/keys": issuer.document()}) as provider:
        if callers == "tokens":
            auth, tokens = TOKENS_ONLY, create_tokens(database.address, CLIENTS)
        else:
            auth = JWTS_ONLY.format(issuer=provider)
            names = (f"alice-{number}" for number in range(CLIENTS))
            tokens = [issuer.token(iss=provider, aud="load", sub=name, groups=["support"]) for name in names]
        async with (
            start_replicas(catalogue, database.address, tmp_path, auth=auth) as two,
            start_proxy(two.replicas) as url,
        ):

            async def restart_database(load: Load) -> None:
                await wait_for_successes(load)
                for _ in range(RESTARTS):
                    await to_thread.run_sync(database.restart, mode)
                    await wait_until_healthy(two.replicas)
                    await wait_for_successes(load)

            load = await run_load(url, way, "load", CLIENTS, CALLS // 5, tokens, restart_database)
            run = ("two", way, callers, f"database {mode}", "PostgreSQL")
            report_row("load", run, load.cells(two.sandbox), capsys)
            judge_truth(load, two.sandbox, "load")
            after = await run_load(url, way, "after", CLIENTS, 5, tokens)
            assert after.failed == {}
            assert spawn_command("audit", "verify", **two.env).status == 0
            assert recorded_ends(database.address) == Counter(
                load.writes(Outcome.APPLIED) | after.writes(Outcome.APPLIED)
            )
            assert not any("Traceback" in each.output for each in two.replicas)
