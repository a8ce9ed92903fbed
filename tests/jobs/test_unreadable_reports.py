"""The store fails after a job has run: no answer says that nothing was changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from saasus_mcp.common.outcome import Outcome
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.jobs import JobStore
from tests.support.job_server import start_job_server


async def test_a_job_whose_report_cannot_be_read_has_an_unknown_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError.of("store.unusable", reason="disk is full")

    async with start_job_server(tmp_path) as on:
        started = await on.start_import(2)
        monkeypatch.setattr(JobStore, "outcome_of", full)
        answer = await on.call("job_status", {"job": started, "wait": 30})
    assert not answer.ok
    assert answer.applied == Outcome.UNKNOWN
    assert started in answer.text
    assert "job_status" in answer.text
