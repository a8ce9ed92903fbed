"""A read that a job needs fails: the error says once what was changed."""

from __future__ import annotations

from pathlib import Path

from tests.support.job_server import start_job_server


async def test_a_failed_read_says_once_that_nothing_was_changed(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on="auth.GetTenants", status=403)
        answer = await on.call("job_import_users", {"csv": "email,tenant_name\na@example.com,x"})
        assert not answer.ok
        assert answer.text.count("Outcome: not_applied") == 1
        assert answer.text.count("Trace id: ") == 1
