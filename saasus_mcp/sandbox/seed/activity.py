"""Past activity: usage, visits, active users and calls, equal in every sandbox of the same time."""

from __future__ import annotations

from saasus_mcp.sandbox.behaviours import logs
from saasus_mcp.sandbox.call import DAY, HOUR, day_of
from saasus_mcp.sandbox.state import State, uid

DAYS = 90
VISITED = 30
USAGE = {"aozora": (1_200, 80, 320), "harbor": (700, 45, 150), "midori": (90, 12, 40)}
"""Per day about so many API calls, orders and GB."""
METERS = ("api_calls", "orders", "storage_gb")
PAGES = ("/dashboard", "/orders", "/orders/new", "/invoices", "/settings")
CALLS = (
    ("GET", "/v1/auth/tenants", "", "200"),
    ("POST", "/v1/auth/users", '{"email":"new.buyer@example.jp"}', "201"),
    ("GET", "/v1/pricing/plans", "", "200"),
    ("PATCH", "/v1/auth/roles/viewer", '{"display_name":"閲覧者"}', "200"),
    ("DELETE", "/v1/auth/envs/3", "", "400"),
)


def plant(state: State, now: int) -> None:
    """Add figures up to the present."""
    _plant_usage(state, now)
    _plant_visits(state, now)
    _plant_active_users(state, now)
    for number in range(30):
        method, uri, body, status = CALLS[number % len(CALLS)]
        fields = {"request_method": method, "request_uri": uri, "request_body": body, "response_status": status}
        who = {"trace_id": uid("seeded trace", number), "remote_address": f"192.0.2.{10 + number}"}
        entry = logs.empty_entry(uid("seeded log", number), now - (30 - number) * 7_001, **fields, **who)
        state.put(logs.TABLE, (entry["api_log_id"],), entry)


def _plant_usage(state: State, now: int) -> None:
    first = now // DAY * DAY - (DAYS - 1) * DAY
    for tenant, typical in USAGE.items():
        tenant_id = uid("tenant", tenant)
        for meter, usual in zip(METERS, typical, strict=True):
            for number in range(DAYS):
                timestamp = min(first + number * DAY + 9 * HOUR, now)
                count = usual + usual * _wave(number, len(meter)) // 100
                record = {"metering_unit_name": meter, "timestamp": timestamp, "count": count}
                state.put("usage", (tenant_id, meter, timestamp), record)


def _plant_visits(state: State, now: int) -> None:
    """Add visited pages, about every other day, the last one before the present."""
    today = now // DAY * DAY
    for number, user in enumerate(state.rows("users")):
        for back in range(number % 3, VISITED, 2 + number % 4):
            begun = today - back * DAY
            times = (begun + (9 + step) * HOUR + number * 60 for step in range(1 + number % 3))
            visits = [
                {
                    "timestamp": time,
                    "referer": "https://orders.example.com" + PAGES[(number + back + step) % len(PAGES)],
                }
                for step, time in enumerate(times)
                if time <= now
            ]
            if visits:
                state.put(
                    "behaviors", (user["id"], begun), {"user_id": user["id"], "behaved_at": begun, "histories": visits}
                )


def _plant_active_users(state: State, now: int) -> None:
    """Add daily and monthly figures in production, and the number of identity requests."""
    for tenant in state.rows("tenants"):
        tenant_id = tenant["id"]
        members = len(state.rows("members", tenant_id))
        for back in range(DAYS):
            date = day_of(now - back * DAY)
            active = members - members * _wave(back, 5) % members // 2
            for kind, period in (("daily", date), ("monthly", date[:7])):
                figure = {"date": period, "tenant_id": tenant_id, "env_id": 3, "active_users": active}
                state.put("active_users", (kind, period, tenant_id, 3), figure)
            asked = {"date": date, "tenant_id": tenant_id, "count": active * 4}
            state.put("userinfo_calls", (date, tenant_id), asked)


def _wave(number: int, salt: int) -> int:
    """Return a pseudo-random percentage between -20 and 20."""
    return (number * 37 + salt * 53) % 41 - 20
