"""`job_user_activity`: where users came from, by referrer, by user, or by both."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.text import quote_text
from saasus_mcp.jobs.job_context import JobContext, JobReader, ReadFailed
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.known import names_by_id, resolve_names
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports.period import Period
from saasus_mcp.jobs.reports.table import Table

HISTORY_OPERATION = "analysis.GetUserBehaviorHistories"
USER_COLUMNS = ("user_id", "email", "sign_in_id")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "referrer": ("referrer", "views", "users"),
    "user": (*USER_COLUMNS, "views", "referrers", "days", "first", "last"),
    "user_referrer": (*USER_COLUMNS, "referrer", "views", "first", "last"),
}
BOUNDS = "{first} to {last}, days as {zone} has them."
MONTH = "Of single users the API tells only what they did in the last month, whatever the period."
LEFT_OUT = "Users that `rows` calls unread are in no figure: the API did not answer."
User = Mapping[str, str]


@dataclass(slots=True)
class Visits:
    """What is known of visits: how many, by how many users, and on which days."""

    views: int = 0
    users: set[str] = field(default_factory=set)
    days: set[str] = field(default_factory=set)

    def add(self, user: str, days: Mapping[str, int]) -> None:
        self.views += sum(days.values())
        self.users.add(user)
        self.days.update(days)


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Nothing changes, so little is looked at: the period, and that the tenants and users exist."""
    Period.from_arguments(args)
    data = dict(args)
    if args.get("tenant_ids"):
        there = await reader.read("auth.GetTenants", take=lambda answer: names_by_id(answer, "tenants", "id"))
        data["tenant_ids"] = resolve_names("tenant_ids", args["tenant_ids"], "tenant", there)
    return Plan(data={**data, "users": await _named(reader, args.get("user_ids", ()))})


async def _named(reader: JobReader, wanted: Sequence[str]) -> list[User]:
    """The users of these ids.

    Raises:
        InvalidArguments: one of them cannot be read.
    """
    ids = list(dict.fromkeys(wanted))
    found = await reader.read_many("auth.GetSaasUser", [{"user_id": each} for each in ids], _brief)
    for identifier, (user, why) in zip(ids, found, strict=True):
        if user is None:
            raise InvalidArguments(("user_ids",), f"{quote_text(identifier)} cannot be read. {why}")
    return [user for user, _ in found if user is not None]


async def run(work: JobContext, plan: Plan) -> JobResult:
    """By referrer alone one read tells all; else there is one for each user, and one for each hundred of them."""
    args, period = plan.data, Period.from_arguments(plan.data)
    by = args.get("by", "referrer")
    table = Table(COLUMNS[by], args.get("format", "csv"))
    bounds = BOUNDS.format(first=period.first, last=period.last, zone=args.get("zone", "UTC"))
    if by == "referrer" and not args.get("tenant_ids") and not args["users"]:
        return await _pages(work, period, table, bounds)
    found: dict[str, Visits] = defaultdict(Visits)
    unread, users = list[dict[str, Any]](), 0
    async for some in _users(work, args):
        answers = await work.read_many(HISTORY_OPERATION, [{"user_id": user["id"]} for user in some], _taken(period))
        for user, (visits, why) in zip(some, answers, strict=True):
            if visits is None:
                unread.append({"user_id": user["id"], "outcome": "unread", "why": why})
                continue
            for referrer, days in visits.items():
                found[referrer].add(user["id"], days)
            table.add_rows(_rows(user, visits, by))
        users += len(some)
        await work.report_progress(users)
    if unread and len(unread) == users:
        raise ReadFailed(unread[0]["why"], "No user's activity could be read.")
    if by == "referrer":
        ranked = sorted(found.items(), key=lambda each: (-each[1].views, each[0]))
        table.add_rows([referrer, visits.views, len(visits.users)] for referrer, visits in ranked)
    active = set[str]().union(*(visits.users for visits in found.values()))
    counts = {"rows": table.row_count, "views": sum(visits.views for visits in found.values()), "active": len(active)}
    return JobResult(
        {**counts, "users": users, **({"unread": len(unread)} if unread else {})},
        rows=unread,
        product=table.content(),
        notes=(bounds, MONTH, *((LEFT_OUT,) if unread else ())),
    )


async def _pages(work: JobContext, period: Period, table: Table, bounds: str) -> JobResult:
    """What the API itself has counted."""
    told: dict[str, Any] = await work.read(
        "analysis.GetPageStatistics", {"start_timestamp": period.start, "end_timestamp": period.end}
    )
    table.add_rows(
        [page["page_url"], page["total_views"], page["unique_users"]] for page in told.get("page_statistics", [])
    )
    counts = {"rows": table.row_count, "views": told["total_page_views"], "active": told["total_unique_users"]}
    return JobResult(counts, product=table.content(), notes=(bounds,))


async def _users(work: JobContext, args: Mapping[str, Any]) -> AsyncIterator[list[User]]:
    """The users that are wanted, a page at a time, each once."""
    if args["users"]:
        yield args["users"]
        return
    lists = [("auth.SearchTenantUsers", {"tenant_id": each}) for each in dict.fromkeys(args.get("tenant_ids", ()))]
    seen = set[str]()
    for key, query in lists or [("auth.SearchSaasUsers", {})]:
        async for page in work.read_pages(
            key, query, lambda answer: [_brief(user) for user in answer.get("users", [])]
        ):
            new = {user["id"]: user for user in page if user["id"] not in seen}
            seen.update(new)
            if new:
                yield list(new.values())


def _brief(user: Mapping[str, Any]) -> dict[str, str]:
    return {"id": user["id"], "email": user.get("email") or "", "sign_in_id": user.get("sign_in_id") or ""}


def _taken(period: Period) -> Any:
    def taken(answer: Mapping[str, Any]) -> dict[str, dict[str, int]]:
        """The visits of a user's history in the period: of each referrer, how many on which day."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for day in answer.get("histories", []):
            for visit in day.get("histories", []):
                if visit["timestamp"] in period:
                    found[visit.get("referer", "")][period.day_of(visit["timestamp"])] += 1
        return {referrer: dict(days) for referrer, days in found.items()}

    return taken


def _rows(user: User, visits: Mapping[str, Mapping[str, int]], by: str) -> Iterator[Sequence[Any]]:
    who = [user["id"], user["email"], user["sign_in_id"]]
    if by == "user" and visits:
        days = {day for each in visits.values() for day in each}
        yield [*who, sum(sum(each.values()) for each in visits.values()), len(visits), len(days), min(days), max(days)]
    if by == "user_referrer":
        for referrer, each in sorted(visits.items(), key=lambda item: -sum(item[1].values())):
            yield [*who, referrer, sum(each.values()), min(each), max(each)]
