"""The audit records of reads: those of one turn of the event loop share a transaction, and none is sent before its begin."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.saasus.client import TRACE_HEADER, ApiClient
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.audit import log
from saasus_mcp.store.database.engine import Database
from tests.support.databases import open_stores
from tests.support.pipeline import CREDENTIALS, PRINCIPAL, StubApi, build_pipeline

READ = Call("auth_get_roles", {}, PRINCIPAL)


async def test_the_end_of_a_read_is_recorded_right_after_its_answer(catalogue: Catalogue, tmp_path: Path) -> None:
    with closing(open_stores(tmp_path)) as opened, closing(opened.open_saas("saas")) as store:
        api = StubApi(catalogue)
        behind = build_pipeline(api, store)
        await behind.run(READ)  # the first record of a process takes more writes
        before = len(store.audit_log.list_records())
        await behind.run(READ)
        assert [record["event"] for record in store.audit_log.list_records()[before:]] == ["begun"]
        await anyio.lowlevel.checkpoint()
        assert [record["event"] for record in store.audit_log.list_records()[before:]] == ["begun", "ended"]
        assert store.audit_log.find_breaks() == []


async def test_the_begins_of_reads_at_once_are_recorded_together_before_each_is_sent(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions, write = list[int](), Database.execute_alone

    def counted(self: Database, statement: Any, *rows: Any) -> None:
        transactions.append(len(rows))
        write(self, statement, *rows)

    with closing(open_stores(tmp_path)) as opened, closing(opened.open_saas("saas")) as store:

        async def answer(request: httpx2.Request) -> httpx2.Response:
            sent = request.headers[TRACE_HEADER]
            assert [each["event"] for each in store.audit_log.list_records() if each["call"] == sent] == ["begun"]
            await anyio.lowlevel.checkpoint()
            return httpx2.Response(200, json={"roles": []})

        client = ApiClient(CREDENTIALS, transport=httpx2.MockTransport(answer))
        pipeline = build_pipeline(StubApi(catalogue), store, client=client)
        await pipeline.run(READ)  # the first record of a process takes more writes
        monkeypatch.setattr(Database, "execute_alone", counted)
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(pipeline.run, READ)
        await anyio.lowlevel.checkpoint()
        records = [each["event"] for each in store.audit_log.list_records()]
        assert (records.count("begun"), records.count("ended")) == (21, 21)
        assert sum(transactions) >= 40
        assert len(transactions) <= 10
        assert store.audit_log.find_breaks() == []


async def test_a_read_that_is_cancelled_while_its_begin_waits_is_not_sent_and_has_an_end(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    with closing(open_stores(tmp_path)) as opened, closing(opened.open_saas("saas")) as store:
        sent, answered = asyncio.Event(), asyncio.Event()
        requests: list[str] = []

        async def answer(request: httpx2.Request) -> httpx2.Response:
            requests.append(request.headers[TRACE_HEADER])
            sent.set()
            await answered.wait()
            return httpx2.Response(200, json={"roles": []})

        client = ApiClient(CREDENTIALS, transport=httpx2.MockTransport(answer))
        pipeline = build_pipeline(StubApi(catalogue), store, client=client)
        other = asyncio.create_task(pipeline.run(READ))
        await sent.wait()
        cancelled = asyncio.create_task(pipeline.run(READ))
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        answered.set()
        await other
        await asyncio.sleep(0)
        records = [record for record in store.audit_log.list_records() if record["call"] not in requests]
        assert [record["event"] for record in records] == ["begun", "ended"]
        assert (records[-1]["ok"], records[-1]["applied"]) == (False, "not_applied")
        assert len(requests) == 1


async def test_reads_are_recorded_when_another_thread_that_wrote_for_too_long_ends(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_stores(tmp_path)) as opened, closing(opened.open_saas("saas")) as store:
        pipeline = build_pipeline(StubApi(catalogue), store)
        await pipeline.run(READ)  # the first record of a process takes more writes
        await pipeline.run(READ)
        monkeypatch.setattr(log, "BUSY_SECONDS", 0.0)
        with store.audit_log.write_transaction():
            await asyncio.sleep(0)
        with anyio.fail_after(10):
            while store.has_waiting_records:
                await anyio.lowlevel.checkpoint()
        assert [each["event"] for each in store.audit_log.list_records()] == ["begun", "ended"] * 2
