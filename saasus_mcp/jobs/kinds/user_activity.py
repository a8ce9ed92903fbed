"""`job_user_activity`: page views of users, by referrer, by user, or by both."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader, ReadFailed
from saasus_mcp.jobs.name_index import TENANT
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports.period import Period
from saasus_mcp.jobs.reports.table import Table
from saasus_mcp.jobs.users.accounts import resolve_filters

HISTORY_OPERATION = "analysis.GetUserBehaviorHistories"
KEPT_DAYS = 31
"""Days for which the API keeps the views of a single user. A period before them would be reported as zero."""
USER_COLUMNS = ("user_id", "email", "sign_in_id")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "referrer": ("referrer", "views", "users"),
    "user": (*USER_COLUMNS, "views", "referrers", "days", "first", "last"),
    "user_referrer": (*USER_COLUMNS, "referrer", "views", "first", "last"),
}
User = Mapping[str, str]
Visits = dict[str, dict[str, int]]
"""The visits of one user: by referrer, the number on each day."""


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Check the period, and that the tenants and users exist."""
    period = Period.from_arguments(args)
    data = await resolve_filters(reader, args, {"tenant_ids": TENANT})
    users = await _read_named_users(reader, args.get("user_ids", ()))
    if _reads_users(args) and period.end < reader.now() - KEPT_DAYS * 86_400:
        raise InvalidArguments(("from",), message("jobs_reports.before_history"), message("jobs_reports.history_hint"))
    return Plan(data={**data, "users": users, "today": period.day_of(reader.now())})


def _reads_users(args: Mapping[str, Any]) -> bool:
    return args.get("by", "referrer") != "referrer" or bool(args.get("tenant_ids") or args.get("user_ids"))


async def _read_named_users(reader: JobReader, wanted: Sequence[str]) -> list[User]:
    """Return the users with these ids.

    Raises:
        InvalidArguments: a user cannot be read.
    """
    ids = list(dict.fromkeys(wanted))
    found = await reader.read_many("auth.GetSaasUser", [{"user_id": each} for each in ids], _extract_user)
    for identifier, (user, reason) in zip(ids, found, strict=True):
        if user is None:
            problem = message("jobs_reports.user_unreadable", id=Quoted(identifier), reason=reason)
            raise InvalidArguments(("user_ids",), problem)
    return [user for user, _ in found if user is not None]


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Make the report. By referrer alone it needs one read, otherwise one for each user."""
    args, period = plan.data, Period.from_arguments(plan.data)
    by = args.get("by", "referrer")
    columns = [one_of("jobs_reports.column", name) for name in COLUMNS[by]]
    table = Table(columns, args.get("format", "csv"), work.language)
    first, last = str(period.first), str(period.last)
    bounds = [message("jobs_reports.activity_bounds", first=first, last=last, zone=args.get("zone", "UTC"))]
    if (running := period.running_part(args.get("today"))) is not None:
        bounds.append(running)
    if not _reads_users(args):
        return await _report_page_statistics(work, period, table, bounds)
    views, visitors = Counter[str](), defaultdict[str, set[str]](set)  # by referrer
    unread, users = list[dict[str, Any]](), 0
    async for some in _read_users(work, args):
        calls = [{"user_id": user["id"]} for user in some]
        answers = await work.read_many(HISTORY_OPERATION, calls, _count_visits(period))
        for user, (visits, reason) in zip(some, answers, strict=True):
            if visits is None:
                unread.append({"user_id": user["id"], "outcome": "unread", "why": reason.text(work.language)})
                continue
            for referrer, days in visits.items():
                views[referrer] += sum(days.values())
                visitors[referrer].add(user["id"])
            table.add_rows(_rows(user, visits, by))
        users += len(some)
        await work.report_progress(users)
    if unread and len(unread) == users:
        raise ReadFailed(message("jobs_reports.no_activity", reason=unread[0]["why"]))
    if by == "referrer":
        ranked = sorted(views.items(), key=lambda each: (-each[1], each[0]))
        table.add_rows([referrer, count, len(visitors[referrer])] for referrer, count in ranked)
    active = set[str]().union(*visitors.values())
    counts = {"rows": table.row_count, "views": views.total(), "active": len(active)}
    notes = [*bounds, message("jobs_reports.last_month")]
    if unread:
        notes.append(message("jobs_reports.users_unread"))
    return JobResult(
        {**counts, "users": users, **({"unread": len(unread)} if unread else {})},
        rows=unread,
        product=table.content(),
        notes=tuple(notes),
    )


async def _report_page_statistics(work: JobContext, period: Period, table: Table, bounds: list[Message]) -> JobResult:
    """Report what the API itself has counted."""
    found: dict[str, Any] = await work.read(
        "analysis.GetPageStatistics", {"start_timestamp": period.start, "end_timestamp": period.end}
    )
    pages = found.get("page_statistics", [])
    table.add_rows([page["page_url"], page["total_views"], page["unique_users"]] for page in pages)
    counts = {"rows": table.row_count, "views": found["total_page_views"], "active": found["total_unique_users"]}
    return JobResult(counts, product=table.content(), notes=tuple(bounds))


async def _read_users(work: JobContext, args: Mapping[str, Any]) -> AsyncIterator[list[User]]:
    """Yield the users of the report page by page, each user once."""
    if args["users"]:
        yield args["users"]
        return
    lists = [("auth.SearchTenantUsers", {"tenant_id": each}) for each in dict.fromkeys(args.get("tenant_ids", ()))]
    seen = set[str]()
    for key, query in lists or [("auth.SearchSaasUsers", {})]:
        async for page in work.read_pages(
            key, query, lambda answer: [_extract_user(user) for user in answer.get("users", [])]
        ):
            new = {user["id"]: user for user in page if user["id"] not in seen}
            seen.update(new)
            if new:
                yield list(new.values())


def _extract_user(user: Mapping[str, Any]) -> dict[str, str]:
    return {"id": user["id"], "email": user.get("email") or "", "sign_in_id": user.get("sign_in_id") or ""}


def _count_visits(period: Period) -> Callable[[Mapping[str, Any]], Visits]:
    def count(answer: Mapping[str, Any]) -> Visits:
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for day in answer.get("histories", []):
            for visit in day.get("histories", []):
                if visit["timestamp"] in period:
                    found[visit.get("referer", "")][period.day_of(visit["timestamp"])] += 1
        return {referrer: dict(days) for referrer, days in found.items()}

    return count


def _rows(user: User, visits: Visits, by: str) -> Iterator[Sequence[Any]]:
    identity = [user["id"], user["email"], user["sign_in_id"]]
    if by == "user" and visits:
        days = {day for each in visits.values() for day in each}
        views = sum(sum(each.values()) for each in visits.values())
        yield [*identity, views, len(visits), len(days), min(days), max(days)]
    if by == "user_referrer":
        for referrer, each in sorted(visits.items(), key=lambda item: -sum(item[1].values())):
            yield [*identity, referrer, sum(each.values()), min(each), max(each)]
