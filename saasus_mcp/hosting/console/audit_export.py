"""The download of the audit log as CSV or JSON: streamed, bounded, and safe in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Literal

from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.timezones import format_instant
from saasus_mcp.hosting.console import audit_search
from saasus_mcp.hosting.console.audit_search import ConsoleAuditEntry
from saasus_mcp.hosting.console.audit_view import decision_text, outcome_text, read_filter
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.hosting.console.views import PageRequest, select_context
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.server.results.jmespath_query import csv_cell
from saasus_mcp.store.audit import entries
from saasus_mcp.store.audit.entries import tool_of

ExportFormat = Literal["csv", "json"]
MEDIA_TYPES: Mapping[str, tuple[ExportFormat, str]] = {
    "csv": ("csv", "text/csv"),
    "json": ("json", "application/json"),
}
MAX_EXPORTED_ROWS, MAX_SEARCHED = 50_000, 500_000
"""Entries in a file, and entries that are searched for them."""
ROWS_PER_CHUNK = 200
COLUMNS = (
    "time",
    "event",
    "tool",
    "title",
    "principal",
    "profile",
    "decision",
    "rule",
    "by",
    "outcome",
    "status",
    "call",
)


def export_audit(page: PageRequest, form: ExportFormat, is_signed_in: Callable[[], bool]) -> Iterator[bytes]:
    """Yield the matching entries of one context, newest first, in chunks. The last row says if there may be more.

    Args:
        is_signed_in: asked once for each batch of searched entries, since a long download may outlast the session.
    """
    items = _export_items(page, is_signed_in)
    rows = _csv_rows(page.service, items, page.reader) if form == "csv" else _json_rows(items, page.reader)
    while chunk := "".join(islice(rows, ROWS_PER_CHUNK)):
        yield chunk.encode()


def _export_items(page: PageRequest, is_signed_in: Callable[[], bool]) -> Iterator[ConsoleAuditEntry | Message]:
    """Yield the matching entries, and last why there may be more, if so."""
    context = select_context(page.service.audit_contexts(page.approver), page)
    if context is None:
        return
    wanted, count = read_filter(page), 0
    for searched, entry in enumerate(audit_search.read_entries(context.store(), wanted)):
        if searched % entries.BATCH_SIZE == 0:
            if searched >= MAX_SEARCHED:
                day = format_instant(entry.position.at, page.reader.zone)
                yield message("console_audit.search_cut", count=MAX_SEARCHED, at=day)
                return
            if not is_signed_in():
                yield message("console_audit.session_cut")
                return
        if not audit_search.matches(page.service, context, entry, wanted):
            continue
        if count == MAX_EXPORTED_ROWS:
            yield message("console_audit.cut", count=MAX_EXPORTED_ROWS)
            return
        count += 1
        yield entry


def _csv_rows(service: ConsoleService, items: Iterator[ConsoleAuditEntry | Message], reader: Reader) -> Iterator[str]:
    # The byte order mark tells a spreadsheet that the file is UTF-8.
    yield "\N{ZERO WIDTH NO-BREAK SPACE}" + _csv_line([*COLUMNS, "details"])
    for item in items:
        cells = [item.text(reader.language)] if isinstance(item, Message) else _cells(service, item, reader)
        yield _csv_line(cells)


def _cells(service: ConsoleService, entry: ConsoleAuditEntry, reader: Reader) -> list[str]:
    record, operation = entry.record, tool_of(entry.record)
    outcome = outcome_text(service, entry)
    shown = {
        "time": format_instant(record["at"], reader.zone),
        "tool": service.tool_name(operation),
        "title": service.operation_title(operation, reader.language) if operation else "",
        "decision": decision_text(record, reader),
        "outcome": outcome.text(reader.language) if outcome else "",
        "status": entry.http_status,
    }
    values = {**record, **shown}
    details = json.dumps({**record, "end": entry.end}, ensure_ascii=False, default=str)
    return [csv_cell(values.get(name, "")) for name in COLUMNS] + [csv_cell(details)]


def _json_rows(items: Iterator[ConsoleAuditEntry | Message], reader: Reader) -> Iterator[str]:
    """Yield the lines of a JSON array."""
    separator = "["
    for item in items:
        row = {"cut": item.text(reader.language)} if isinstance(item, Message) else {**item.record, "end": item.end}
        yield separator + json.dumps(row, ensure_ascii=False, default=str)
        separator = ",\n"
    yield "[]\n" if separator == "[" else "]\n"


def _csv_line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
