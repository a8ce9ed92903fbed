"""The pages of jobs and of changes: what they show, to whom, and how a job is stopped."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from saasus_mcp.hosting.console.forms import FormActions
from saasus_mcp.hosting.console.service import ProfileContext
from saasus_mcp.jobs import job_control
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.store import signin_sessions
from saasus_mcp.store.job_records import JobStatus
from saasus_mcp.store.records import Commitment, Freeze, UndoEntry
from tests.support.console import ALICE, CALL, JOB, ConsoleSession, csrf_token

REPORT = {
    "counts": {"applied": 1, "failed": 1},
    "rows": [{"row": 2, "target": "<b>ken</b>@example.jp", "outcome": "failed", "why": "Not an address", "email": "x"}],
    "notes": ["One row was left out."],
    "result": "saasus://results/abc",
}


async def page_of(stage: ConsoleSession, path: str, lang: str = "en") -> httpx2.Response:
    async with stage.signed_in(**{"accept-language": lang}) as client:
        return await client.get(f"/console{path}")


async def test_a_running_job_shows_its_progress_and_can_be_stopped(stage: ConsoleSession) -> None:
    stage.start_job()
    stage.store.jobs.save_progress(JOB, 40, 1200)
    async with stage.signed_in() as client:
        listed = await client.get("/console/jobs")
        page = await client.get(f"/console/jobs/{JOB}")
        assert f'href="/console/jobs/{JOB}"' in listed.text
        assert '<progress max="1200" value="40"' in page.text
        assert "40 of 1,200" in page.text
        answer = await client.post("/console/cancel-job", data={"csrf": csrf_token(page), "job": JOB})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/console/jobs/{JOB}")
        stopping = await client.get(f"/console/jobs/{JOB}")
    assert "stopping" in stopping.text
    assert re.search(r"Cancelled by</dt><dd>.*alice", stopping.text)
    assert 'action="/console/cancel-job"' not in stopping.text
    job = stage.store.jobs.get(JOB)
    assert job is not None
    assert job.cancelling
    recorded = stage.store.audit_log.list_records()[-1]
    assert (recorded["action"], recorded["principal"], recorded["from_call"]) == ("job_cancel", "alice", JOB)


async def test_a_running_job_is_paused_and_resumed(stage: ConsoleSession) -> None:
    stage.start_job()
    async with stage.signed_in() as client:
        page = await client.get(f"/console/jobs/{JOB}")
        await client.post("/console/pause-job", data={"csrf": csrf_token(page), "job": JOB})
        paused = await client.get(f"/console/jobs/{JOB}")
        assert "pausing" in paused.text
        assert "Pause requested by</dt><dd>" in paused.text
        assert "Pause requested by" not in page.text
        assert 'action="/console/pause-job"' not in paused.text
        job = stage.store.jobs.get(JOB)
        assert job is not None
        assert job.pause is not None
        assert (job.pause.by, job.pause.side) == ("alice", "person")
        answer = await client.post("/console/resume-job", data={"csrf": csrf_token(paused), "job": JOB})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/console/jobs/{JOB}")
        audit = (await client.get("/console/audit")).text
    job = stage.store.jobs.get(JOB)
    assert job is not None
    assert job.pause is None
    for text in ("paused a job", "resumed a job", f'href="/console/jobs/{JOB}"'):
        assert text in audit
    last = stage.store.audit_log.list_records()[-1]
    assert (last["action"], last["principal"], last["via"], last["profile"]) == (
        "resume",
        "alice",
        "console",
        "production",
    )


async def test_a_person_resumes_after_the_freeze_that_paused_the_job(stage: ConsoleSession) -> None:
    stage.start_job()
    stage.store.freeze(Freeze(stage.now, "bob", "", "production"))
    job_control.pause_for_freeze(stage.store, JOB, now=stage.now)
    async with stage.signed_in() as client:
        page = await client.get(f"/console/jobs/{JOB}")
        assert "Writes are frozen: the job cannot be resumed." in page.text
        assert re.search(r"<button[^>]* disabled>Resume the job<", page.text)
        form = {"csrf": csrf_token(page), "job": JOB}
        refused = await client.post("/console/resume-job", data=form)
        assert refused.status_code == 422
        assert "The writes are frozen by bob" in refused.text
        stage.store.unfreeze("production")
        assert " disabled>" not in (await client.get(f"/console/jobs/{JOB}")).text
        assert (await client.post("/console/resume-job", data=form)).status_code == 303
    job = stage.store.jobs.get(JOB)
    assert job is not None
    assert job.pause is None


async def test_a_finished_job_shows_its_rows_notes_and_files(stage: ConsoleSession) -> None:
    stage.start_job()
    stage.store.finish_job(JOB, "done", REPORT, record={"ok": True}, at=stage.now)
    page = (await page_of(stage, f"/jobs/{JOB}", "ja")).text
    for text in ("ユーザー", "&lt;b&gt;ken&lt;/b&gt;@example.jp", "Not an address", "email: x", "saasus://results/abc"):
        assert text in page
    assert "One row was left out." in page
    assert 'action="/console/cancel-job"' not in page


async def test_the_list_shows_what_a_finished_job_came_to_and_how_long_it_took(stage: ConsoleSession) -> None:
    stage.start_job()
    stage.store.finish_job(JOB, "done", REPORT, record={"ok": True}, at=stage.now + 192)
    stage.now += 5000
    for path in ("/jobs", f"/jobs/{JOB}"):
        page = (await page_of(stage, path, "ja")).text
        assert "3分12秒" in page, path
        assert '<span class="tag outcome-failed">失敗 <strong>1</strong>' in page, path


async def test_a_job_with_failed_rows_is_not_called_done(stage: ConsoleSession) -> None:
    stage.start_job()
    running = (await page_of(stage, "/audit")).text
    assert '<span class="tag outcome-running">running</span>' in running
    stage.store.finish_job(JOB, "done", REPORT, record={"status": "done", "steps": {"applied": 1}}, at=stage.now)
    for path, kind in (("/jobs", "job-partly"), (f"/jobs/{JOB}", "job-partly"), ("/audit", "outcome-partly")):
        assert f'<span class="tag {kind}">partly failed</span>' in (await page_of(stage, path)).text, path


@pytest.mark.parametrize(
    ("status", "record", "shown"),
    [
        ("done", {"steps": {"applied": 2}}, "適用済み"),
        ("done", {"steps": {"applied": 2, "unknown": 1}}, "不明"),
        ("done", {"steps": {}}, "完了"),
        ("failed", {"steps": {}}, "失敗"),
        ("failed", {}, "不明"),
        ("cancelled", {"steps": {}}, "中止"),
    ],
)
async def test_the_audit_log_shows_what_a_job_came_to(
    stage: ConsoleSession, status: JobStatus, record: dict[str, Any], shown: str
) -> None:
    stage.start_job()
    report = {"counts": {"views": 3, "not_begun": 3} if status == "cancelled" else {"views": 3}}
    stage.store.finish_job(JOB, status, report, record={"status": status, **record}, at=stage.now)
    page = (await page_of(stage, "/audit", "ja")).text
    assert re.search(rf'<span class="tag outcome-\w+">{shown}</span>', page)
    assert "HTTP" not in page
    assert "表示回数" in (await page_of(stage, "/jobs", "ja")).text


async def test_the_audit_log_names_the_target_of_a_change(stage: ConsoleSession) -> None:
    stage.change_role()
    assert "Create a role: 監査担当" in (await page_of(stage, "/audit")).text


async def test_a_running_job_shows_how_long_it_has_been_running(stage: ConsoleSession) -> None:
    stage.start_job()
    stage.now += 3 * 3600 + 125
    assert re.search(r"Running for</dt><dd>3 h 2 min<", (await page_of(stage, f"/jobs/{JOB}")).text)


@pytest.mark.parametrize("action", ["cancel", "pause"])
async def test_a_form_of_another_session_stops_no_job(stage: ConsoleSession, action: str) -> None:
    stage.start_job()
    async with stage.signed_in() as client:
        answer = await client.post(f"/console/{action}-job", data={"csrf": "made up", "job": JOB})
    assert answer.status_code == 403
    job = stage.store.jobs.get(JOB)
    assert job is not None
    assert not job.cancelling
    assert job.pause is None


@pytest.mark.parametrize("action", ["cancel", "pause", "resume"])
async def test_a_job_that_has_ended_is_not_stopped(stage: ConsoleSession, action: str) -> None:
    stage.start_job()
    stage.store.finish_job(JOB, "done", {}, record={"ok": True}, at=stage.now)
    before = len(stage.store.audit_log.list_records())
    async with stage.signed_in() as client:
        token = csrf_token(await client.get("/console"))
        answer = await client.post(f"/console/{action}-job", data={"csrf": token, "job": JOB})
    assert answer.status_code == 409
    assert len(stage.store.audit_log.list_records()) == before


async def test_a_change_shows_how_far_it_can_be_undone_and_how(stage: ConsoleSession) -> None:
    stage.change_role()
    async with stage.signed_in() as client:
        listed = await client.get("/console/changes")
        page = await client.get(f"/console/changes/{CALL}")
    assert f'href="/console/changes/{CALL}"' in listed.text
    assert "監査担当" in page.text
    assert f"saasus-mcp undo {CALL[:12]}" in page.text
    assert f"q={CALL}" in page.text


@pytest.mark.parametrize("path", ["/changes", f"/changes/{CALL}"])
async def test_a_change_whose_target_was_deleted_since_offers_no_undo(stage: ConsoleSession, path: str) -> None:
    stage.change_role()
    assert "nothing to undo" not in (await page_of(stage, path)).text
    arguments = {"role_name": "auditor"}
    entry = UndoEntry("d1" * 16, stage.now, "auth.DeleteRole", "bob", "production", arguments, None)
    record = {"operation": "auth.DeleteRole", "principal": "bob", "profile": "production", "arguments": arguments}
    stage.store.commit(
        entry.call, record, stage.now, commitment=Commitment(True, undo_entry=entry, profile="production")
    )
    page = (await page_of(stage, path)).text
    assert "It was deleted afterwards, so there is nothing to undo." in page
    assert f"saasus-mcp undo {CALL[:12]}" not in page


async def test_pages_lead_from_the_audit_to_the_job_and_the_change(stage: ConsoleSession) -> None:
    stage.start_job()
    stage.change_role()
    page = (await page_of(stage, "/audit")).text
    for path in (f"/jobs/{JOB}", f"/changes/{CALL}"):
        assert f'href="/console{path}"' in page


@pytest.mark.parametrize(
    ("path", "words", "found"),
    [
        ("/changes", "ロール 作成", True),
        ("/changes", "create role", True),
        ("/changes", "監査担当", True),
        ("/changes", "BOB", True),
        ("/changes", "billing", False),
        ("/jobs", "import users", True),
        ("/jobs", "一括 ユーザー", True),
        ("/jobs", JOB[:8], True),
        ("/jobs", "running", True),
        ("/jobs", "実行中", True),
        ("/jobs", "nobody", False),
        ("/audit", "ロール", True),
        ("/audit", "nobody", False),
    ],
)
@pytest.mark.parametrize("lang", ["en", "ja"])
async def test_words_of_either_language_find_it(
    stage: ConsoleSession, path: str, words: str, found: bool, lang: str
) -> None:
    stage.start_job()
    stage.change_role()
    async with stage.signed_in(**{"accept-language": lang}) as client:
        page = await client.get(f"/console{path}", params={"q": words})
    assert (re.search(f"{JOB[:8]}|{CALL[:8]}", page.text.partition("<table>")[2]) is not None) == found


@pytest.mark.parametrize("path", ["/jobs", f"/jobs/{JOB}", "/changes", f"/changes/{CALL}", "/audit"])
async def test_nothing_of_another_profile_is_shown(stage: ConsoleSession, path: str) -> None:
    stage.start_job(principal="mallory", profile="staging")
    stage.change_role(principal="mallory", profile="staging")
    page = await page_of(stage, path)
    assert page.status_code == (404 if JOB in path or CALL in path else 200)
    assert not re.search(f"mallory|{JOB}|{CALL}", page.text)


def test_a_job_of_another_profile_is_not_stopped(stage: ConsoleSession) -> None:
    stage.start_job(principal="mallory", profile="staging")
    actions = FormActions(stage.console.service, stage.console.signin.sessions).by_path()
    for path in ("/cancel-job", "/pause-job", "/resume-job"):
        with pytest.raises(CallRefused):
            actions[path](signin_sessions.ConsoleSession(ALICE, "", 0.0, math.inf), {"job": JOB})
    job = stage.store.jobs.get(JOB)
    assert job is not None
    assert not job.cancelling
    assert job.pause is None


async def test_the_owner_of_the_machine_sees_the_jobs_of_every_profile(stage: ConsoleSession) -> None:
    stage.start_job(principal="mallory", profile="staging")
    every = ProfileContext("saas", frozenset({"operators"}), lambda: stage.store)
    stage.console = replace(stage.console, service=replace(stage.console.service, list_contexts=lambda: [every]))
    stage.serve()
    assert "mallory" in (await page_of(stage, f"/jobs/{JOB}")).text
