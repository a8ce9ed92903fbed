"""The API's log of calls, which the apilog operations read."""

from __future__ import annotations

from saasus_mcp.sandbox.call import DAY, day_of
from saasus_mcp.sandbox.http_answers import HttpAnswer
from saasus_mcp.sandbox.incoming_request import IncomingRequest
from saasus_mcp.sandbox.state import Record, State

TABLE = "api_logs"
RETENTION = 7 * DAY
LONGEST = 4000
"""Characters of a body that are kept."""
MOST = 2000


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
