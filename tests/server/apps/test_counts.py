"""Every number in the report of a job has a name in the language of the person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.common.messages import templates_of
from tests.support.job_data import AOZORA, USER
from tests.support.job_server import start_job_server

REPORTS: dict[str, dict[str, Any]] = {
    "job_access_review": {"mfa": True},
    "job_contract_report": {},
    "job_export_settings": {},
    "job_export_users": {},
    "job_invoice_estimate": {"from": "2026-10", "csv": "tenant,total,currency\nA,1,JPY\n"},
    "job_metering_report": {"from": "2026-01", "to": "2026-12"},
    "job_offboard_tenant": {"tenant_id": AOZORA, "only_plan": True},
    "job_offboard_user": {"email": USER, "only_plan": True},
    "job_user_activity": {"from": "2026-11-01", "to": "2026-11-10", "by": "user"},
}


@pytest.mark.exhaustive
async def test_every_count_of_a_report_is_named_in_the_app(tmp_path: Path) -> None:
    named = templates_of("apps.", "ja")
    async with start_job_server(tmp_path) as on:
        told = {name: await on.call_json(name, args) for name, args in REPORTS.items()}
        document = told["job_export_settings"].get("document") or on.stored_result(
            told["job_export_settings"]["result"]
        )
        for name, more in (("job_compare_settings", {}), ("job_apply_settings", {"only_plan": True})):
            told[name] = await on.call_json(name, {"document": document, **more})
        reads = {spec.name for spec in on.runner.specs.values() if not spec.writes and not spec.writes_any}
    assert reads <= told.keys(), "another report belongs here"
    unnamed = {
        name: [
            count
            for count in report["counts"]
            if not {f"apps.count.{count}", f"apps.row_outcome.{count}"} & named.keys()
        ]
        for name, report in told.items()
    }
    assert {name: counts for name, counts in unnamed.items() if counts} == {}
