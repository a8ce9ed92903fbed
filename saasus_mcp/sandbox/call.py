"""One call as a behaviour receives it: validated values, the state, and the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.sandbox.state import Id, Record, State, invalid

CURSOR = "sandbox-after-"
PRODUCTION = 3
"""The id of the environment `prod`."""
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class SandboxCall:
    """A validated call.

    Attributes:
        scope: the values of the path, in order.
        query: the values of the query string.
        body: the values of the body.
        now: the present, in epoch seconds.
    """

    operation: Operation
    state: State
    scope: tuple[Id, ...]
    path: Mapping[str, Any]
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    now: int


Behaviour = Callable[[SandboxCall], Any]
"""What an operation does to the state, and the value that it answers; raises Refusal before it changed anything."""


def require_text(call: SandboxCall, name: str) -> None:
    """Refuse an empty text in the body."""
    if not call.body[name]:
        raise invalid(f"{name}: it is empty.")


def page_of(call: SandboxCall, records: list[Record], field: str, default: int) -> Record:
    """Return one page of the records, and a cursor if there are more. Raise Refusal if the cursor was not issued here."""
    cursor = call.query.get("cursor", "")
    start = cursor.removeprefix(CURSOR)
    if cursor and (start == cursor or not start.isdecimal()):
        raise invalid("cursor: it is not one that an answer held.")
    first = int(start or 0)
    last = first + call.query.get("limit", default)
    page: Record = {field: records[first:last]}
    return {**page, "cursor": f"{CURSOR}{last}"} if last < len(records) else page


def day_of(epoch: int) -> str:
    """Return the UTC day of a moment as YYYY-MM-DD, which the API writes."""
    return datetime.fromtimestamp(epoch, UTC).date().isoformat()
