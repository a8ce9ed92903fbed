"""Each event is sent once to each channel that wants it, and a broken channel or store delays nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

import anyio
import pytest

from saasus_mcp.common.messages import message
from saasus_mcp.notices.channels import Channel
from saasus_mcp.notices.notice import Notice
from saasus_mcp.notices.sending import SendFailure
from saasus_mcp.notices.worker import NoticeSource
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord, record_action
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.notice_records import Mute
from saasus_mcp.store.records import DAY
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW
from tests.support.notices import FAST, Clock, RecordingSender, ask, channel, deliver, running, until, worker


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
    assert SendFailure.from_code(state.error).message == message("notices.failure.interrupted")


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


async def test_an_outdated_notice_is_given_up(store: Store) -> None:
    clock, sender = Clock(), RecordingSender()
    record_action(store, ActionRecord(ActionKind.FREEZE, "local:me", "terminal"), NOW)
    clock.now = NOW + DAY + 1
    await deliver(worker(store, [channel()], sender, clock=clock))
    assert sender.sent == []
    assert store.notices.channel_states() == [], "no channel was ever to send it, so none has failed"
    record_action(store, ActionRecord(ActionKind.FREEZE, "local:me", "terminal"), NOW + 1)
    await deliver(worker(store, [channel()], sender, clock=clock))
    assert [notice.kind for _, notice in sender.sent] == ["frozen"], "it is sent to the second"


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
    def fail_for_one(text: str) -> str:
        if "broken" in text:
            raise ZeroDivisionError
        return text

    sender = RecordingSender()
    each = worker(store, [channel()], sender, clock=Clock())
    each._renderer = replace(each._renderer, redact=fail_for_one)
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
