"""What `undo` lists: calls that left something behind, those of one job together, and what can be undone of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from saasus_mcp.catalog import Catalogue, UnknownTool, jobs
from saasus_mcp.cli.terminal import format_json, safe
from saasus_mcp.cli.undo_wording import WORDS
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_value
from saasus_mcp.server.pipeline.undo import UndoPreview, preview_undo
from saasus_mcp.store import UndoEntry

SHORT_ID = 8
"""Characters of an id that are shown; more are taken, and fewer where they are enough."""
MAX_ARGUMENTS = 120
"""Characters of the arguments that are shown where nothing names what a call was about."""
SPAN = re.compile(r"(\d{1,4})([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class UndoFilter:
    """Which entries are listed.

    Attributes:
        job: the beginning of a job's id.
        operation: a tool, an operation's key, or a part of either.
    """

    job: str = ""
    operation: str = ""

    def matches(self, entry: UndoEntry, catalogue: Catalogue) -> bool:
        """Whether the entry is one of them."""
        if self.job and not entry.job.startswith(self.job):
            return False
        names = [entry.operation]
        with suppress(UnknownTool):
            names.append(catalogue.find(entry.operation).tool)
        return any(self.operation.lower() in name.lower() for name in names)


def parse_since(text: str, now: float, reader: Reader) -> float | None:
    """The time that `30m`, `12h`, `7d`, a date or a time means to the reader; None where it means none."""
    span = SPAN.fullmatch(text.strip())
    if span is not None:
        return now - timedelta(**{UNITS[span[2]]: int(span[1])}).total_seconds()
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=reader.zone)).timestamp()


def entries_json(entries: Sequence[UndoEntry], catalogue: Catalogue) -> str:
    """The entries for programs, each with what undoing it would come to."""
    return format_json([{**asdict(entry), "undo": _told(entry, catalogue)} for entry in entries])


def _told(entry: UndoEntry, catalogue: Catalogue) -> dict[str, Any] | None:
    found = _prospect(entry, catalogue)
    return (
        None if found is None else {"extent": found.extent, "approval": found.needs_approval, "concerns": found.subject}
    )


def group_by_job(entries: Sequence[UndoEntry]) -> list[list[UndoEntry]]:
    """The entries with those of one job together, at the place of its newest."""
    groups: dict[str, list[UndoEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.job or entry.call, []).append(entry)
    return list(groups.values())


def group_lines(group: Sequence[UndoEntry], catalogue: Catalogue, reader: Reader) -> Iterator[str]:
    """What is shown of a call, or of the calls of a job."""
    if group[0].job:
        yield from _of_job(group, catalogue, reader)
    else:
        yield from call_lines(group[0], catalogue, reader)


def call_lines(entry: UndoEntry, catalogue: Catalogue, reader: Reader) -> Iterator[str]:
    """What is shown of one call: when, what, about whom; what can be undone of it; and who made it."""
    words, found = WORDS[reader.language], _prospect(entry, catalogue)
    title = entry.operation if found is None else catalogue.find(entry.operation).title.text(reader.language)
    about = found.subject if found is not None else ""
    about = about or format_json(entry.arguments, indent=None)[:MAX_ARGUMENTS]
    yield f"{entry.call[:SHORT_ID]}  {_at(entry, reader)}  {title}: {safe(about)}"
    if found is not None:
        yield f"          {extent_text(found, reader.language)}"
    yield f"          {_by(entry, words)}"


def extent_text(found: UndoPreview, language: Language) -> str:
    """What undoing would come to, in a sentence, with what does not come back."""
    words = WORDS[language]
    approval = words["with_approval"] if found.needs_approval else ""
    said = words[f"extent_{found.extent}"].format(approval=approval)
    if found.note is None or found.extent in ("undone", "begun"):
        return said
    return f"{said}{words['then']}{found.note.text(language)}"


def _of_job(group: Sequence[UndoEntry], catalogue: Catalogue, reader: Reader) -> Iterator[str]:
    newest, words = group[0], WORDS[reader.language]
    every = [found for entry in group if (found := _prospect(entry, catalogue)) is not None]
    counts, approved = Counter(found.extent for found in every), sum(found.needs_approval for found in every)
    titles = Counter(_title(entry, catalogue, reader.language) for entry in group)
    yield f"{words['job']} {newest.job[:SHORT_ID]}  {_at(newest, reader)}  {job_title(newest.job_name, reader.language)}"
    yield "          " + words["join"].join(
        f"{title} \N{MULTIPLICATION SIGN}{count}" for title, count in titles.items()
    )
    yield "          " + words["join"].join(
        words[f"count_{kind}"].format(count=counts[kind])
        + (words["count_approved"].format(count=approved) if kind == "whole" and approved else "")
        for kind in ("whole", "again", "partly", "never", "begun", "undone")
        if counts[kind]
    )
    yield f"          {_by(newest, words)}"


def job_title(name: str, language: Language) -> str:
    """What people call that kind of job."""
    return next((spec.title.text(language) for spec in jobs.load_jobs() if spec.name == name), safe(name))


def _title(entry: UndoEntry, catalogue: Catalogue, language: Language) -> str:
    try:
        return catalogue.find(entry.operation).title.text(language)
    except UnknownTool:
        return safe(entry.operation)


def _prospect(entry: UndoEntry, catalogue: Catalogue) -> UndoPreview | None:
    """None where another version made the call."""
    try:
        return preview_undo(catalogue, entry)
    except UnknownTool:
        return None


def _at(entry: UndoEntry, reader: Reader) -> str:
    return format_value(Timestamp(entry.at), reader)


def _by(entry: UndoEntry, words: Mapping[str, str]) -> str:
    return words["by"].format(principal=safe(entry.principal), profile=safe(entry.profile))
