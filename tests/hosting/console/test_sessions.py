"""How long somebody is signed in to the console, in one process or in all of them; and for how long guesses are held off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from saasus_mcp.hosting.console.signin_sessions import (
    MAX_FAILURES,
    WINDOW_SECONDS,
    ConsoleSessions,
    GuessThrottle,
    LocalSessions,
)
from saasus_mcp.store.database import engine
from saasus_mcp.store.records import CLOCK_TOLERANCE, DAY
from saasus_mcp.store.signin_sessions import (
    MAX_SESSIONS_PER_APPROVER,
    SESSION_SECONDS,
    Approver,
    SessionStore,
    VerifiedApprover,
)
from saasus_mcp.store.stores import Stores
from saasus_mcp.store.tokens import Token
from tests.support.jwt_issuer import Clock

NOW = 1_790_000_000.0
OLGA = Approver("token:olga", frozenset({"operators"}))


@pytest.fixture(params=["of one process", "of all replicas"])
def sessions(request: pytest.FixtureRequest, kept: Stores) -> Iterator[ConsoleSessions]:
    with closing(kept.open_tokens()) as accounts:
        yield LocalSessions() if request.param == "of one process" else SessionStore(accounts.database)


@pytest.mark.parametrize(("lasts", "ends"), [(60.0, 60.0), (SESSION_SECONDS * 2.0, SESSION_SECONDS)])
def test_a_session_lasts_no_longer_than_what_it_was_opened_with(
    sessions: ConsoleSessions, lasts: float, ends: float
) -> None:
    cookie = sessions.open(VerifiedApprover(OLGA, NOW + lasts), NOW)
    session = sessions.find(cookie, NOW + ends - 1)
    assert session is not None
    assert session.expires_at == NOW + ends
    assert sessions.find(cookie, NOW + ends) is None


def test_a_session_that_was_opened_while_the_clock_was_ahead_is_void_once_it_is_right(
    sessions: ConsoleSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "shared_time", lambda _: NOW)
    cookie = sessions.open(VerifiedApprover(OLGA), NOW + DAY)
    assert sessions.list_own(OLGA, NOW) == []
    assert sessions.find(cookie, NOW + DAY - CLOCK_TOLERANCE) is not None
    assert sessions.find(cookie, NOW) is None
    assert sessions.find(cookie, NOW + DAY) is None


def test_a_person_with_changed_groups_is_still_signed_out_everywhere(sessions: ConsoleSessions) -> None:
    before = sessions.open(VerifiedApprover(OLGA), NOW)
    after = sessions.open(VerifiedApprover(Approver(OLGA.id, frozenset({"operators", "testers"}))), NOW)
    another = sessions.open(VerifiedApprover(Approver("token:taro")), NOW)
    sessions.close_all(OLGA)
    assert [sessions.find(cookie, NOW) is None for cookie in (before, after, another)] == [True, True, False]


def test_a_person_who_signs_in_without_end_ends_their_own_oldest_sessions_only(sessions: ConsoleSessions) -> None:
    another = sessions.open(VerifiedApprover(Approver("token:taro")), NOW)
    cookies = [sessions.open(VerifiedApprover(OLGA), NOW + number) for number in range(MAX_SESSIONS_PER_APPROVER + 2)]
    found = [sessions.find(cookie, NOW + 100) is not None for cookie in cookies]
    assert found == [False] * 2 + [True] * MAX_SESSIONS_PER_APPROVER
    assert sessions.find(another, NOW + 100) is not None


def test_the_browser_of_a_session_is_listed_and_ends_with_it(sessions: ConsoleSessions) -> None:
    cookie = sessions.open(VerifiedApprover(OLGA), NOW, "Chrome, Windows")
    sessions.open(VerifiedApprover(OLGA), NOW + 1)
    assert [each.browser for each in sessions.list_own(OLGA, NOW + 2)] == ["", "Chrome, Windows"]
    sessions.close(cookie)
    assert [each.browser for each in sessions.list_own(OLGA, NOW + 2)] == [""]


def test_the_last_activity_of_a_session_is_listed_and_is_of_that_session(sessions: ConsoleSessions) -> None:
    used, idle = (sessions.open(VerifiedApprover(OLGA), NOW + number) for number in range(2))
    sessions.save_use(used, NOW + 1000)
    found = sessions.find(used, NOW + 1001)
    assert found is not None
    assert found.used_at == NOW + 1000
    assert [each.used_at for each in sessions.list_own(OLGA, NOW + 1001)] == [NOW + 1, NOW + 1000]
    sessions.close(used)
    sessions.save_use(used, NOW + 2000)
    assert sessions.find(used, NOW + 2001) is None
    assert sessions.find(idle, NOW + 2001) is not None


def test_nobody_ends_the_session_of_another_person(sessions: ConsoleSessions) -> None:
    cookie = sessions.open(VerifiedApprover(OLGA), NOW)
    [own] = sessions.list_own(OLGA, NOW)
    assert not sessions.close_one(Approver("token:taro"), own.id)
    assert sessions.find(cookie, NOW) is not None
    assert sessions.close_one(OLGA, own.id)
    assert sessions.find(cookie, NOW) is None


@pytest.mark.parametrize("ends", ["revoked", "expired"])
def test_a_session_ends_with_the_token_that_opened_it(kept: Stores, ends: str) -> None:
    with closing(kept.open_tokens()) as accounts:
        until = NOW + (60.0 if ends == "expired" else SESSION_SECONDS)
        token = accounts.add(Token("olga", "approver", OLGA.groups, "local:me", NOW, until))
        sessions = SessionStore(accounts.database)
        cookie = sessions.open(VerifiedApprover(OLGA, token=token), NOW)
        assert sessions.find(cookie, NOW + 59) is not None
        if ends == "revoked":
            assert accounts.revoke("olga", NOW + 59)
        assert sessions.find(cookie, NOW + 61) is None


def test_guesses_are_held_off_until_the_first_of_them_is_a_minute_old() -> None:
    clock = Clock()
    throttle, began = GuessThrottle(clock), clock.now

    def holds(after: float) -> bool:
        clock.now = began + after
        return throttle.is_blocked

    for number in range(MAX_FAILURES):
        assert not holds(number)
        throttle.record_failure()
    assert holds(WINDOW_SECONDS - 1)
    assert not holds(WINDOW_SECONDS)
    throttle.record_failure()
    assert holds(WINDOW_SECONDS), "the second is younger"
