"""Statistics: stored figures, and figures counted from the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta

from saasus_mcp.sandbox.behaviours.metering import day, month
from saasus_mcp.sandbox.call import DAY, Behaviour, SandboxCall, day_of
from saasus_mcp.sandbox.state import Record, invalid

LONGEST = 400
"""Days of one answer."""
MONTH = 31
CREATED = {"create_tenant": "tenants", "create_saas_user": "users", "create_tenant_user": "members"}


def _period(kind: str) -> Callable[[str, str], str]:
    return month if kind == "monthly" else day


def _active(call: SandboxCall) -> Record:
    read = _period(call.query["type"])
    first = read(call.query["date_from"], "date_from")
    last = read(call.query.get("date_to", "9999-12-31"[: len(first)]), "date_to")
    if "env_id" in call.query and "tenant_id" not in call.query:
        raise invalid("env_id: it works only together with tenant_id.")
    wanted = {name: call.query[name] for name in ("tenant_id", "env_id") if name in call.query}
    rows = call.state.rows("active_users", call.query["type"])
    found = [row for row in rows if first <= row["date"] <= last and all(row[name] == wanted[name] for name in wanted)]
    return {"data": sorted(found, key=lambda row: (row["date"], row["tenant_id"], row["env_id"]))}


def _set_active(call: SandboxCall) -> None:
    body = call.body
    _period(body["type"])(body["date"], "date")
    call.state.put("active_users", (body["type"], body["date"], body["tenant_id"], body["env_id"]), body)


def _days(call: SandboxCall) -> Iterator[str]:
    first = date.fromisoformat(day(call.query["start_date"], "start_date"))
    last = date.fromisoformat(day(call.query["end_date"], "end_date"))
    if last < first:
        raise invalid("end_date: it lies before start_date.")
    if (last - first).days >= LONGEST:
        raise invalid(f"end_date: at most {LONGEST} days.")
    return ((first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1))


def _created(call: SandboxCall) -> Record:
    """Return the number of new records per day, and per tenant where records belong to one."""
    days = list(_days(call))
    kind = call.query["metrics_type"]
    made: dict[str, Counter[str]] = {when: Counter() for when in days}
    for record in call.state.rows(CREATED[kind]):
        tenant = record.get("tenant_id", record["id"] if kind == "create_tenant" else "")
        if _wanted(call, tenant) and (when := day_of(record["created_at"])) in made:
            made[when][tenant] += 1
    metrics: list[Record] = [{"date": when, "count": made[when].total()} for when in days]
    if kind == "create_tenant_user":
        metrics = [{**metric, "details": made[metric["date"]]} for metric in metrics]
    return {"metrics": metrics}


def _wanted(call: SandboxCall, tenant: str) -> bool:
    """Return whether the request includes this tenant. Records without a tenant are always included."""
    return not tenant or tenant in call.query.get("tenant_ids", (tenant,))


def _userinfo(call: SandboxCall) -> Record:
    metrics = []
    for when in _days(call):
        rows = [row for row in call.state.rows("userinfo_calls", when) if _wanted(call, row["tenant_id"])]
        metrics.append({"date": when, "details": {row["tenant_id"]: row["count"] for row in rows}})
    return {"metrics": metrics}


def _histories(call: SandboxCall) -> Record:
    """Return the last month of one user, day by day."""
    rows = [row for row in call.state.rows("behaviors", *call.scope) if row["behaved_at"] > call.now - MONTH * DAY]
    return {"histories": sorted(rows, key=lambda row: row["behaved_at"])}


def _set_history(call: SandboxCall) -> None:
    """Replace one UTC day of one user."""
    begun = call.body["timestamp"] // DAY * DAY
    user_id = call.body["user_id"]
    record = {"user_id": user_id, "behaved_at": begun, "histories": call.body["histories"]}
    call.state.put("behaviors", (user_id, begun), record)


def _pages(call: SandboxCall) -> Record:
    first, last = call.query["start_timestamp"], call.query["end_timestamp"]
    views: Counter[str] = Counter()
    visitors: dict[str, set[str]] = {}
    for row in call.state.rows("behaviors"):
        for visit in row["histories"]:
            if first <= visit["timestamp"] <= last:
                views[visit["referer"]] += 1
                visitors.setdefault(visit["referer"], set()).add(row["user_id"])
    pages = [
        {"page_url": page, "total_views": count, "unique_users": len(visitors[page])}
        for page, count in views.most_common()
    ]
    return {
        "start_date": first,
        "end_date": last,
        "total_page_views": views.total(),
        "total_unique_users": len(set().union(*visitors.values())),
        "page_statistics": pages,
    }


SPECIAL: dict[str, Behaviour] = {
    "analysis.GetActiveUsers": _active,
    "analysis.UpdateActiveUsers": _set_active,
    "analysis.GetAggregatedMetrics": _created,
    "analysis.GetAggregatedUserInfo": _userinfo,
    "analysis.GetUserBehaviorHistories": _histories,
    "analysis.UpdateUserBehaviorHistoriesByDay": _set_history,
    "analysis.GetPageStatistics": _pages,
}
