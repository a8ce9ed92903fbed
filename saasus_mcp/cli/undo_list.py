"""What `undo` lists: calls that left something behind, those of one job together, and what can be undone of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from saasus_mcp.catalog import Catalogue, Language, UnknownTool, jobs
from saasus_mcp.cli.terminal import json_text, safe
from saasus_mcp.cli.undo_wording import WORDS
from saasus_mcp.permissions.question.formatting import Reader, say
from saasus_mcp.permissions.question.model import Moment
from saasus_mcp.server.undoing import Prospect, prospect
from saasus_mcp.store import Entry

SHORT = 8
"""Characters of an id that are shown; more are taken, and fewer where they are enough."""
LONGEST = 120
"""Characters of the arguments that are shown where nothing names what a call was about."""
SPAN = re.compile(r"(\d{1,4})([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are listed.

    Attributes:
        job: the beginning of a job's id.
        operation: a tool, an operation's key, or a part of either.
    """

    job: str = ""
    operation: str = ""

    def takes(self, entry: Entry, catalogue: Catalogue) -> bool:
        """Whether the entry is one of them."""
        if self.job and not entry.job.startswith(self.job):
            return False
        names = [entry.operation]
        with suppress(UnknownTool):
            names.append(catalogue.find(entry.operation).tool)
        return any(self.operation.lower() in name.lower() for name in names)


def since(text: str, now: float, reader: Reader) -> float | None:
    """The time that `30m`, `12h`, `7d`, a date or a time means to the reader; None where it means none."""
    span = SPAN.fullmatch(text.strip())
    if span is not None:
        return now - timedelta(**{UNITS[span[2]]: int(span[1])}).total_seconds()
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=reader.zone)).timestamp()


def as_json(entries: Sequence[Entry], catalogue: Catalogue) -> str:
    """The entries for programs, each with what undoing it would come to."""
    return json_text([{**asdict(entry), "undo": _told(entry, catalogue)} for entry in entries])


def _told(entry: Entry, catalogue: Catalogue) -> dict[str, Any] | None:
    found = _prospect(entry, catalogue)
    return None if found is None else {"extent": found.extent, "approval": found.approval, "concerns": found.concerns}


def grouped(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries with those of one job together, at the place of its newest."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.job or entry.call, []).append(entry)
    return list(groups.values())


def lines(group: Sequence[Entry], catalogue: Catalogue, reader: Reader) -> Iterator[str]:
    """What is shown of a call, or of the calls of a job."""
    if group[0].job:
        yield from _of_job(group, catalogue, reader)
    else:
        yield from of_call(group[0], catalogue, reader)


def of_call(entry: Entry, catalogue: Catalogue, reader: Reader) -> Iterator[str]:
    """What is shown of one call: when, what, about whom; what can be undone of it; and who made it."""
    words, found = WORDS[reader.language], _prospect(entry, catalogue)
    title = entry.operation if found is None else catalogue.find(entry.operation).title.get(reader.language)
    about = found.concerns if found is not None else ""
    about = about or json_text(entry.arguments, indent=None)[:LONGEST]
    yield f"{entry.call[:SHORT]}  {_at(entry, reader)}  {title}: {safe(about)}"
    if found is not None:
        yield f"          {extent(found, reader.language)}"
    yield f"          {_by(entry, words)}"


def extent(found: Prospect, language: Language) -> str:
    """What undoing would come to, in a sentence, with what does not come back."""
    words = WORDS[language]
    approval = words["with_approval"] if found.approval else ""
    said = words[f"extent_{found.extent}"].format(approval=approval)
    if found.note is None or found.extent in ("undone", "begun"):
        return said
    return f"{said}{words['then']}{found.note.get(language)}"


def _of_job(group: Sequence[Entry], catalogue: Catalogue, reader: Reader) -> Iterator[str]:
    newest, words = group[0], WORDS[reader.language]
    every = [found for entry in group if (found := _prospect(entry, catalogue)) is not None]
    counts, approved = Counter(found.extent for found in every), sum(found.approval for found in every)
    titles = Counter(_title(entry, catalogue, reader.language) for entry in group)
    yield f"{words['job']} {newest.job[:SHORT]}  {_at(newest, reader)}  {job_title(newest.job_name, reader.language)}"
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
    return next((spec.title.get(language) for spec in jobs.load() if spec.name == name), safe(name))


def _title(entry: Entry, catalogue: Catalogue, language: Language) -> str:
    try:
        return catalogue.find(entry.operation).title.get(language)
    except UnknownTool:
        return safe(entry.operation)


def _prospect(entry: Entry, catalogue: Catalogue) -> Prospect | None:
    """None where another version made the call."""
    try:
        return prospect(catalogue, entry)
    except UnknownTool:
        return None


def _at(entry: Entry, reader: Reader) -> str:
    return say(Moment(entry.at), reader)


def _by(entry: Entry, words: Mapping[str, str]) -> str:
    return words["by"].format(principal=safe(entry.principal), profile=safe(entry.profile))
