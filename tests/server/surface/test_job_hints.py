"""A model that makes one change after another reads of the job that makes them all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.surface import job_lookup
from saasus_mcp.server.surface.job_lookup import JobHints, JobLookup
from tests.support.job_server import start_job_server
from tests.support.pipeline import PRINCIPAL

ANSWER = ToolAnswer(True, "{}", {})


@pytest.mark.parametrize("tool", ["auth_create_saas_user", "call_write"])
async def test_the_third_new_account_in_a_short_time_names_the_job(tmp_path: Path, tool: str) -> None:
    async with start_job_server(tmp_path) as on:
        texts = []
        for number in range(3):
            given = {"email": f"single-{number}@example.com"}
            args = {"name": "auth_create_saas_user", "arguments": given} if tool == "call_write" else given
            answer = await on.call(tool, args)
            assert answer.ok, answer.text
            texts.append(answer.text)
        assert ["job_import_users" in text for text in texts] == [False, False, True]


async def test_only_repeated_changes_of_one_caller_in_a_short_time_count(tmp_path: Path, catalogue: Catalogue) -> None:
    async with start_job_server(tmp_path) as on:
        hints = JobHints(JobLookup(on.tools, "en"))
        change, read = catalogue.find("auth.UpdateTenantPlan"), catalogue.find("auth.GetTenants")

        def note(key: str, now: float, who: str = "somebody") -> str:
            operation = catalogue.find(key)
            return hints.add_note(operation, replace(PRINCIPAL, id=who), ANSWER, now).note

        assert [note(read.key, 0) for _ in range(5)] == [""] * 5
        assert [note(change.key, 0), note(change.key, 0, "other"), note(change.key, 1)] == ["", "", ""]
        assert note(change.key, 10_000) == ""
        assert note(change.key, 10_001) == ""
        assert "job_change_plans" in note(change.key, 10_002)
        assert [note("auth.CreateRole", 0) for _ in range(3)][-1].count("job_run_plan") == 1, "any other change"


def test_without_jobs_there_is_no_note() -> None:
    hints, operation = JobHints(JobLookup((), "en")), load_catalogue().find("auth.CreateSaasUser")
    assert {hints.add_note(operation, PRINCIPAL, ANSWER, 0.0).text for _ in range(5)} == {"{}"}


def test_the_counted_calls_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_lookup, "MAX_COUNTED", 10)
    hints, operation = JobHints(JobLookup((), "en")), load_catalogue().find("auth.CreateSaasUser")
    for number in range(100):
        hints.add_note(operation, replace(PRINCIPAL, id=f"caller-{number}"), ANSWER, 0.0)
    assert len(hints._recent) == 10
