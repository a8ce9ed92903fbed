"""The API's log of calls, and the operations that read it."""

from __future__ import annotations

from datetime import UTC, datetime

from saasus_mcp.sandbox.call import DAY, Behaviour, SandboxCall, day_of, page_of
from saasus_mcp.sandbox.engine import CollectionResource
from saasus_mcp.sandbox.http_answers import HttpAnswer
from saasus_mcp.sandbox.incoming_request import IncomingRequest
from saasus_mcp.sandbox.state import Record, State, invalid

TABLE = "api_logs"
RETENTION = 7 * DAY
LONGEST = 4000
"""Characters of a body that are kept."""
MOST = 2000
PAGE = 200


def empty_entry(log_id: str, created_at: int, **fields: object) -> Record:
    """Return one record of the log, with empty fields."""
    blank = dict.fromkeys(("trace_id", "request_uri", "remote_address", "referer", "request_body", "response_body"), "")
    return {
        **blank,
        "api_log_id": log_id,
        "created_at": created_at,
        "created_date": day_of(created_at),
        "ttl": created_at + RETENTION,
        "saas_id": "sandbox",
        "api_key": "sandbox-api-key",
        **fields,
    }


def record_call(state: State, now: int, request: IncomingRequest, answer: HttpAnswer, trace_id: str) -> None:
    """Add one call. Calls that read the log are not logged, since their entries would contain the log itself."""
    if request.path.startswith("/v1/apilog/"):
        return
    log_id = state.new_id(TABLE)
    fields = {
        "trace_id": trace_id,
        "request_method": request.method,
        "response_status": str(answer.status),
        "request_uri": request.target,
        "remote_address": request.peer,
        "referer": request.headers.get("referer", ""),
        "request_body": _text(request.body),
        "response_body": _text(answer.body),
    }
    state.put(TABLE, (log_id,), empty_entry(log_id, now, **fields))
    for oldest in state.rows(TABLE)[:-MOST]:
        state.drop(TABLE, oldest["api_log_id"])


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")[:LONGEST]


def _logs(call: SandboxCall) -> Record:
    """Return the calls of a day, a moment or a range, newest first; of today by default."""
    query = call.query
    ranged = "start_at" in query or "end_at" in query
    if "created_at" in query and ranged:
        raise invalid("created_at: it cannot be combined with start_at or end_at.")
    rows = call.state.rows(TABLE)
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


ROWS = (CollectionResource("/v1/apilog/logs", TABLE, "log entry", key="api_log_id"),)

SPECIAL: dict[str, Behaviour] = {"apilog.GetLogs": _logs}
