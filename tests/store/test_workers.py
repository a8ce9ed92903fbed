"""Which processes that run jobs are taken for dead, on each database."""

from __future__ import annotations

import time

import pytest

from saasus_mcp.store.store import Store
from tests.support.databases import POSTGRESQL

HOUR = 3600.0


def test_a_server_with_a_recent_heartbeat_is_alive_and_one_that_left_is_not(store: Store) -> None:
    for worker in ("lives", "left"):
        store.jobs.heartbeat(worker)
    store.jobs.retire_worker("left")
    assert store.jobs.stale_workers(10.0) == ["left"]
    store.jobs.remove_workers(["left"])
    assert store.jobs.stale_workers(10.0) == []


@pytest.mark.parametrize("store", [POSTGRESQL], indirect=True)
def test_a_server_whose_clock_is_fast_takes_nobody_for_dead(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.jobs.heartbeat("another")
    present = time.time()
    monkeypatch.setattr(time, "time", lambda: present + HOUR)
    assert store.jobs.stale_workers(10.0) == []
