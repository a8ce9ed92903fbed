"""The search in the audit log of one context: calls with their end, refusals and decisions, newest first."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saasus_mcp.catalog.tool_names import ToolFilter
from saasus_mcp.common.word_search import WordSearch
from saasus_mcp.hosting.console.service import ConsoleService, ProfileContext
from saasus_mcp.permissions.refusal import Reason
from saasus_mcp.store.audit.entries import AuditEntry, end_outcome, iterate_entries, tool_of
from saasus_mcp.store.audit.reader import RecordPosition

if TYPE_CHECKING:
    from saasus_mcp.store.store import Store

PAGE_SIZE, SCAN_LIMIT = 50, 5_000
"""Entries on a page, and how many are searched for one page."""
PAGE_BYTES = 256 * 1024
"""The size at which a page of entries ends."""
OUTCOMES = ("applied", "not_applied", "unknown", "refused", "open")


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """The wanted entries. Empty texts fit everything.

    Attributes:
        since, until: the time of the begin, in epoch seconds.
        tool: the tools; None fits every one.
        principal: part of the name of a person who called, approved or decided.
        outcome: one of OUTCOMES: `open` for a call without an end.
        own_reads: also the reads that the server itself made for a call, such as those for a question.
    """

    words: WordSearch
    since: float
    until: float = math.inf
    tool: ToolFilter | None = None
    principal: str = ""
    event: str = ""
    outcome: str = ""
    own_reads: bool = False


@dataclass(frozen=True, slots=True)
class ConsoleAuditEntry(AuditEntry):
    """An entry as the console shows it."""

    @property
    def event(self) -> str:
        """Return the event of the record; `requested` for a call that was not made because it needs an approval."""
        return "requested" if self.record.get("refused") == Reason.APPROVAL else str(self.record["event"])

    @property
    def outcome(self) -> str:
        """Return one of OUTCOMES, or an empty string for a decision or a request for one."""
        if self.record["event"] == "begun":
            return end_outcome(self.end) if self.end else "open"
        return "refused" if self.event == "refused" else ""

    @property
    def end_status(self) -> object:
        """Return what the end states: the HTTP status of a call, or a JobStatus; None without one."""
        return (self.end or {}).get("status")

    @property
    def http_status(self) -> int | str:
        """Return the HTTP status of a call, or an empty string: a job has none."""
        return self.end_status if isinstance(self.end_status, int) else ""


def search_page(
    service: ConsoleService, context: ProfileContext, wanted: AuditFilter, before: RecordPosition | None
) -> tuple[list[ConsoleAuditEntry], RecordPosition | None]:
    """Return the newest matching entries, those before a position if one is given, and where older ones begin, if any are left."""
    found: list[ConsoleAuditEntry] = []
    last, size = before, 0
    for count, entry in enumerate(read_entries(context.store(), wanted, before)):
        if len(found) == PAGE_SIZE or count == SCAN_LIMIT or size > PAGE_BYTES:
            return found, last
        last = entry.position
        if matches(service, context, entry, wanted):
            found.append(entry)
            size += len(json.dumps(entry.record, default=str))
    return found, None


def read_entries(
    store: Store, wanted: AuditFilter, before: RecordPosition | None = None
) -> Iterator[ConsoleAuditEntry]:
    """Yield the entries between two times, newest first."""
    for each in iterate_entries(store.audit_log, wanted.since, wanted.until, before):
        yield ConsoleAuditEntry(each.position, each.record, each.end)


def matches(service: ConsoleService, context: ProfileContext, entry: ConsoleAuditEntry, wanted: AuditFilter) -> bool:
    """Return True for an entry that a search wants, whatever its time."""
    record, operation = entry.record, tool_of(entry.record)
    if context.profile not in (None, record.get("profile")) or not _fits_fields(service, entry, wanted):
        return False
    if not wanted.words:
        return True
    names = service.operation_names(operation)
    return wanted.words.matches([json.dumps(record, ensure_ascii=False, default=str), *names])


def _fits_fields(service: ConsoleService, entry: ConsoleAuditEntry, wanted: AuditFilter) -> bool:
    record, key = entry.record, tool_of(entry.record)
    operation = service.find_operation(key)
    if not wanted.own_reads and record.get("parent") and operation is not None and operation.reads:
        return False
    if wanted.event not in ("", entry.event) or wanted.outcome not in ("", entry.outcome):
        return False
    named = ("principal", "principal_name", "principal_email", "by")
    people = "\n".join(str(record.get(name, "")) for name in named)
    return wanted.principal.casefold() in people.casefold() and (wanted.tool is None or wanted.tool.matches(key))
