"""Each event is reported in the reader's language, with the person, the reason and the link."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from saasus_mcp import jobs
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import one_of
from saasus_mcp.common.person import Person
from saasus_mcp.notices.channels import NoticeAudience
from saasus_mcp.notices.payloads import line_works_message
from saasus_mcp.notices.rendering import NoticeRenderer
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord, record_action
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.store.job_records import JobGrant, RowOutcome
from saasus_mcp.store.notice_records import NoticeEvent, NoticeKind
from saasus_mcp.store.records import Commitment
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW, pending_approval
from tests.support.notices import Clock, RecordingSender, ask, channel, deliver, worker
from tests.support.questions import deletion


async def test_a_pending_approval_is_sent_with_its_target_and_where_to_decide(store: Store) -> None:
    sender = RecordingSender()
    ask(store, preview="{}")
    await deliver(worker(store, [channel()], sender, clock=Clock()))
    [(name, notice)] = sender.sent
    assert (name, notice.kind, notice.reference) == ("ops", "approval_requested", "ABCD-2345")
    assert notice.link == "https://mcp.example.com/console/approvals/ABCD-2345"
    assert "auth·DeleteTenant" in notice.title, "the name of the tool, where another version stored the question"
    assert any("local:me" in line for line in notice.lines)


async def test_without_a_console_the_command_is_named(store: Store) -> None:
    sender = RecordingSender()
    ask(store)
    await deliver(worker(store, [channel()], sender, clock=Clock(), console=""))
    [(_, notice)] = sender.sent
    assert notice.link == ""
    assert any("saasus-mcp approve ABCD-2345" in line for line in notice.lines)


@pytest.mark.parametrize("status", ["approved", "rejected"])
async def test_the_outcome_is_sent_with_the_person_and_the_reason(store: Store, status: str) -> None:
    sender, clock = RecordingSender(), Clock()
    ask(store)
    store.decide_approval("ABCD-2345", status, by="oidc:https://idp|sato", at=NOW + 1, reason="今はだめ <!channel>")  # type: ignore[arg-type]
    await deliver(worker(store, [channel(lang="ja")], sender, clock=clock))
    [(_, notice)] = sender.sent
    assert notice.kind == f"approval_{status}", "and the request itself is not news any more"
    assert any("sato" in line for line in notice.lines)
    assert any("今はだめ ‹!channel›" in line for line in notice.lines)


async def test_people_are_shown_by_name_beside_their_id(store: Store) -> None:
    sender, clock = RecordingSender(), Clock()
    asked = replace(
        deletion("Harbor Lights Inc."), requester="oidc:https://idp|42", requester_name="佐藤 花子 (sato@example.jp)"
    )
    store.request_approval(pending_approval(preview=asked.to_json(), principal="oidc:https://idp|42"), 5)
    each = worker(store, [channel(lang="ja")], sender, clock=clock)
    await deliver(each)
    [approval] = store.list_approvals(NOW)
    ApprovalService(store).reject(approval, "oidc:https://idp|7", NOW + 2, person=Person("鈴木 一郎"))
    await deliver(each)
    requested, rejected = (notice.text for _, notice in sender.sent)
    assert "佐藤 花子 (sato@example.jp)" in requested
    assert "42" in requested
    assert "鈴木 一郎" in rejected
    assert store.audit_log.list_records()[-1]["principal_name"] == "鈴木 一郎"


@pytest.mark.parametrize("person", [Person("佐藤 花子", "sato@example.jp"), Person(email="sato@example.jp"), Person()])
async def test_the_end_of_a_job_names_who_started_it_beside_the_id(store: Store, person: Person) -> None:
    sender, who = RecordingSender(), "oidc:https://idp|42"
    grant = JobGrant("job_export_users", who, "default", "p" * 64, "none", "", False, {})
    record = {"operation": "job_export_users", "principal": who, **person.to_audit()}
    store.commit("job-1", record, NOW, commitment=Commitment(grant=grant, profile="default"))
    store.finish_job("job-1", "done", {}, record={"status": "done"}, at=NOW)
    await deliver(worker(store, [channel(lang="ja")], sender, clock=Clock()))
    [(_, notice)] = sender.sent
    [line] = [line for line in notice.lines if line.startswith("実行者")]
    assert "42" in line
    assert person.label in line


async def test_a_freeze_names_the_person_beside_the_id(store: Store) -> None:
    sender = RecordingSender()
    action = ActionRecord(ActionKind.FREEZE, "oidc:https://idp|7", "console", person=Person("鈴木 一郎"))
    record_action(store, action, NOW)
    await deliver(worker(store, [channel()], sender, clock=Clock()))
    [(_, notice)] = sender.sent
    assert any("鈴木 一郎" in line and "7" in line for line in notice.lines)


async def test_an_undecided_approval_is_announced_when_it_expires(store: Store) -> None:
    sender, clock = RecordingSender(), Clock()
    ask(store)
    each = worker(store, [channel()], sender, clock=clock)
    await deliver(each)
    clock.now = NOW + 901
    await deliver(each)
    await deliver(each)
    assert [notice.kind for _, notice in sender.sent] == ["approval_requested", "approval_expired"]


async def test_the_end_of_a_job_a_freeze_and_its_end_are_announced(store: Store) -> None:
    sender = RecordingSender()
    grant = JobGrant("job_export_users", "local:me", "default", "p" * 64, "none", "", False, {})
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant, profile="default"))
    store.finish_job("job-1", "failed", {"counts": {"applied": 3, "unknown": 1}}, record={"status": "failed"}, at=NOW)
    for kind in (ActionKind.FREEZE, ActionKind.UNFREEZE):
        record_action(store, ActionRecord(kind, "local:me", "terminal", reason="@all stop"), NOW)
    await deliver(worker(store, [channel()], sender, clock=Clock()))
    kinds = {notice.kind: notice for _, notice in sender.sent}
    assert set(kinds) == {"job_failed", "frozen", "unfrozen"}
    assert "Export" in kinds["job_failed"].title, "the title of the job, not its id"
    assert any("3" in line for line in kinds["job_failed"].lines)
    assert any("＠all stop" in line for line in kinds["frozen"].lines)


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("outcome", get_args(RowOutcome))
async def test_every_outcome_of_rows_is_reported_with_its_number(store: Store, outcome: str, lang: Language) -> None:
    sender = RecordingSender()
    grant = JobGrant("job_export_users", "local:me", "default", "p" * 64, "none", "", False, {})
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant, profile="default"))
    store.finish_job("job-1", "done", {"counts": {outcome: 417}}, record={"status": "done"}, at=NOW)
    await deliver(worker(store, [channel(lang=lang)], sender, clock=Clock()))
    [(_, notice)] = sender.sent
    assert one_of("notices.rows", outcome, count=417).text(lang) in notice.lines


def test_jobs_report_no_other_outcome() -> None:
    """A new outcome of a job must be added to the list, or notices and the console would not tell of it."""
    written = re.compile(r'"outcome": "([a-z_]+)"')
    sources = [path.read_text() for path in Path(jobs.__path__[0]).rglob("*.py")]
    found = {outcome for source in sources for outcome in written.findall(source)}
    assert "skipped" in found
    assert found <= set(get_args(RowOutcome))


@pytest.mark.parametrize(
    "name", ["佐藤" * 5_000, "x" * 5_000, "\u202e" * 5_000, "@" * 280], ids=["ja", "x", "invisible", "at"]
)
async def test_a_long_name_hides_neither_the_id_of_a_person_nor_the_code(store: Store, name: str) -> None:
    sender, principal = RecordingSender(), "oidc:https://idp|" + "7" * 60
    asked = replace(deletion("Harbor Lights Inc."), requester=principal, requester_name=name)
    store.request_approval(pending_approval(preview=asked.to_json(), principal=principal), 5)
    await deliver(worker(store, [channel()], sender, clock=Clock(), console=""))
    [(_, notice)] = sender.sent
    for text in (notice.text, line_works_message(notice)["body"]["text"]):
        assert "7" * 60 in text
        assert "saasus-mcp approve ABCD-2345" in text


@pytest.mark.parametrize("kind", ["frozen", "unfrozen"])
def test_a_secret_of_this_process_is_removed_from_the_title_too(store: Store, kind: NoticeKind) -> None:
    renderer = NoticeRenderer(lambda: "", lambda text: text.replace("secret-key-under-test", "removed"))
    event = NoticeEvent(
        "one", kind, "secret-key-under-test", NOW, {"by": "local:me", "reason": "secret-key-under-test"}
    )
    notice = renderer.render(event, store, Reader.of("en"), NOW)
    assert notice is not None
    assert "removed" in notice.title
    assert "secret-key-under-test" not in (notice.title + notice.text)


@pytest.mark.parametrize(("profiles", "wanted"), [([], False), (["sandbox"], True), (["default"], False)])
def test_only_a_channel_that_lists_the_sandbox_gets_its_notices(profiles: list[str], wanted: bool) -> None:
    audience = NoticeAudience({"sandbox": frozenset({"support"})}, sandboxes=frozenset({"sandbox"}))
    assert channel(profiles=profiles).wants("approval_requested", "sandbox", audience) is wanted
