"""The download of the audit log as CSV or JSON: streamed, bounded, and safe in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Literal

from saasus_mcp.common.messages import message
from saasus_mcp.common.timezones import format_instant
from saasus_mcp.hosting.console.audit_search import AuditEntry, iterate_entries, operation_of
from saasus_mcp.hosting.console.audit_view import decision_text, outcome_text, read_filter
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.hosting.console.views import PageRequest, select_context
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.server.results.jmespath_query import csv_cell

ExportFormat = Literal["csv", "json"]
MEDIA_TYPES: Mapping[str, tuple[ExportFormat, str]] = {
    "csv": ("csv", "text/csv"),
    "json": ("json", "application/json"),
}
MAX_ROWS = 50_000
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


def export_audit(service: ConsoleService, page: PageRequest, form: ExportFormat) -> Iterator[bytes]:
    """Yield the matching entries of one context, newest first, in chunks. The last row says if there are more."""
    context = select_context(service.audit_contexts(page.session.approver), page)
    entries = iterate_entries(service, context, read_filter(service, page)) if context else iter(())
    rows = _csv_rows(service, entries, page.reader) if form == "csv" else _json_rows(entries, page.reader)
    while chunk := "".join(islice(rows, ROWS_PER_CHUNK)):
        yield chunk.encode()


def _csv_rows(service: ConsoleService, entries: Iterator[AuditEntry], reader: Reader) -> Iterator[str]:
    # The byte order mark tells a spreadsheet that the file is UTF-8.
    yield "\N{ZERO WIDTH NO-BREAK SPACE}" + _csv_line([*COLUMNS, "details"])
    for entry in islice(entries, MAX_ROWS):
        yield _csv_line(_cells(service, entry, reader))
    if next(entries, None) is not None:
        yield _csv_line([message("console_audit.cut", count=MAX_ROWS).text(reader.language)])


def _cells(service: ConsoleService, entry: AuditEntry, reader: Reader) -> list[str]:
    record, operation = entry.record, operation_of(entry.record)
    outcome = outcome_text(service, entry)
    shown = {
        "time": format_instant(record["at"], reader.zone),
        "tool": service.tool_name(operation),
        "title": service.operation_title(operation, reader.language) if operation else "",
        "decision": decision_text(record, reader),
        "outcome": outcome.text(reader.language) if outcome else "",
        "status": (entry.end or {}).get("status") or "",
    }
    values = {**record, **shown}
    details = json.dumps({**record, "end": entry.end}, ensure_ascii=False, default=str)
    return [csv_cell(values.get(name, "")) for name in COLUMNS] + [csv_cell(details)]


def _json_rows(entries: Iterator[AuditEntry], reader: Reader) -> Iterator[str]:
    """Yield the lines of a JSON array."""
    separator = "["
    for entry in islice(entries, MAX_ROWS):
        yield separator + json.dumps({**entry.record, "end": entry.end}, ensure_ascii=False, default=str)
        separator = ",\n"
    if next(entries, None) is not None:
        yield separator + json.dumps({"cut": message("console_audit.cut", count=MAX_ROWS).text(reader.language)})
        separator = ",\n"
    yield "[]\n" if separator == "[" else "]\n"


def _csv_line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
