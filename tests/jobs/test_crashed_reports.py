"""A server is killed in the middle of a report, or the report is cancelled: the report is that of an undisturbed run, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from tests.support.job_server import JobServer, hold_calls, start_job_server
from tests.support.pipeline import PRINCIPAL
from tests.support.sandbox_server import EXIT_KILLED, serve_sandbox

USAGE = "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod"
REPORTS = [
    pytest.param("job_access_review", {}, "auth.GetUserMfaPreference", id="access review"),
    pytest.param("job_invoice_estimate", {"from": "2026-10", "zone": "Asia/Tokyo"}, USAGE, id="invoice estimate"),
]


@pytest.mark.parametrize(("name", "args", "read"), REPORTS)
async def test_a_report_whose_server_dies_is_the_same_as_one_without_a_crash(
    tmp_path: Path, name: str, args: dict[str, Any], read: str
) -> None:
    async with serve_sandbox() as on:
        status, _ = await on.run_report(tmp_path, name, args, read, 3)
        assert status == EXIT_KILLED, "it died in the middle"
        before = sum(each.operation == read for each in on.sandbox.requests)

        status, report = await on.run_job(tmp_path, "never")

        assert (status, report["status"]) == (0, "done"), report
        after = sum(each.operation == read for each in on.sandbox.requests)
        async with start_job_server(tmp_path / "undisturbed", url=on.url) as other:
            undisturbed = await other.call_json(name, args)
            table = other.stored_result(undisturbed["result"])
        whole = sum(each.operation == read for each in on.sandbox.requests) - after
        assert (report["counts"], report["notes"]) == (undisturbed["counts"], undisturbed["notes"])
        assert before < whole, "it died before the last read"
        async with start_job_server(tmp_path, url=on.url) as again:
            assert again.stored_result(report["result"]) == table
            assert again.pipeline.store.audit_log.find_breaks() == []


@pytest.mark.parametrize(("name", "args", "read"), REPORTS)
async def test_a_report_that_is_cancelled_ends_without_one(
    tmp_path: Path, name: str, args: dict[str, Any], read: str
) -> None:
    async with start_job_server(tmp_path) as on:
        with hold_calls(on, read) as released:
            job = await start(on, name, args)
            on.pipeline.store.jobs.request_cancellation(job)
            released.set()
        report = await on.wait_for_job(job)
        assert report["status"] == "cancelled", report
        assert not {"csv", "result", "counts"} & report.keys()


async def start(on: JobServer, name: str, args: dict[str, Any]) -> str:
    job = await on.runner.start(on.runner.specs[name], Call(name, args, PRINCIPAL))
    assert not isinstance(job, PendingElicitation)
    return job
