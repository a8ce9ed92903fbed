"""`saasus-mcp audit search`: find calls and decisions, one a line, by tool and by words of either language.

An entry is a call with its end, a refusal, or a decision.
"""

from __future__ import annotations

import heapq
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property, partial
from itertools import groupby, islice
from typing import Any

import click

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.catalog.jobs import find_job
from saasus_mcp.catalog.tool_names import ToolFilter
from saasus_mcp.cli import state
from saasus_mcp.cli.command_line import argument, command, option
from saasus_mcp.cli.completion import complete_tools
from saasus_mcp.cli.options import json_array_option, parse_since, settings_options
from saasus_mcp.cli.output import has_screen, iso_time, print_json, print_list
from saasus_mcp.cli.question_view import terminal_reader
from saasus_mcp.cli.terminal import format_json, prints_json, say
from saasus_mcp.cli.text_layout import cut_text
from saasus_mcp.common import timezones
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import LANGUAGES, Language, Text
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.text import display_width, one_line, quote_name, visible_text
from saasus_mcp.common.word_search import WordSearch
from saasus_mcp.permissions.approval.action_records import ActionKind, action_of
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.audit.entries import AuditEntry, end_outcome, iterate_entries, tool_of
from saasus_mcp.store.audit.excerpts import EVENTS
from saasus_mcp.store.records import DAY
from saasus_mcp.store.store import Store

RESULTS = ("done", "applied", "failed", "unknown", "unfinished", "asked", "refused", "decided", "altered")
"""What became of a call. `done` changed nothing, `unfinished` has no end in the log, `asked` was not sent because a person
is asked first, `decided` is a person's decision, and `altered` is a record that cannot be read."""
_ASKED = frozenset({"confirmation", "approval"})
"""Reasons of a refusal for which a person is asked."""
_ACTIONS = frozenset({*ActionKind, "key_change", "purge"})
COLOURS = {
    "applied": "green",
    "failed": "red",
    "unknown": "red",
    "altered": "red",
    "unfinished": "yellow",
    "asked": "yellow",
    "refused": "yellow",
    "decided": "cyan",
}
DEFAULT_DAYS = 7.0
MAX_DETAILS = 200
"""Characters of the arguments, or of what was decided, that a line shows."""
_SHORT_CALL = 8
_DECISION_FIELDS = ("via", "subject", "code", "from_call", "handle", "records", "key", "reason")


@dataclass(frozen=True)
class FoundEntry:
    """A call with its end, a refusal, or a decision.

    Attributes:
        record: the fields of its records, the later ones first. The later record has the value of a field of both.
        events: the kinds of its records.
        tool: name of the tool; empty if the records name none.
        title: of the tool; empty if it is unknown.
    """

    at: float
    call: str
    events: tuple[str, ...]
    record: Mapping[str, Any]
    tool: str
    title: Text

    @cached_property
    def result(self) -> str:
        """One of RESULTS."""
        if "unreadable" in self.record:
            return "altered"
        if self.record.get("refused") in _ASKED:
            return "asked"
        kind = self.events[-1]
        if kind != "ended":
            return "unfinished" if kind == "begun" else kind
        outcome = end_outcome(self.record)
        if outcome != "not_applied":
            return outcome
        return "done" if self.record.get("ok") or self.record.get("status") == "done" else "failed"

    @property
    def action(self) -> str:
        """The kind of a decision."""
        return action_of(self.record)

    def action_text(self, language: Language) -> str:
        """Return what a person decided, by its name if another version recorded it."""
        known = self.action in _ACTIONS
        return one_of("cli_audit.action", self.action).text(language) if known else one_line(self.action)

    def texts(self) -> Iterator[str]:
        """Yield everything by which the entry can be found, in both languages."""
        yield from (self.call, self.tool, format_json(dict(self.record), indent=None))
        for language in LANGUAGES:
            yield from (self.title.text(language), one_of("cli_audit.result", self.result).text(language))
            yield self.action_text(language)

    def as_json(self) -> dict[str, Any]:
        names = ("operation", "principal", "profile", "saas_id", "decision", "rule", "refused", "applied", "status")
        return {
            "call": self.call,
            "result": self.result,
            "tool": self.tool,
            **{name: self.record.get(name) for name in names},
            "action": self.action or None,
            "arguments": self.record.get("arguments"),
            "record": dict(self.record),
        }


def read_entry(entry: AuditEntry, catalogue: Catalogue) -> FoundEntry:
    """Join the records of an entry, and name its tool."""
    ended = entry.end or {}
    fields = {**ended, **entry.record, **ended}  # what the end says stands first, and replaces what the beginning says
    events = (str(entry.record["event"]), *(("ended",) if entry.end is not None else ()))
    fields = {name: value for name, value in fields.items() if name not in ("at", "call", "event")}
    name = tool_of(fields)
    operation, job = catalogue.get(name), find_job(name)
    tool = operation.tool if operation is not None else name
    known = operation or job
    title = known.title if known is not None else Text("", "")
    return FoundEntry(entry.position.at, entry.record["call"], events, fields, tool, title)


@dataclass(frozen=True, slots=True)
class _Filter:
    """The entries to list. What is empty admits every entry.

    Attributes:
        children: also the reads that a call made to check itself.
    """

    tool: ToolFilter
    principal: str = ""
    result: str = ""
    event: str = ""
    children: bool = False
    words: WordSearch = field(default_factory=WordSearch)

    def matches(self, entry: FoundEntry) -> bool:
        wanted = (
            (self.principal, (entry.record.get("principal"),)),
            (self.result, (entry.result,)),
            (self.event, entry.events),
        )
        if "parent" in entry.record and not self.children:
            return False
        if not all(not value or value in found for value, found in wanted):
            return False
        return self.tool.matches(tool_of(entry.record)) and self.words.matches(entry.texts())


@command(help="cli_help.command.audit_search")
@argument("words", nargs=-1)
@option(
    "--tool",
    "--operation",
    "tool",
    default="",
    metavar="NAME",
    shell_complete=complete_tools,
    help="cli_help.option.audit_tool",
)
@option("--principal", default="", metavar="ID", help="cli_help.option.audit_principal")
@option("--result", metavar="RESULT", type=click.Choice(RESULTS), help="cli_help.option.audit_result")
@option("--event", type=click.Choice(sorted(EVENTS)), help="cli_help.option.audit_event")
@option("--all", "children", is_flag=True, help="cli_help.option.audit_all")
@option("--since", default="", metavar="TIME", help="cli_help.option.audit_since")
@option("--days", type=click.FloatRange(0), help="cli_help.option.audit_days_back")
@option("--limit", default=100, show_default=True, type=click.IntRange(1), help="cli_help.option.audit_limit")
@json_array_option
@settings_options("lang", "time_zone")
def search(
    settings: Settings,
    *,
    words: tuple[str, ...],
    tool: str,
    principal: str,
    result: str | None,
    event: str | None,
    children: bool,
    since: str,
    days: float | None,
    limit: int,
) -> None:
    """Print the newest matching entries, newest first."""
    reader = terminal_reader(settings)
    now = time.time()
    start = parse_since(since, reader.zone) if since else now - (DEFAULT_DAYS if days is None else days) * DAY
    searched = WordSearch(" ".join(words))
    named = ToolFilter(tool, load_catalogue())
    wanted = _Filter(named, principal, result or "", event or "", children, searched)
    with state.open_audit_stores(settings) as stores:
        found = _newest(stores, wanted, start, limit)
    if not found:
        _require_tool(named)
    if prints_json():
        print_json([{"at": iso_time(entry.at), **entry.as_json()} for entry in found])
    elif found:
        print_list(_lines(found, now, reader))
    else:
        say(message("cli_audit.no_records"))
    if len(found) == limit and not prints_json():
        say(message("cli_audit.limit_reached", limit=limit), err=True)
    stores.require_all()


def _require_tool(wanted: ToolFilter) -> None:
    """Raise SaasusMcpError if no tool is meant. The hint names the nearest ones."""
    if wanted.names_some():
        return
    nearest = wanted.nearest()
    hint = message("cli.nearest_names", names=nearest) if nearest else message("cli.unknown_tool_hint")
    raise SaasusMcpError(message("cli_audit.unknown_tool", text=one_line(wanted.text, MAX_DETAILS)), hint)


def _newest(stores: Iterable[Store], wanted: _Filter, start: float, limit: int) -> list[FoundEntry]:
    """Return the newest entries of all stores, newest first."""
    catalogue = load_catalogue()
    streams = [map(partial(read_entry, catalogue=catalogue), iterate_entries(each.audit_log, start)) for each in stores]
    merged = heapq.merge(*streams, key=lambda entry: -entry.at)
    return list(islice(filter(wanted.matches, merged), limit))


def _lines(entries: Iterable[FoundEntry], now: float, reader: Reader) -> Iterator[str]:
    """Yield a line for each entry: on a screen in one row under the day, elsewhere whole, with the date."""
    if not has_screen():
        for entry in entries:
            yield _line(entry, timezones.format_instant(entry.at, reader.zone), reader)
        return
    columns, blank = shutil.get_terminal_size().columns, ""
    for day, members in groupby(entries, key=lambda entry: _local(entry.at, reader).date()):
        yield blank + click.style(_day(day, now, reader), bold=True)
        blank = "\n"
        for entry in members:
            yield _line(entry, f"{_local(entry.at, reader):%H:%M:%S}", reader, columns)


def _day(day: date, now: float, reader: Reader) -> str:
    days = (_local(now, reader).date() - day).days
    near = {0: "today", 1: "yesterday"}.get(days)
    ago = one_of("cli_audit.day", near) if near else one_of("cli.ago", "day", number=days)
    return f"{day:%Y-%m-%d} {_local(now, reader):%Z} ({ago.text(reader.language)})"


def _local(at: float, reader: Reader) -> datetime:
    return datetime.fromtimestamp(at, reader.zone)


def _line(entry: FoundEntry, at: str, reader: Reader, columns: int = 0) -> str:
    """Return when, which call, what became of it, the tool, the principal and the arguments.

    Args:
        columns: of the screen, to which the line is cut; 0 for the whole line, with the name of the tool.
    """
    language = reader.language
    results = {each: one_of("cli_audit.result", each).text(language) for each in RESULTS}
    blank = " " * (max(map(display_width, results.values())) - display_width(results[entry.result]))
    begin = f"{at}  {entry.call[:_SHORT_CALL]}  "
    parts = (_subject(entry, language, with_tool=not columns), _person_text(entry, language), _details(entry, language))
    rest = f"{blank}  {'  '.join(filter(None, parts))}"
    if columns:
        rest = cut_text(rest, columns - display_width(begin + results[entry.result]))
    return begin + click.style(results[entry.result], fg=COLOURS.get(entry.result)) + rest


def _subject(entry: FoundEntry, language: Language, *, with_tool: bool) -> str:
    """Return the title of the tool, or its name if it has none; of a decision, also what was decided."""
    title, name = visible_text(entry.title.text(language)), quote_name(entry.tool, language) if entry.tool else ""
    tool = f"{title} ({name})" if title and with_tool else title or name
    return ": ".join(filter(None, (entry.action_text(language), tool)))


def _person_text(entry: FoundEntry, language: Language) -> str:
    """Return the principal, after the name of the person if the record states one."""
    principal = quote_name(str(entry.record.get("principal") or "-"), language)
    name = entry.record.get("principal_name") or entry.record.get("principal_email")
    return f"{quote_name(str(name), language)} ({principal})" if name else principal


def _details(entry: FoundEntry, language: Language) -> str:
    """Return what a line says of the call besides its tool: why it was refused, and its arguments."""
    record, arguments = entry.record, entry.record.get("arguments")
    shown = {name: record.get(name) for name in ("refused", *(_DECISION_FIELDS if entry.action else ()))}
    facts = [f"{name}={_value_text(value, language)}" for name, value in shown.items() if value not in (None, "")]
    if isinstance(arguments, dict):
        facts += [f"{visible_text(name)}={_value_text(value, language)}" for name, value in arguments.items()]
    return one_line(" ".join(facts), MAX_DETAILS)


def _value_text(value: Any, language: Language) -> str:
    return quote_name(value, language) if isinstance(value, str) else format_json(value, indent=None)
