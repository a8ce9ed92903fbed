"""The audit log as people search it: one entry for each call, refusal and decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.cli.terminal import format_json
from saasus_mcp.common.language import LANGUAGES, Language, Text
from saasus_mcp.common.messages import one_of
from saasus_mcp.common.text import one_line
from saasus_mcp.permissions.approval.action_records import ActionKind, action_of

RESULTS = ("done", "applied", "failed", "unknown", "unfinished", "asked", "refused", "decided", "altered")
"""What became of a call. `done` changed nothing, `unfinished` has no end in the log, `asked` was not sent because a person
is asked first, `decided` is a person's decision, and `altered` is a record that cannot be read."""
_ASKED = frozenset({"confirmation", "approval"})
"""Reasons of a refusal for which a person is asked."""
_ACTIONS = frozenset({*ActionKind, "key_change", "purge"})


@dataclass(frozen=True)
class AuditEntry:
    """A call with its end, a refusal, or a decision.

    Attributes:
        record: the fields of its records, the later ones first.
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
        outcomes = self.record.get("steps") or {self.record.get("applied"): 1}  # a job has many
        if outcomes.get("unknown"):
            return "unknown"
        if outcomes.get("applied"):
            return "applied"
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


class EntryReader:
    """Joins the records of a call, and names its tool."""

    def __init__(self, catalogue: Catalogue, jobs: Iterable[JobSpec]) -> None:
        self._catalogue = catalogue
        self._jobs = {job.name: job for job in jobs}

    def read(self, records: Iterable[Mapping[str, Any]]) -> Iterator[AuditEntry]:
        """Yield the entries of one store's records, which come oldest first; calls without an end come last.

        An end whose beginning is missing is left out: its call began before the records.
        """
        begun: dict[str, Mapping[str, Any]] = {}
        for record in records:
            event, call = record["event"], record["call"]
            if event == "begun":
                begun[call] = record
            elif event != "ended":
                yield self._entry(record)
            elif call in begun:
                yield self._entry(begun.pop(call), record)
        yield from map(self._entry, begun.values())

    def _entry(self, first: Mapping[str, Any], *later: Mapping[str, Any]) -> AuditEntry:
        fields = {name: value for each in (*later, first) for name, value in each.items()}
        events = tuple(str(each["event"]) for each in (first, *later))
        fields = {name: value for name, value in fields.items() if name not in ("at", "call", "event")}
        name = str(fields.get("operation") or fields.get("tool") or "")
        tool, title = self._name(name)
        return AuditEntry(first["at"], first["call"], events, fields, tool, title)

    def _name(self, name: str) -> tuple[str, Text]:
        if name in self._jobs:
            return name, self._jobs[name].title
        operation = self._catalogue.get(name)
        return (operation.tool, operation.title) if operation is not None else (name, Text("", ""))
