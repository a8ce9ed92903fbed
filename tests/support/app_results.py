"""Results of tools as apps get them, from made-up data."""

from __future__ import annotations

import time
from typing import Any

APP = "saasus.io/app"
MARKUP = "<img src=x onerror=\"parent.postMessage('run','*')\"><script>document.title='run'</script>"
REORDERING = "invoice\u202egnp.exe\u2066\u200b"
HOSTILE = (
    MARKUP,
    REORDERING,
    "</script><script>1</script>",
    "javascript:alert(1)",
    "=HYPERLINK(1)",
    "\ud83d",
    "A" * 100_000,
)


def result_of(
    structured: dict[str, Any] | None, *, failed: bool = False, applied: str = "not_applied", **app: Any
) -> dict[str, Any]:
    """Return the result of a tool, with the data for its app."""
    content = [{"type": "text", "text": "text for the model"}]
    data = {} if structured is None else {"structuredContent": structured}
    return {"content": content, "isError": failed, **data, "_meta": {"saasus.io/applied": applied, APP: app}}


def people(count: int) -> dict[str, Any]:
    """Return a list of people, whose numbers and names are in another order than the rows."""
    rows = [
        {
            "id": f"{n:08x}-0000-4000-8000-000000000000",
            "email": f"user{(n * 7) % count}@example.com",
            "logins": (n * 13) % count,
            "created_at": 1_700_000_000 + 86_400 * n,
            "active": n % 3 == 0,
            "attributes": {"department": "営業部" if n % 2 else "Sales", "address": {"city": "東京"}},
        }
        for n in range(count)
    ]
    return {"users": rows}


def hostile_value() -> Any:
    """Return a value that is deeper than any that an app goes through."""
    deep: Any = "bottom"
    for _ in range(100):
        deep = {MARKUP: [deep]}
    return deep


def running_job(done: int = 40, **more: Any) -> dict[str, Any]:
    """Return the result of a job that is not over."""
    job = {"job": "ab" * 16, "name": "job_import_users", "status": "running", "done": done, "total": 120, **more}
    return result_of(job, title={"en": "Import users", "ja": "ユーザーの一括登録"})


def failed_job(**more: Any) -> dict[str, Any]:
    """Return the result about a job that failed after some of its rows."""
    job = {
        **running_job()["structuredContent"],
        "status": "failed",
        "steps": {"applied": 38},
        "why": "The API is gone.",
    }
    return result_of(None, failed=True, title={"en": "Import users", "ja": "ユーザーの一括登録"}, job={**job, **more})


def usage_chart(name: str = "株式会社青空") -> dict[str, Any]:
    """Return a chart with lines and one with bars, in both languages."""
    times = [f"2026-{month:02}" for month in range(1, 13)]
    lines = [{"name": name, "values": [100 * n for n in range(12)]}, {"name": "Harbor", "values": [50] * 12}]
    bars = [{"name": name, "value": 900, "limit": 1000}, {"name": "Harbor", "value": 1200, "limit": 1000}]
    return {
        "title": {"en": "Usage by tenant", "ja": "テナント別の利用量"},
        "panels": [
            {"title": {"en": "Calls", "ja": "コール数"}, "times": times, "lines": lines},
            {"title": "Storage", "bars": [*bars, {"name": "Small", "value": 0, "limit": None}]},
        ],
        "time_label": {"en": "Period", "ja": "期間"},
        "footer": "",
    }


def report(**more: Any) -> dict[str, Any]:
    """Return the result of a report with a chart, a table and notes."""
    table = "tenant_name,period,usage\r\n" + "".join(f'"Tenant, {n}",2026-{n + 1:02},{n * 100}\r\n' for n in range(12))
    job = {"job": "cd" * 16, "name": "job_metering_report", "status": "done", "done": 12, "total": 12}
    counts = {"counts": {"tenants": 2, "rows": 12, "over": 1, "named_by_a_later_version": 3}}
    outcomes = {"rows": [{"row": 1, "target": "a@example.com", "outcome": "failed", "why": "taken"}]}
    given = {**job, **counts, "csv": table, **outcomes, "notes": ["The period is not over."], **more}
    return result_of(given, title={"en": "Report usage", "ja": "利用量レポート"}, chart=usage_chart())


def awaited_approval(seconds: float = 600, **more: Any) -> dict[str, Any]:
    """Return the refusal of a call that waits for an approval."""
    now = time.time()
    question = {
        "en": "Delete the tenant “Aozora”\nUsers: 20\n⚠ This cannot be undone.",
        "ja": "テナント「青空」を削除します\nユーザー: 20人",
    }
    approval = {
        "code": "ABCD-2345", "status": "pending", "requested_at": now - 300, "expires_at": now + seconds, "two_person": False,
        "question": question, "url": "https://saasus.example.com/console/approvals/ABCD-2345", "command": "saasus-mcp approve ABCD-2345",
    }  # fmt: skip
    failure = {"en": ["A person must approve this first."], "ja": ["承認が必要です。"]}
    return result_of(None, failed=True, approval={**approval, **more}, failure=failure)
