"""Places for requests and sockets: who has to leave for whom, and what the settings make of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from saasus_mcp.hosting.limits.connections import ConnectionTracker
from saasus_mcp.hosting.limits.request_pool import CapacityExceeded, PoolLimits, RequestPool
from saasus_mcp.settings.hosting import HttpTable


@dataclass(eq=False)
class Request:
    """A request in a pool, which keeps whether it lost its place."""

    awaits_client: bool = False
    evicted: bool = False

    def evict(self) -> None:
        self.evicted = True


@dataclass(eq=False)
class Dropped:
    """A connection that notes its end among the others'."""

    ends: list[Dropped] = field(default_factory=list)

    def abort(self) -> None:
        self.ends.append(self)


LIMITS = PoolLimits(total=4, each=2, unauthenticated=2, setting="connections_per_caller")


def entered(pool: RequestPool, principal: str = "", **given: bool) -> Request:
    request = Request(**given)
    pool.enter(request)
    if principal:
        pool.assign(request, principal)
    return request


def test_the_call_that_waits_longest_for_its_client_gives_way() -> None:
    pool = RequestPool(LIMITS)
    working, first = entered(pool), entered(pool, awaits_client=True)
    entered(pool)
    assert (working.evicted, first.evicted) == (False, True)
    with pytest.raises(CapacityExceeded) as none:
        entered(pool)
    assert none.value.limit == 0, "all are worked on: the whole server is busy"
    assert not pool.full, "a caller whose token is known has room"


def test_a_principal_holds_no_more_than_its_share_and_takes_nobodys_place() -> None:
    pool = RequestPool(LIMITS)
    held = [entered(pool, "alice") for _ in range(2)]
    with pytest.raises(CapacityExceeded) as none:
        entered(pool, "alice")
    assert (none.value.limit, none.value.setting) == (2, "connections_per_caller")
    entered(pool, "bob")
    pool.leave(held[0])
    entered(pool, "alice")


def test_a_pool_is_full_only_as_long_as_all_places_are_taken() -> None:
    pool = RequestPool(LIMITS)
    held = [entered(pool, name) for name in ("alice", "alice", "bob", "bob")]
    was_full = pool.full
    newcomer = Request()
    pool.enter(newcomer)
    with pytest.raises(CapacityExceeded) as none:
        pool.assign(newcomer, "carol")
    assert none.value.limit == 0
    pool.leave(newcomer)
    pool.leave(held[0])
    assert (was_full, pool.full) == (True, False)


def test_leaving_twice_frees_one_place() -> None:
    pool = RequestPool(LIMITS)
    one, _ = entered(pool, "alice"), entered(pool, "alice")
    pool.leave(one)
    pool.leave(one)
    entered(pool, "alice")
    with pytest.raises(CapacityExceeded):
        entered(pool, "alice")


@pytest.mark.parametrize(
    ("table", "shared", "each"),
    [({}, True, 200), ({}, False, 1000), ({"connections": 2}, True, 1), ({"connections_per_caller": 7}, False, 7)],
)
def test_the_share_follows_from_the_connections_unless_it_is_set(
    table: dict[str, int], shared: bool, each: int
) -> None:
    assert PoolLimits.from_settings(HttpTable(**table), multiple_principals=shared).each == each  # type: ignore[arg-type]  # numbers only


def test_the_socket_that_is_idle_longest_gives_way_first_those_without_a_known_caller() -> None:
    ends: list[Dropped] = []
    counted, known, busy, silent, late = (
        ConnectionTracker(3),
        Dropped(ends),
        Dropped(ends),
        Dropped(ends),
        Dropped(ends),
    )
    for each in (known, busy, silent):
        counted.add(each)
    counted.mark_busy(known)
    counted.mark_idle(known, authenticated=True)
    counted.mark_busy(busy)
    counted.add(late)
    assert ends == [silent]
    counted.mark_busy(late)
    counted.add(Dropped(ends))
    assert ends == [silent, known]


def test_a_closed_socket_counts_no_longer() -> None:
    ends: list[Dropped] = []
    counted = ConnectionTracker(2)
    for _ in range(5):
        one = Dropped(ends)
        counted.add(one)
        counted.remove(one)
        counted.mark_idle(one, authenticated=False)
    assert ends == []
