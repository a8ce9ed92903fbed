"""Usage: counts per tenant, metering unit and moment, and their sums by day and month."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from saasus_mcp.sandbox.behaviours.pricing import meter
from saasus_mcp.sandbox.behaviours.tenants import STRIPE
from saasus_mcp.sandbox.call import Behaviour, SandboxCall, day_of
from saasus_mcp.sandbox.state import Id, Record, invalid, missing

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
GetPeriod = Callable[[SandboxCall], str]


def _unit(call: SandboxCall) -> Record:
    found = meter(call.state, call.path["metering_unit_name"])
    if found is None:
        raise missing("metering unit")
    return found


def _write(call: SandboxCall) -> Record:
    """Set or change the count at a moment. A decrease has no lower bound."""
    unit = _unit(call)
    timestamp = call.path.get("timestamp", call.now)
    key: tuple[Id, ...] = (call.path["tenant_id"], unit["unit_name"], timestamp)
    before = (call.state.find("usage", *key) or {"count": 0})["count"]
    count = call.body["count"]
    after = {"add": before + count, "sub": max(0, before - count), "direct": count}[call.body["method"]]
    record = {"metering_unit_name": unit["unit_name"], "timestamp": timestamp, "count": after}
    call.state.put("usage", key, record)
    return record


def _erase(call: SandboxCall) -> None:
    unit = _unit(call)
    key = (call.path["tenant_id"], unit["unit_name"], call.path["timestamp"])
    call.state.get("usage", *key, noun="usage at this moment")
    call.state.drop("usage", *key)


def _total(call: SandboxCall, unit: Record, period: str) -> int:
    """Return the sum of the counts, or their maximum for a unit that Stripe bills by peak."""
    rows = call.state.rows("usage", call.path["tenant_id"], unit["unit_name"])
    counts = [row["count"] for row in rows if day_of(row["timestamp"]).startswith(period)]
    stripe = call.state.get("documents", STRIPE)["is_registered"]
    return max(counts, default=0) if stripe and unit.get("aggregate_usage") == "max" else sum(counts)


def _counted(call: SandboxCall, unit: Record, field: str, when: str) -> Record:
    return {"metering_unit_name": unit["unit_name"], field: when, "count": _total(call, unit, when)}


def _single(field: str, period: GetPeriod) -> Behaviour:
    """Return a behaviour that answers one unit's total of a period under `field`."""
    return lambda call: _counted(call, _unit(call), field, period(call))


def _each(field: str, period: GetPeriod) -> Behaviour:
    """Return a behaviour that answers the totals of all units."""

    def behaviour(call: SandboxCall) -> Record:
        when = period(call)  # refuses an invalid period, also where no unit exists
        return {"counts": [_counted(call, unit, field, when) for unit in call.state.rows("metering_units")]}

    return behaviour


def _entries(call: SandboxCall) -> Record:
    """Return the counts between two moments, inclusive, oldest first."""
    unit = _unit(call)
    first, last = call.query.get("start_timestamp", 0), call.query.get("end_timestamp", call.now)
    rows = call.state.rows("usage", call.path["tenant_id"], unit["unit_name"])
    counts = [
        {"timestamp": row["timestamp"], "count": row["count"]} for row in rows if first <= row["timestamp"] <= last
    ]
    return {"metering_unit_name": unit["unit_name"], "counts": sorted(counts, key=lambda count: count["timestamp"])}


def day(text: str, name: str) -> str:
    """Return a valid day. Raise Refusal if the text is not a day."""
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise invalid(f"{name}: expected YYYY-MM-DD.")


def month(text: str, name: str) -> str:
    """Return a valid month. Raise Refusal if the text is not a month."""
    if not MONTH.fullmatch(text):
        raise invalid(f"{name}: expected YYYY-MM.")
    return text


def _day(call: SandboxCall) -> str:
    return day(call.path["date"], "date")


def _month(call: SandboxCall) -> str:
    return month(call.path["month"], "month")


SPECIAL: dict[str, Behaviour] = {
    "pricing.UpdateMeteringUnitTimestampCount": _write,
    "pricing.UpdateMeteringUnitTimestampCountNow": _write,
    "pricing.DeleteMeteringUnitTimestampCount": _erase,
    "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDate": _single("date", _day),
    "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameToday": _single("date", lambda call: day_of(call.now)),
    "pricing.GetMeteringUnitMonthCountByTenantIdAndUnitNameAndMonth": _single("month", _month),
    "pricing.GetMeteringUnitMonthCountByTenantIdAndUnitNameThisMonth": _single(
        "month", lambda call: day_of(call.now)[:7]
    ),
    "pricing.GetMeteringUnitDateCountsByTenantIdAndDate": _each("date", _day),
    "pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth": _each("month", _month),
    "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod": _entries,
}
