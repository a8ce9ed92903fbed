"""Each event is reported once, in the reader's language, with the reason and the link; and a broken channel delays nothing else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import anyio
import pytest

from saasus_mcp import jobs
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.person import Person
from saasus_mcp.notices.channels import Channel
from saasus_mcp.notices.notice import Notice
from saasus_mcp.notices.sending import SendFailure, describe_failure
from saasus_mcp.notices.worker import NoticeSource, NoticeWorker
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord, record_action
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.store import Commitment, JobGrant, Store
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.job_records import RowOutcome
from saasus_mcp.store.notice_records import Mute
from saasus_mcp.store.records import DAY
from tests.support.approvals import NOW, pending_approval
from tests.support.notices import FAST, RecordingSender, channel, worker
from tests.support.questions import deletion


class Killed(BaseException):
    """The process ends here."""


class DyingSender(RecordingSender):
    """A process that ends after its notice was received."""

    async def send(self, channel: Channel, notice: Notice) -> SendFailure | None:
        await super().send(channel, notice)
        raise Killed


@dataclass
class StoppingSender:
    """A server that gets the signal to stop while a notice is sent."""

    inner: RecordingSender
    scope: anyio.CancelScope

    async def send(self, channel: Channel, notice: Notice) -> SendFailure | None:
        failure = await self.inner.send(channel, notice)
        self.scope.cancel()
        return failure


class Clock:
    """A clock that a test moves."""

    now = NOW + 1

    def __call__(self) -> float:
        return self.now


async def deliver(each: NoticeWorker) -> None:
    """Let the worker look once, and wait until what it has started has ended."""
    async with anyio.create_task_group() as tasks:
        await each.look(tasks)


@asynccontextmanager
async def running(*workers: NoticeWorker) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        for each in workers:
            tasks.start_soon(each.run)
        yield
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is in a store
            await anyio.sleep(0.01)


def ask(store: Store, **other: str) -> None:
    store.request_approval(pending_approval(**other), 5)


def titles(sender: RecordingSender) -> list[str]:
    return [notice.title for _, notice in sender.sent]


async def test_a_pending_approval_is_told_with_whom_it_concerns_and_where_to_decide(store: Store) -> None:
    sender = RecordingSender()
    ask(store)
    await deliver(worker(store, [channel()], sender, clock=Clock()))
    [(name, notice)] = sender.sent
    assert (name, notice.kind, notice.reference) == ("ops", "approval_requested", "ABCD-2345")
    assert notice.link == "https://mcp.example.com/console/approvals/ABCD-2345"
    assert "auth·DeleteTenant" in notice.title, "the name of the tool, where another version stored the question"
    assert any("local:me" in line for line in notice.lines)


async def test_without_a_console_the_command_is_told(store: Store) -> None:
    sender = RecordingSender()
    ask(store)
    await deliver(worker(store, [channel()], sender, clock=Clock(), console=""))
    [(_, notice)] = sender.sent
    assert notice.link == ""
    assert any("saasus-mcp approve ABCD-2345" in line for line in notice.lines)


@pytest.mark.parametrize("status", ["approved", "rejected"])
async def test_the_outcome_is_told_with_the_person_and_the_reason(store: Store, status: str) -> None:
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
    asked = replace(deletion("Acme"), requester="oidc:https://idp|42", requester_name="佐藤 花子 (sato@example.jp)")
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
    assert store.audit_records()[-1]["principal_name"] == "鈴木 一郎"


async def test_a_freeze_names_the_person_beside_the_id(store: Store) -> None:
    sender = RecordingSender()
    action = ActionRecord(ActionKind.FREEZE, "oidc:https://idp|7", "console", person=Person("鈴木 一郎"))
    record_action(store, action, NOW)
    await deliver(worker(store, [channel()], sender, clock=Clock()))
    [(_, notice)] = sender.sent
    assert any("鈴木 一郎" in line and "7" in line for line in notice.lines)


async def test_an_approval_that_nobody_decided_is_told_when_it_expires(store: Store) -> None:
    sender, clock = RecordingSender(), Clock()
    ask(store)
    each = worker(store, [channel()], sender, clock=clock)
    await deliver(each)
    clock.now = NOW + 901
    await deliver(each)
    await deliver(each)
    assert [notice.kind for _, notice in sender.sent] == ["approval_requested", "approval_expired"]


async def test_the_end_of_a_job_a_freeze_and_its_end_are_told(store: Store) -> None:
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
async def test_every_outcome_of_rows_is_told_with_its_number(store: Store, outcome: str, lang: Language) -> None:
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


async def test_each_event_is_sent_once_to_each_channel_that_wants_it(store: Store) -> None:
    sender = RecordingSender()
    channels = [
        channel(),
        channel(name="jobs-only", topics=["job"]),
        channel(name="other-profile", profiles=["staging"]),
        channel(name="their-group", groups=["support"]),
        channel(name="other-group", groups=["billing"]),
    ]
    each = worker(store, channels, sender, clock=Clock())
    ask(store)
    await deliver(each)
    await deliver(each)
    assert sorted(name for name, _ in sender.sent) == ["ops", "their-group"]


async def test_events_of_other_profiles_are_left_to_their_servers(store: Store) -> None:
    mine, theirs = RecordingSender(), RecordingSender()
    ask(store, profile="staging")
    await deliver(worker(store, [channel()], mine, clock=Clock()))
    await deliver(worker(store, [channel()], theirs, clock=Clock(), profile="staging"))
    assert (len(mine.sent), len(theirs.sent)) == (0, 1)


async def test_a_failed_attempt_is_repeated_later_and_a_permanent_failure_is_not(store: Store) -> None:
    clock = Clock()
    sender = RecordingSender([SendFailure("status", "500"), SendFailure("timeout"), None])
    each = worker(store, [channel()], sender, clock=clock, config=replace(FAST, delays=(5.0, 15.0)))
    ask(store)
    for wait, attempts in ((0, 1), (1, 1), (6, 2), (6, 2), (19, 3), (900, 3)):
        clock.now = clock.now + wait
        await deliver(each)
        assert len([1 for _, notice in sender.sent if notice.kind == "approval_requested"]) == attempts
    [state] = store.notices.channel_states()
    assert state.counts["sent"] >= 1
    ask(store, code="WXYZ-2345", binding="c" * 64, requested_at=clock.now, expires_at=clock.now + 900)  # type: ignore[arg-type]
    sender.failures.append(SendFailure("status", "404", repeatable=False))
    before = len(sender.sent)
    await deliver(each)
    clock.now += 60
    await deliver(each)
    assert len(sender.sent) == before + 1


async def test_a_provider_decides_how_long_to_wait(store: Store) -> None:
    clock, sender = Clock(), RecordingSender([SendFailure("status", "429", retry_after=120.0)])
    each = worker(store, [channel()], sender, clock=clock)
    ask(store)
    for wait, attempts in ((0, 1), (60, 1), (61, 2)):
        clock.now += wait
        await deliver(each)
        assert len(sender.sent) == attempts


async def test_a_notice_whose_sender_dies_each_time_is_given_up(store: Store) -> None:
    """Each death counts as an attempt, since it is counted before the notice is sent."""
    clock = Clock()
    record_action(store, ActionRecord(ActionKind.FREEZE, "local:me", "terminal"), NOW)
    config = replace(FAST, attempts=3)
    deaths = 0
    for _ in range(5):
        try:
            await deliver(worker(store, [channel()], DyingSender(), clock=clock, config=config))
        except BaseExceptionGroup:
            deaths += 1
        clock.now += FAST.claim + 0.1
    assert deaths == 3
    [state] = store.notices.channel_states()
    assert (state.counts, state.error) == ({"failed": 1}, "interrupted")
    assert describe_failure(state.error) == message("notices.failure.interrupted")


async def test_a_notice_older_than_a_day_is_not_sent_and_keeps_its_reason(store: Store) -> None:
    clock, sender = Clock(), RecordingSender([SendFailure("status", "500")])
    record_action(store, ActionRecord(ActionKind.FREEZE, "local:me", "terminal"), NOW)
    each = worker(store, [channel()], sender, clock=clock)
    await deliver(each)
    clock.now = NOW + DAY + 1
    await deliver(each)
    [state] = store.notices.channel_states()
    assert (len(sender.sent), state.counts, state.error) == (1, {"failed": 1}, "status 500")


async def test_a_server_that_stops_after_sending_records_that_it_has_sent(store: Store) -> None:
    """The notice is out: the end of the server must not make the next server send it again."""
    clock, sender = Clock(), RecordingSender()
    ask(store)
    each = worker(store, [channel()], sender, clock=clock)
    async with anyio.create_task_group() as tasks:
        each._sender = StoppingSender(sender, tasks.cancel_scope)
        await each.look(tasks)
    [state] = store.notices.channel_states()
    assert state.counts == {"sent": 1}


async def test_a_receiver_that_does_not_answer_delays_the_end_of_the_server_for_a_moment_only(store: Store) -> None:
    class SilentSender(RecordingSender):
        async def send(self, channel: Channel, notice: Notice) -> SendFailure | None:
            await super().send(channel, notice)
            await anyio.sleep_forever()
            raise AssertionError

    sender = SilentSender()
    ask(store)
    with anyio.fail_after(5):
        async with running(worker(store, [channel()], sender, clock=Clock(), config=replace(FAST, grace=0.05))):
            await until(lambda: bool(sender.sent))
    [state] = store.notices.channel_states()
    assert state.counts == {"pending": 1}, "another server sends it"


async def test_one_stores_backlog_delays_no_other_store(store: Store) -> None:
    other, sender = Store.in_memory(), RecordingSender()
    for number in range(5):
        ask(store, code=f"ABC{number}-2345", binding=f"{number}" * 64, principal=f"local:{number}")
    ask(other, code="WXYZ-2345")
    source = NoticeSource(lambda: other, frozenset({"default"}))
    each = worker(store, [channel()], sender, clock=Clock(), others=[source])
    await deliver(each)
    assert [notice.reference for _, notice in sender.sent].index("WXYZ-2345") <= 1
    assert len(sender.sent) == 6
    other.close()


async def test_an_approval_does_not_wait_behind_other_notices(store: Store) -> None:
    sender = RecordingSender()
    for number in range(3):
        record_action(store, ActionRecord(ActionKind.FREEZE, "local:me", "terminal", reason=str(number)), NOW + number)
    ask(store)
    await deliver(worker(store, [channel()], sender, clock=Clock()))
    assert [notice.kind for _, notice in sender.sent] == ["approval_requested", "frozen", "frozen", "frozen"]


async def test_what_is_no_news_any_more_is_given_up(store: Store) -> None:
    clock, sender = Clock(), RecordingSender()
    record_action(store, ActionRecord(ActionKind.FREEZE, "local:me", "terminal"), NOW)
    clock.now = NOW + DAY + 1
    await deliver(worker(store, [channel()], sender, clock=clock))
    assert sender.sent == []


async def test_a_muted_channel_gets_nothing_even_later(store: Store) -> None:
    clock, sender = Clock(), RecordingSender()
    store.notices.mute(Mute("ops", "", NOW + 60, "local:me"))
    store.notices.mute(Mute("other", "staging", NOW + 60, "local:me"))
    each = worker(store, [channel(), channel(name="other")], sender, clock=clock)
    ask(store)
    await deliver(each)
    clock.now = NOW + 61
    await deliver(each)
    assert [name for name, _ in sender.sent] == ["other"], "a mute of another profile does not count"


async def test_a_slow_channel_delays_no_other(store: Store) -> None:
    release = anyio.Event()

    class SlowSender(RecordingSender):
        async def send(self, channel: Channel, notice: Notice) -> SendFailure | None:
            if channel.name == "slow":
                await release.wait()
            return await super().send(channel, notice)

    sender = SlowSender()
    ask(store)
    async with running(worker(store, [channel(name="slow"), channel(name="fast")], sender, clock=Clock())):
        await until(lambda: bool(sender.sent))
        assert [name for name, _ in sender.sent] == ["fast"]
        ask(store, code="WXYZ-2345", binding="c" * 64)
        await until(lambda: len(sender.sent) == 2)
        assert {name for name, _ in sender.sent} == {"fast"}
        release.set()
        await until(lambda: len(sender.sent) == 4)


async def test_another_process_delivers_what_a_killed_one_had_claimed(store: Store) -> None:
    """The first worker dies while it sends: the claim ends, and the second one sends with the same id."""
    clock, sent = Clock(), RecordingSender()

    dying = DyingSender()
    ask(store)
    with pytest.raises(BaseExceptionGroup) as ended:
        await deliver(worker(store, [channel()], dying, clock=clock))
    assert ended.group_contains(Killed)
    other = worker(store, [channel()], sent, clock=clock)
    await deliver(other)
    assert sent.sent == [], "the claim of the first is valid"
    clock.now += FAST.claim + 0.1
    await deliver(other)
    assert [notice.id for _, notice in sent.sent] == [notice.id for _, notice in dying.sent]


async def test_two_processes_send_each_notice_once(store: Store) -> None:
    one, two = RecordingSender(), RecordingSender()
    for number in range(5):
        ask(store, code=f"ABC{number}-2345", binding=f"{number}" * 64, principal=f"local:{number}")
    async with running(*(worker(store, [channel()], each, clock=Clock()) for each in (one, two))):
        await until(lambda: len(one.sent) + len(two.sent) >= 5)
        await anyio.wait_all_tasks_blocked()
    ids = [notice.id for _, notice in (*one.sent, *two.sent)]
    assert len(ids) == len(set(ids)) == 5


async def test_no_secret_of_the_server_is_in_a_notice(store: Store) -> None:
    sender = RecordingSender()
    record_action(
        store, ActionRecord(ActionKind.FREEZE, "local:me", "terminal", reason="secret-key-under-test leaked"), NOW
    )
    await deliver(worker(store, [channel()], sender, clock=Clock()))
    assert "secret-key-under-test" not in str(sender.sent)
    assert "leaked" in str(sender.sent)


async def test_an_event_that_cannot_be_shown_stops_neither_the_server_nor_the_others(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def label_or_fail(principal: str) -> str:
        if "broken" in principal:
            raise ZeroDivisionError
        return principal

    sender = RecordingSender()
    each = worker(store, [channel()], sender, clock=Clock())
    each._renderer = replace(each._renderer, label_person=label_or_fail)
    ask(store, principal="local:broken")
    ask(store, code="WXYZ-2345", binding="c" * 64)
    await deliver(each)
    assert [notice.reference for _, notice in sender.sent] == ["WXYZ-2345"]
    assert "cannot be shown" in caplog.text


async def test_stores_that_cannot_be_listed_are_logged_once_and_sent_from_later(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    sender = RecordingSender()
    each = worker(store, [channel()], sender, clock=Clock())
    listed = each._sources

    def fail() -> list[NoticeSource]:
        raise StoreError.of("store.unusable", reason="disk")

    ask(store)
    each._sources = fail
    for _ in range(3):
        await deliver(each)
    assert caplog.text.count("notices wait") == 1
    each._sources = listed
    await deliver(each)
    assert [notice.kind for _, notice in sender.sent] == ["approval_requested"]
    each._sources = fail
    await deliver(each)
    assert caplog.text.count("notices wait") == 2, "another outage"


async def test_a_store_that_fails_is_logged_once_beside_others_that_work(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Store:
        raise StoreError.of("store.unusable", reason="disk")

    source = NoticeSource(fail, frozenset({"other"}))
    each = worker(store, [channel()], RecordingSender(), clock=Clock(), others=[source])
    for _ in range(3):
        await deliver(each)
    assert caplog.text.count("notices wait") == 1
