"""`job_user_activity`: visits by referrer and by user, checked row by row against what the sandbox holds."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.sandbox import Sandbox
from saasus_mcp.sandbox.state import uid
from tests.support.job_server import JobServer, start_job_server

HISTORIES = "analysis.GetUserBehaviorHistories"


def visits(sandbox: Sandbox, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str, str]]:
    """User, referrer and day of each visit on the days that are wanted."""
    for row in sandbox.state.rows("behaviors"):
        for visit in row["histories"]:
            day = datetime.fromtimestamp(visit["timestamp"], UTC).strftime("%Y-%m-%d")
            if wanted(day):
                yield row["user_id"], visit["referer"], day


def lately() -> tuple[dict[str, Any], Callable[[str], bool]]:
    """Ten days, as arguments and as a test of days."""
    last = datetime.now(UTC).date() - timedelta(days=3)
    first = last - timedelta(days=9)
    return {"from": str(first), "to": str(last)}, lambda day: str(first) <= day <= str(last)


async def reported(on: JobServer, args: dict[str, Any]) -> list[dict[str, str]]:
    told = await on.call_json("job_user_activity", args)
    text = told.get("csv") or on.stored_result(told["result"])
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_by_user_and_referrer_each_has_its_views_and_days(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        period, wanted = lately()
        rows = await reported(on, {**period, "by": "user_referrer"})
        held = list(visits(on.sandbox, wanted))
        views = Counter((user, referrer) for user, referrer, _ in held)
        assert {(row["user_id"], row["referrer"]): int(row["views"]) for row in rows} == views
        assert len(rows) == len(views) > 30
        for row in rows:
            days = [day for user, referrer, day in held if (user, referrer) == (row["user_id"], row["referrer"])]
            assert (row["first"], row["last"]) == (min(days), max(days))
            person = on.sandbox.state.get("users", row["user_id"])
            assert (row["email"], row["sign_in_id"]) == (person["email"], person["sign_in_id"])


async def test_by_user_each_has_one_line(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        period, wanted = lately()
        rows = await reported(on, {**period, "by": "user"})
        held = list(visits(on.sandbox, wanted))
        views = Counter(user for user, _, _ in held)
        assert {row["user_id"]: int(row["views"]) for row in rows} == views
        for row in rows:
            mine = [(referrer, day) for user, referrer, day in held if user == row["user_id"]]
            assert int(row["referrers"]) == len({referrer for referrer, _ in mine})
            assert int(row["days"]) == len({day for _, day in mine})


async def test_by_referrer_alone_one_read_tells_all(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        period, wanted = lately()
        rows = await reported(on, period)
        held = list(visits(on.sandbox, wanted))
        assert {row["referrer"]: int(row["views"]) for row in rows} == Counter(referrer for _, referrer, _ in held)
        for row in rows:
            assert int(row["users"]) == len({user for user, referrer, _ in held if referrer == row["referrer"]})
        assert len(on.sandbox.requests) == 1


@pytest.mark.parametrize("job", ["job_user_activity", "job_metering_report"])
async def test_figures_of_a_period_that_is_not_over_are_not_final(tmp_path: Path, job: str) -> None:
    async with start_job_server(tmp_path) as on:
        today = datetime.now(UTC).date()
        days = [today - timedelta(days=9), today + timedelta(days=2)]
        running = await on.call_json(job, {"from": str(days[0]), "to": str(days[1])})
        assert any("is not over: figures up to" in note for note in running["notes"])
        future = await on.call_json(job, {"from": str(days[1])})
        assert any(f"The period begins on {days[1]}" in note for note in future["notes"])
        past = await on.call_json(job, {"from": str(days[0])})
        assert not any("is not over" in note or "begins on" in note for note in past["notes"])


@pytest.mark.parametrize("more", [{"by": "user"}, {"by": "user_referrer"}, {"tenant_ids": [uid("tenant", "aozora")]}])
async def test_a_period_of_which_the_api_keeps_nothing_is_no_report_of_zero(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    async with start_job_server(tmp_path) as on:
        told = await on.call("job_user_activity", {"from": "2025-01", **more})
        assert told.text.startswith("from: the API keeps the activity of single users for a month")
        assert on.count_requests(HISTORIES) == 0


async def test_a_tenant_or_some_users_alone_can_be_asked_for(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        period, wanted = lately()
        state = on.sandbox.state
        tenants = [tenant["id"] for tenant in state.rows("tenants")[:2]]
        members = {row["user_id"] for tenant in tenants for row in state.rows("members", tenant)}
        rows = await reported(on, {**period, "tenant_ids": tenants})
        theirs = Counter(referrer for user, referrer, _ in visits(on.sandbox, wanted) if user in members)
        assert {row["referrer"]: int(row["views"]) for row in rows} == theirs
        assert on.count_requests(HISTORIES) == len(members), "a user of both tenants is read and counted once"

        some = sorted(members)[:3]
        rows = await reported(on, {**period, "by": "user", "user_ids": some})
        assert {row["user_id"] for row in rows} == {user for user, _, _ in visits(on.sandbox, wanted) if user in some}


async def test_an_unreadable_user_is_reported_and_in_no_figure(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        period, _ = lately()
        on.sandbox.faults.add("status", on=HISTORIES, status=404, times=2)
        told = await on.call_json("job_user_activity", {**period, "by": "user"})
        assert told["counts"]["unread"] == 2 == len(told["rows"])
        assert all("404" in row["why"] for row in told["rows"])

        on.sandbox.faults.add("status", on=HISTORIES, status=404)
        assert not (await on.call("job_user_activity", {**period, "by": "user"})).ok, "a report without data is refused"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"from": "2026-5"}, "from"),
        ({"from": "2026-05", "to": "2026-04"}, "to"),
        ({"from": "2026-05", "tenant_ids": ["none-such"]}, "tenant_ids"),
        ({"from": "2026-05", "by": "page"}, "by"),
        ({"from": "2026-05", "user_ids": ["none-such"]}, "user_ids"),
    ],
)
async def test_an_invalid_or_missing_period_is_reported_by_field(
    tmp_path: Path, args: dict[str, Any], field: str
) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_user_activity", args)
        assert not answer.ok
        assert answer.text.startswith(f"{field}:"), answer.text
