"""The engine of jobs: what it keeps, whose jobs it takes up, and what becomes of one that cannot even say how it ended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dbos import DBOS

from saasus_mcp.jobs.engine import EngineError, HeartbeatConfig, JobEngine
from saasus_mcp.jobs.engine_storage import create_serializer
from saasus_mcp.jobs.runner import JobRunner
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.errors import StoreError
from tests.support.job_server import KEY, start_job_server
from tests.support.outages import full_disk

PACE = HeartbeatConfig(interval=2.0, timeout=10.0)


def test_the_record_of_a_job_is_read_again_and_reveals_nothing() -> None:
    kept = create_serializer(Encryptor(KEY))
    sealed = kept.serialize({"password": "hush-hush"})
    assert "hush" not in sealed
    assert kept.deserialize(sealed) == {"password": "hush-hush"}
    assert kept.deserialize(kept.serialize(None)) is None


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "bm90IHNlYWxlZA==",
        Encryptor(b"o" * 32).encrypt_token({"value": {"name": "job_x"}}, "job"),
        Encryptor(KEY).encrypt_token({"value": {"name": "job_x"}}, "question"),
        Encryptor(KEY).encrypt_token({"value": {"name": "job_x"}}, "secret"),
    ],
    ids=["nothing", "not sealed", "under another key", "a question's state", "a secret"],
)
def test_a_workflow_without_a_job_record_is_never_run(kept: str) -> None:
    with pytest.raises(EngineError) as error:
        create_serializer(Encryptor(KEY)).deserialize(kept)
    assert error.value.message.id == "jobs.foreign_record"


async def test_a_job_that_finds_a_full_disk_is_not_started(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        await on.wait_for_job(await on.start_import(1))
        with full_disk(engine_database(on.runner)), pytest.raises(StoreError) as caught:
            await on.start_import(40)
        assert caught.value.message.id == "store.unusable"
        assert (await on.wait_for_job(await on.start_import(2)))["status"] == "done"


async def test_an_engine_that_finds_no_store_starts_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start_job_server(tmp_path) as on:
        with monkeypatch.context() as outage:
            outage.setattr(JobEngine, "_write_heartbeat", lose_store)
            with pytest.raises(StoreError):
                await on.start_import(1)
        assert (await on.wait_for_job(await on.start_import(1)))["status"] == "done"


def lose_store(_: object) -> None:
    raise StoreError.of("store.unusable", reason="disk I/O error")


def engine_database(runner: JobRunner) -> Any:
    return runner.engine._pool


async def test_a_job_that_could_not_say_how_it_ended_is_reported_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr(JobRunner, "_finish", broken)
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(1)
        told = await on.call("job_status", {"job": job, "wait": 30})
    assert not told.ok
    assert "The server failed while it ran the job" in told.text
    assert "defect" not in told.text
    assert told.app_data["job"]["status"] == "failed", "an app shows the job, not the text for the model"
    assert told.app_data["title"].keys() == {"en", "ja"}


def test_after_the_store_was_away_the_others_are_given_time_to_say_that_they_live(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[str] = []
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr("saasus_mcp.jobs.engine.time.monotonic", lambda: now.seconds)
    monkeypatch.setattr("dbos.DBOS._recover_pending_workflows", taken.extend)
    monkeypatch.setattr("dbos.DBOS.list_workflows", lambda **_: [])
    monkeypatch.setattr("dbos.DBOS.delete_workflows", lambda _: None)
    jobs: Any = SimpleNamespace(
        heartbeat=lambda _: None, stale_workers=lambda _: ["other"], remove_workers=lambda _: None
    )
    stores: Any = [SimpleNamespace(jobs=jobs)]

    async def run(_: dict[str, Any]) -> None: ...

    engine = JobEngine("", Encryptor(KEY), lambda: stores, run, heartbeat=PACE)
    engine._dbos = DBOS

    def beats(after: float) -> list[str]:
        taken.clear()
        now.seconds += after
        engine._beat()
        return list(taken)

    assert beats(0.0) == ["other"], "who has just come finds those that died before"
    assert beats(PACE.interval) == ["other"]
    assert beats(60.0) == [], "nobody could say anything for a minute"
    assert beats(PACE.interval) == []
    for _ in range(4):
        last = beats(PACE.interval)
    assert last == ["other"], "it had its time"


async def test_a_job_that_writes_when_its_process_ends_is_cancelled_after_the_write() -> None:
    written, started = list[bool](), anyio.Event()

    async def run(_: object) -> None:
        with anyio.CancelScope(shield=True):
            started.set()
            while not engine.is_stopping:
                await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
            written.append(True)
        await anyio.sleep_forever()

    engine = JobEngine("", Encryptor(KEY), list, run, has_jobs=lambda: False)
    async with engine:
        job = asyncio.create_task(engine._run_tracked({}))
        await started.wait()
    assert job.cancelled()
    assert written
