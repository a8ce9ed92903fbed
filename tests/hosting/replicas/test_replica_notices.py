"""Replicas share the notices: each arrives once, and what a killed replica was sending comes from another one with the same id."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from saasus_mcp.catalog import Catalogue
from saasus_mcp.sandbox import CREDENTIALS
from tests.support.databases import execute, open_stores
from tests.support.gate import reply_text
from tests.support.hosting_server import connect_client
from tests.support.notices import SIGNING_SECRET, HttpReceiver, http_receiver
from tests.support.replicas import (
    APPROVE_COMMAND,
    Replica,
    Replicas,
    call_raw,
    create_tenant,
    start_replica,
    start_replicas,
)

CONFIG = """
version = 1
[console]
enabled = false
[notices.webhook.siem]
url = { env = "NOTICES_HOOK" }
secret = { env = "NOTICES_SECRET" }
"""


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as made:
        yield made


@asynccontextmanager
async def replicas(
    catalogue: Catalogue, where: Path | str, folder: Path, receiver: HttpReceiver, count: int
) -> AsyncIterator[Replicas]:
    file = folder / "notices.toml"
    file.write_text(CONFIG, encoding="utf-8")
    async with start_replicas(
        *(catalogue, where, folder, count),
        SAASUS_MCP_CONFIG=str(file),
        NOTICES_HOOK=receiver.url,
        NOTICES_SECRET=SIGNING_SECRET,
    ) as started:
        yield started


async def ask(replica: Replica, count: int = 1) -> list[str]:
    """Ask for approvals at one replica. Return their codes."""
    codes: list[str] = []
    async with connect_client(replica.url, "2026-07-28", None) as client:
        for number in range(count):
            tenant = await create_tenant(client, f"tenant {replica.url} {number}")
            asked = await call_raw(client, "auth_delete_tenant", {"tenant_id": tenant})
            codes += APPROVE_COMMAND.findall(reply_text(asked))
    return codes


def ids(receiver: HttpReceiver) -> list[str]:
    return [headers["webhook-id"] for _, headers, _ in receiver.requests]


async def test_each_request_is_reported_once_by_one_of_the_replicas(
    catalogue: Catalogue, where: Path | str, tmp_path: Path, receiver: HttpReceiver
) -> None:
    async with replicas(catalogue, where, tmp_path, receiver, 2) as two:
        codes = [code for each, count in zip(two.replicas, (3, 2), strict=True) for code in await ask(each, count)]
        await to_thread.run_sync(receiver.wait_for, len(codes))
        reported = Counter(code for _, _, body in receiver.requests for code in codes if code in body.decode())
    assert reported == dict.fromkeys(codes, 1)
    assert len(set(ids(receiver))) == len(codes) == 5


async def test_a_notice_of_a_killed_replica_is_sent_by_the_other_with_the_same_id(
    catalogue: Catalogue, where: Path | str, tmp_path: Path, receiver: HttpReceiver
) -> None:
    receiver.holds = True
    async with replicas(catalogue, where, tmp_path, receiver, 1) as started:
        await ask(started.replicas[0])
        await to_thread.run_sync(receiver.wait_for, 1)
        with start_replica(started.env, tmp_path / "other.log") as other:
            await other.wait_until_ready()
            started.replicas[0].kill()
            receiver.holds = False
            receiver.release.set()
            end_claim(where)
            await to_thread.run_sync(receiver.wait_for, 2)
            await recorded(where)
    # a busy machine sees it more than twice: a request that is held fails and is repeated
    assert len(set(ids(receiver))) == 1


def end_claim(where: Path | str) -> None:
    """Let the half minute pass for which the killed replica had claimed the notice."""
    with closing(open_stores(where)) as stores, closing(stores.open_saas(CREDENTIALS.saas_id)) as store:
        execute(store, "UPDATE notice_deliveries SET due_at = 0 WHERE status = 'pending'")


async def recorded(where: Path | str) -> None:
    """Wait until the notice is recorded as sent."""
    with (
        closing(open_stores(where)) as stores,
        closing(stores.open_saas(CREDENTIALS.saas_id)) as store,
        anyio.fail_after(30),
    ):
        while store.notices.channel_states()[0].counts != {"sent": 1}:  # noqa: ASYNC110 - it is in another process
            await anyio.sleep(0.05)
