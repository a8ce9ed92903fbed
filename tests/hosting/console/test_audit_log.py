"""The page of the audit log: filters, outcomes and downloads."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.common.timezones import format_instant
from saasus_mcp.hosting.console import audit_export, audit_search, audit_view
from saasus_mcp.hosting.console.views import PageRequest
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.store import signin_sessions
from saasus_mcp.store.audit import entries
from saasus_mcp.store.errors import StoreError
from tests.support.approvals import NOW
from tests.support.console import ALICE, CALL, ConsoleSession

DAY = 86_400.0
SESSION = signin_sessions.ConsoleSession(ALICE, "csrf", NOW, NOW + DAY)


def record_call(stage: ConsoleSession, call: str, operation: str, at: float = NOW, **outcome: Any) -> None:
    record = {"operation": operation, "principal": "bob", "profile": "production", "decision": "allow"}
    stage.store.commit(call, record, at)
    if outcome:
        stage.store.finish_call(call, outcome, at + 1)


async def search(stage: ConsoleSession, path: str = "/audit", **query: str) -> httpx2.Response:
    async with stage.signed_in() as client:
        return await client.get(f"/console{path}", params=query)


def calls_of(page: httpx2.Response) -> list[str]:
    """Return the calls of the table."""
    return re.findall(r'<summary data-row>ID <span class="code">(.{8})', page.text)


@pytest.fixture
def filled(stage: ConsoleSession) -> ConsoleSession:
    record_call(stage, "aaaaaaaa", "auth.CreateRole", applied="applied", ok=True, status=201)
    record_call(stage, "bbbbbbbb", "auth.GetRoles", NOW + 10, applied="not_applied", ok=True, status=200)
    record_call(stage, "cccccccc", "auth.DeleteRole", NOW + 20, applied="unknown", ok=False, status=504)
    record_call(stage, "dddddddd", "auth.DeleteRole", NOW + 30)
    refusal = {"operation": "auth.DeleteTenant", "principal": "eve", "profile": "production", "refused": "denied"}
    stage.store.record_refusal("eeeeeeee", refusal, NOW + 40)
    record_call(stage, "ffffffff", "auth.CreateRole", NOW - 3 * DAY, applied="applied", ok=True, status=201)
    stage.now = NOW + 60
    return stage


ALL = ["eeeeeeee", "dddddddd", "cccccccc", "bbbbbbbb", "aaaaaaaa", "ffffffff"]
FAULTS = [
    ({"from": "2026-02-30"}, "console_audit.bad_date"),
    ({"to": "yesterday"}, "console_audit.bad_date"),
    ({"from": "0001-01-01"}, "console_audit.bad_date"),
    ({"from": "2026-09-20", "to": "2026-09-19"}, "console_audit.dates_reversed"),
    ({"profile": "gone"}, "hosting.unknown_profile"),
]


@pytest.mark.parametrize("path", ["/audit", "/audit.csv", "/audit.json"])
@pytest.mark.parametrize(("query", "fault"), FAULTS)
async def test_a_search_that_cannot_be_made_shows_nothing_instead_of_everything(
    filled: ConsoleSession, path: str, query: dict[str, str], fault: str
) -> None:
    answer = await search(filled, path, **query)
    assert str(message(fault)) in answer.text
    assert not any(call in answer.text for call in ALL)
    assert answer.status_code == (200 if path == "/audit" else 422)
    assert "content-disposition" not in answer.headers


async def test_a_last_day_alone_shows_the_days_before_it(filled: ConsoleSession) -> None:
    record_call(filled, "99999999", "auth.CreateRole", NOW - 60 * DAY, applied="applied", ok=True, status=201)
    day = datetime.fromtimestamp(NOW - 58 * DAY, UTC).date().isoformat()
    assert calls_of(await search(filled, to=day)) == ["99999999"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ALL),
        ({"outcome": "applied"}, ["aaaaaaaa", "ffffffff"]),
        ({"outcome": "unknown"}, ["cccccccc"]),
        ({"outcome": "open"}, ["dddddddd"]),
        ({"outcome": "refused"}, ["eeeeeeee"]),
        ({"operation": "auth_delete_role"}, ["dddddddd", "cccccccc"]),
        ({"operation": "auth.DeleteRole", "outcome": "unknown"}, ["cccccccc"]),
        ({"principal": "EVE"}, ["eeeeeeee"]),
        ({"event": "refused"}, ["eeeeeeee"]),
        ({"q": "delete tenant"}, ["eeeeeeee"]),
        ({"from": "2026-09-20"}, ALL[:-1]),
        ({"to": "2026-09-20"}, ALL[-1:]),
        ({"from": "2026-09-18", "to": "2026-09-18"}, ALL[-1:]),
        ({"q": "no such thing at all"}, []),
    ],
)
async def test_each_filter_shows_what_it_says(filled: ConsoleSession, query: dict[str, str], found: list[str]) -> None:
    page = await search(filled, **query)
    assert calls_of(page) == found


@pytest.mark.parametrize("text", ["auth.CreateRole", "auth_create_role", "create_role", "ロールの作成", "Create ROLE"])
async def test_a_tool_is_found_by_any_of_its_names(filled: ConsoleSession, text: str) -> None:
    assert calls_of(await search(filled, operation=text)) == ["aaaaaaaa", "ffffffff"]


@pytest.mark.parametrize(("text", "suggested"), [("auth_creat_role", True), ("auth_get_tenants", False)])
async def test_a_name_that_no_tool_has_gets_the_nearest_names(
    filled: ConsoleSession, text: str, *, suggested: bool
) -> None:
    page = await search(filled, operation=text)
    assert calls_of(page) == []
    assert ("auth_create_role" in page.text) is suggested


async def test_a_call_that_needs_an_approval_is_not_called_refused(filled: ConsoleSession) -> None:
    waits = {"operation": "auth.DeleteTenant", "principal": "eve", "profile": "production", "refused": "approval"}
    filled.store.record_refusal("99999999", waits, NOW + 50)
    page = await search(filled, event="requested")
    assert calls_of(page) == ["99999999"]
    assert "outcome-refused" not in page.text
    for query in ({"event": "refused"}, {"outcome": "refused"}):
        assert calls_of(await search(filled, **query)) == ["eeeeeeee"]


async def test_a_call_and_its_end_are_one_row(filled: ConsoleSession) -> None:
    page = (await search(filled, operation="auth_get_roles")).text
    assert page.count("<summary data-row>") == 1
    assert "answered" in page
    assert "HTTP 200" in page


async def test_the_end_of_a_call_is_found_across_pages(filled: ConsoleSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_search, "PAGE_SIZE", 1)
    monkeypatch.setattr(entries, "BATCH_SIZE", 2)
    shown, query = [], {"outcome": "applied"}
    for _ in range(len(ALL)):
        page = await search(filled, **query)
        shown += calls_of(page)
        older = page.text.partition('rel="next"')[2].partition("before=")[2].partition('"')[0]
        if not older:
            break
        query["before"] = older
    assert shown == ["aaaaaaaa", "ffffffff"]


async def test_the_download_as_csv_has_the_same_records_and_no_formula(filled: ConsoleSession) -> None:
    record_call(filled, "=HYPERLI", "auth.CreateRole", NOW + 50, applied="applied", ok=True)
    answer = await search(filled, "/audit.csv", outcome="applied")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    heading, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert heading == [*audit_export.COLUMNS, "details"]
    assert [row[heading.index("call")] for row in rows] == ["'=HYPERLI", "aaaaaaaa", "ffffffff"]
    assert [row[heading.index("tool")] for row in rows] == ["auth_create_role"] * 3
    assert rows[1][heading.index("outcome")] == "applied"


async def test_the_download_as_json_has_the_whole_records(filled: ConsoleSession) -> None:
    rows = (await search(filled, "/audit.json")).json()
    assert [row["call"] for row in rows] == ALL
    assert rows[2]["end"]["status"] == 504
    assert (await search(filled, "/audit.json", q="no such thing at all")).json() == []


async def test_a_long_download_is_cut_and_says_so(filled: ConsoleSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_export, "MAX_EXPORTED_ROWS", 2)
    rows = (await search(filled, "/audit.json")).json()
    assert [row.get("call") for row in rows] == [*ALL[:2], None]
    assert "Only the newest 2 records" in rows[-1]["cut"]
    assert "Only the newest 2 records" in (await search(filled, "/audit.csv")).text


async def test_a_download_searches_a_limited_number_of_records_and_says_where_to_go_on(
    filled: ConsoleSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (await search(filled, "/audit.json")).json()
    monkeypatch.setattr(entries, "BATCH_SIZE", 2)
    monkeypatch.setattr(audit_export, "MAX_SEARCHED", 4)
    *records, end = (await search(filled, "/audit.json", outcome="applied")).json()
    at = format_instant(whole[4]["at"], UTC)
    assert (records, end) == ([], {"cut": message("console_audit.search_cut", count=4, at=at).text("en")})


async def test_a_download_ends_with_the_session(filled: ConsoleSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "BATCH_SIZE", 2)
    page = PageRequest(filled.console.service, {"profile": "production"}, {}, SESSION, Reader.of("en"))
    answers = iter([True, False])
    content = audit_export.export_audit(page, "json", lambda: next(answers))
    *records, end = json.loads(b"".join(content))
    assert [each["call"] for each in records] == ALL[:2]
    assert end == {"cut": message("console_audit.session_cut").text("en")}


@pytest.mark.parametrize("path", ["/audit.csv", "/audit.json"])
async def test_nobody_downloads_the_records_of_others(filled: ConsoleSession, path: str) -> None:
    filled.store.record_refusal(CALL, {"principal": "mallory", "profile": "staging"}, NOW + 5)
    assert "mallory" not in (await search(filled, path, profile="staging")).text
    async with filled.browser() as client:
        answer = await client.get(f"/console{path}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")
    async with filled.signed_in() as client:
        filled.now += 9 * 3600
        assert (await client.get(f"/console{path}")).status_code == 303


async def test_only_the_two_formats_exist(filled: ConsoleSession) -> None:
    assert (await search(filled, "/audit.xml")).status_code == 404
    assert json.loads((await search(filled, "/audit.json")).text)


async def test_the_servers_own_reads_are_shown_on_request(filled: ConsoleSession) -> None:
    own = {"operation": "auth.GetTenant", "principal": "bob", "profile": "production", "parent": "aaaaaaaa"}
    filled.store.commit("99999999", own, NOW + 55)
    assert calls_of(await search(filled)) == ALL
    assert calls_of(await search(filled, reads="1")) == ["99999999", *ALL]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_reason_and_action_has_a_name(language: Language) -> None:
    reader = Reader.of(language)
    of_store: list[type[StoreError]] = [StoreError, *StoreError.__subclasses__()]
    for reason in audit_view.REASONS | {error.reason for error in of_store} | {"confirmation"}:
        assert audit_view.decision_text({"refused": reason}, reader) != reason
    for action in audit_view.ACTIONS:
        assert audit_view.decision_text({"action": action}, reader) != action


def test_a_record_of_another_version_is_shown_unchanged() -> None:
    for record in ({"refused": "of 3.0"}, {"decision": "of 3.0"}, {"action": "of 3.0"}):
        assert audit_view.decision_text(record, Reader.of("ja")) == "of 3.0"


@pytest.mark.parametrize(
    ("status", "said"),
    [(200, "success (HTTP 200)"), (404, "not found (HTTP 404)"), (418, "invalid request (HTTP 418)")],
)
async def test_the_audit_says_in_words_what_the_api_answered_and_which_rule_decided(
    stage: ConsoleSession, status: int, said: str
) -> None:
    record = {"operation": "auth.GetTenant", "principal": "bob", "profile": "production", "rule": "guarded/critical"}
    stage.store.commit("c9" * 16, {**record, "decision": "approve"}, NOW)
    stage.store.finish_call("c9" * 16, {"status": status, "ok": status == 200, "applied": "not_applied"}, at=NOW)
    async with stage.signed_in() as client:
        page = await client.get("/console/audit")
    assert said in page.text
    assert "policy: needs approval" in page.text
    shown, folded = re.sub("<details.*?</details>", "", page.text, flags=re.DOTALL), "guarded policy: critical"
    assert folded in page.text
    assert folded not in shown


async def test_the_audit_is_filtered_and_its_chain_judged(stage: ConsoleSession) -> None:
    for number, operation in enumerate(["auth.GetTenant", "auth.DeleteTenant"]):
        stage.store.record_refusal(
            f"call-{number}", {"operation": operation, "principal": "bob", "profile": "production"}, NOW
        )
    async with stage.signed_in() as client:
        page = await client.get("/console/audit", params={"operation": "Delete", "verify": "1"})
    assert "auth_<wbr>delete_<wbr>tenant" in page.text
    assert "auth_<wbr>get_<wbr>tenant" not in page.text
    assert "No tampering found: 2 records" in page.text.partition('<form class="sheet')[0]


@pytest.mark.parametrize("key", ["action", "deed"], ids=["written now", "written by version 0.1.0"])
async def test_the_audit_shows_what_a_person_decided(stage: ConsoleSession, key: str) -> None:
    stage.store.record_decision({key: "policy_taken", "principal": "bob", "profile": "production"}, NOW)
    async with stage.signed_in() as client:
        page = await client.get("/console/audit")
    assert "loaded a policy" in re.sub(r"<(pre|details).*?</\1>", "", page.text, flags=re.DOTALL)


@pytest.mark.parametrize("days", ["", "x", "nan", "inf", "-5", "1e999"])
async def test_a_strange_filter_is_no_failure(stage: ConsoleSession, days: str) -> None:
    async with stage.signed_in() as client:
        strange = {"from": days, "to": days, "event": days, "before": days, "profile": "nosuch"}
        assert (await client.get("/console/audit", params=strange)).status_code == 200
