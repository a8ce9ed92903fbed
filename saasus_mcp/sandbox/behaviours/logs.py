"""Reading the log of API calls."""

from __future__ import annotations

from datetime import UTC, datetime

from saasus_mcp.sandbox.call import Behaviour, SandboxCall, day_of, page_of
from saasus_mcp.sandbox.engine import CollectionResource
from saasus_mcp.sandbox.refusals import invalid
from saasus_mcp.sandbox.state import Record

PAGE = 200


def _logs(call: SandboxCall) -> Record:
    """Return the calls of a day, a moment or a range, newest first; of today by default."""
    query = call.query
    ranged = "start_at" in query or "end_at" in query
    if "created_at" in query and ranged:
        raise invalid("created_at: it cannot be combined with start_at or end_at.")
    rows = call.state.rows("api_logs")
    if ranged:
        found = [row for row in rows if query.get("start_at", 0) <= row["created_at"] <= query.get("end_at", call.now)]
    elif "created_at" in query:
        moment = datetime.fromisoformat(query["created_at"])
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        found = [row for row in rows if row["created_at"] == int(aware.timestamp())]
    else:
        found = [row for row in rows if row["created_date"] == query.get("created_date", day_of(call.now))]
    newest_first = sorted(found, key=lambda row: row["created_at"], reverse=True)
    return page_of(call, newest_first, "api_logs", PAGE)


ROWS = (CollectionResource("/v1/apilog/logs", "api_logs", "log entry", key="api_log_id"),)

SPECIAL: dict[str, Behaviour] = {"apilog.GetLogs": _logs}
