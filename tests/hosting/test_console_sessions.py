"""How long somebody is signed in to the console, in one process or in all of them; and for how long guesses are held off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from saasus_mcp.hosting.console.sessions import (
    LIFETIME,
    MOST_OF_ONE,
    Admitted,
    Approver,
    LocalSessions,
    Sessions,
    SharedSessions,
)
from saasus_mcp.hosting.console.throttle import MOST, SECONDS, Throttle
from saasus_mcp.store.sessions import Sessions as Kept
from saasus_mcp.store.stores import Stores
from tests.hosting.provider import Clock

NOW = 1_790_000_000.0
OLGA = Approver("token:olga", frozenset({"operators"}))


@pytest.fixture(params=["of one process", "of all replicas"])
def sessions(request: pytest.FixtureRequest, kept: Stores) -> Iterator[Sessions]:
    with closing(kept.accounts()) as accounts:
        yield LocalSessions() if request.param == "of one process" else SharedSessions(Kept(accounts.database))


@pytest.mark.parametrize(("lasts", "ends"), [(60.0, 60.0), (LIFETIME * 2.0, LIFETIME)])
def test_a_session_lasts_no_longer_than_what_it_was_opened_with(sessions: Sessions, lasts: float, ends: float) -> None:
    cookie = sessions.open(Admitted(OLGA, NOW + lasts), NOW)
    session = sessions.find(cookie, NOW + ends - 1)
    assert session is not None
    assert session.expires_at == NOW + ends
    assert sessions.find(cookie, NOW + ends) is None


def test_whose_groups_have_changed_is_signed_out_everywhere_all_the_same(sessions: Sessions) -> None:
    before = sessions.open(Admitted(OLGA), NOW)
    after = sessions.open(Admitted(Approver(OLGA.id, frozenset({"operators", "testers"}))), NOW)
    another = sessions.open(Admitted(Approver("token:taro")), NOW)
    sessions.close_all(OLGA)
    assert [sessions.find(cookie, NOW) is None for cookie in (before, after, another)] == [True, True, False]


def test_a_person_who_signs_in_without_end_ends_their_own_oldest_sessions_only(sessions: Sessions) -> None:
    another = sessions.open(Admitted(Approver("token:taro")), NOW)
    cookies = [sessions.open(Admitted(OLGA), NOW + number) for number in range(MOST_OF_ONE + 2)]
    found = [sessions.find(cookie, NOW + 100) is not None for cookie in cookies]
    assert found == [False] * 2 + [True] * MOST_OF_ONE
    assert sessions.find(another, NOW + 100) is not None


def test_guesses_are_held_off_until_the_first_of_them_is_a_minute_old() -> None:
    clock = Clock()
    throttle, began = Throttle(clock), clock.now

    def holds(after: float) -> bool:
        clock.now = began + after
        return throttle.holds

    for number in range(MOST):
        assert not holds(number)
        throttle.fail()
    assert holds(SECONDS - 1)
    assert not holds(SECONDS)
    throttle.fail()
    assert holds(SECONDS), "the second is younger"
