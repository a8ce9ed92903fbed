"""A read that a job needs fails: the error says once what was changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.job_data import AOZORA, USER, add_invitation
from tests.support.job_server import start_job_server


async def test_a_failed_read_says_once_that_nothing_was_changed(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on="auth.GetTenants", status=403)
        answer = await on.call("job_import_users", {"csv": "email,tenant_name\na@example.com,x"})
        assert not answer.ok
        assert answer.text.count("Outcome: not_applied") == 1
        assert answer.text.count("Trace id: ") == 1


@pytest.mark.parametrize(
    ("job", "arguments", "read", "field"),
    [
        (
            "job_set_roles",
            {"rows": [{"user": USER, "tenant": AOZORA, "env": "3", "roles": "閲覧者"}]},
            "auth.GetRoles",
            "role_name",
        ),
        ("job_export_users", {"display_names": True}, "auth.GetRoles", "role_name"),
        ("job_offboard_tenant", {"tenant_id": AOZORA, "only_plan": True}, "auth.GetTenantInvitations", "id"),
    ],
)
async def test_a_field_that_an_answer_lacks_is_named(
    tmp_path: Path, job: str, arguments: dict[str, Any], read: str, field: str
) -> None:
    async with start_job_server(tmp_path) as on:
        add_invitation(on.sandbox, "a@example.com", AOZORA)
        on.sandbox.faults.add("missing_field", on=read, field=field)
        answer = await on.call(job, arguments)
    assert not answer.ok
    assert f"needs the field “{field}”" in answer.text
    assert answer.applied == "not_applied"


@pytest.mark.parametrize(
    ("job", "arguments", "read"),
    [
        ("job_import_users", {"csv": "email,tenant_name\na@example.com,x"}, "auth.GetTenants"),
        ("job_user_activity", {"from": "2026-10", "by": "user", "user_ids": ["u-1"]}, "auth.GetSaasUser"),
    ],
)
async def test_a_person_reads_in_their_language_why_a_plan_could_not_be_made(
    tmp_path: Path, job: str, arguments: dict[str, Any], read: str
) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on=read, status=403)
        answer = await on.call(job, arguments)
    assert "トレースID" in answer.explain("ja")
    assert "Trace id" in answer.text
    assert "Trace id" not in answer.explain("ja")
