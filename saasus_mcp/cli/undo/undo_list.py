"""The list of `undo`: changes, those of one job together, and how far each can be undone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from saasus_mcp.catalog import Catalogue, jobs
from saasus_mcp.cli.output import format_time, json_times
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.server.pipeline.deletions import Deletions
from saasus_mcp.server.pipeline.undo import UndoExtent, UndoPreview, describe_change, preview_undo
from saasus_mcp.store.records import UndoEntry

DeletionsByCall = Mapping[str, Deletions]
SHORT_ID = 8
"""Characters of an id that are shown. A person may type more, or fewer if they are unambiguous."""
MAX_CHANGES = 3
"""Fields of which a list shows the values before and after."""
_INDENT = " " * 10
_EXTENTS: tuple[UndoExtent, ...] = ("whole", "again", "partly", "never", "gone", "begun", "undone")


def matches(entry: UndoEntry, catalogue: Catalogue, *, call: str, job: str, operation: str) -> bool:
    """Return True for the beginning of the id of its call and of its job, and a part of the name of its tool or operation."""
    known = catalogue.get(entry.operation)
    names = (entry.operation, known.tool if known is not None else "")
    is_named = any(operation.lower() in name.lower() for name in names)
    return is_named and entry.call.startswith(call) and entry.job.startswith(job)


def entries_json(entries: Sequence[UndoEntry], catalogue: Catalogue, deleted: DeletionsByCall) -> list[dict[str, Any]]:
    return [
        {**json_times(asdict(entry)), "undo": _preview_json(preview_undo(catalogue, entry, deleted.get(entry.call)))}
        for entry in entries
    ]


def _preview_json(preview: UndoPreview | None) -> dict[str, Any] | None:
    if preview is None:
        return None
    return {"extent": preview.extent, "approval": preview.needs_approval, "concerns": preview.subject}


def group_by_job(entries: Sequence[UndoEntry]) -> list[list[UndoEntry]]:
    """Return the entries in groups: those of one job together, in the place of its newest entry."""
    groups: dict[str, list[UndoEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.job or entry.call, []).append(entry)
    return list(groups.values())


def group_lines(
    group: Sequence[UndoEntry], catalogue: Catalogue, reader: Reader, deleted: DeletionsByCall
) -> Iterator[str]:
    """Yield the lines of a call, or of the calls of a job."""
    if group[0].job:
        yield from _job_lines(group, catalogue, reader, deleted)
    else:
        yield from call_lines(group[0], catalogue, reader, deleted)


def call_lines(entry: UndoEntry, catalogue: Catalogue, reader: Reader, deleted: DeletionsByCall) -> Iterator[str]:
    """Yield when and what a call changed, how far it can be undone, and who made it."""
    preview, said = preview_undo(catalogue, entry, deleted.get(entry.call)), describe_change(catalogue, entry)
    sentence = said.sentence(reader) if said is not None else entry.operation
    yield f"{entry.call[:SHORT_ID]}  {_time(entry, reader)}  {visible_text(sentence)}"
    if said is not None:
        lines = said.lines(reader)
        yield from (_INDENT + visible_text(line) for line in lines[:MAX_CHANGES])
        if len(lines) > MAX_CHANGES:
            yield _INDENT + message("cli_undo.more_changes", count=len(lines) - MAX_CHANGES).text(reader.language)
    if preview is not None:
        yield _INDENT + extent_text(preview).text(reader.language)
    yield _INDENT + _made_by(entry).text(reader.language)


def extent_text(preview: UndoPreview) -> Message:
    """Return how far a change can be undone, with what does not come back."""
    if preview.needs_approval:
        extent = one_of("cli_undo.extent_with_approval", preview.extent)
    else:
        extent = one_of("cli_undo.extent", preview.extent)
    if preview.note is None or preview.extent in ("undone", "begun"):
        return extent
    return message("cli_undo.with_note", extent=extent, note=preview.note)


def _job_lines(
    group: Sequence[UndoEntry], catalogue: Catalogue, reader: Reader, deleted: DeletionsByCall
) -> Iterator[str]:
    newest, language = group[0], reader.language
    found = (preview_undo(catalogue, entry, deleted.get(entry.call)) for entry in group)
    previews = [preview for preview in found if preview is not None]
    counts, approved = Counter(each.extent for each in previews), sum(each.needs_approval for each in previews)
    titles = Counter(_title(entry, catalogue, language) for entry in group)
    title = job_title(newest.job_name, language)
    heading = message("cli_undo.job_heading", id=newest.job[:SHORT_ID], at=_time(newest, reader), title=title)
    yield heading.text(language)
    yield _INDENT + _joined([f"{title} \N{MULTIPLICATION SIGN}{count}" for title, count in titles.items()], language)
    yield _INDENT + _joined([_count(each, counts[each], approved) for each in _EXTENTS if counts[each]], language)
    yield _INDENT + _made_by(newest).text(language)


def _count(extent: str, number: int, approved: int) -> Message:
    if extent == "whole" and approved:
        return message("cli_undo.count_with_approval", number=number, approved=approved)
    return one_of("cli_undo.count", extent, number=number)


def _joined(parts: Sequence[str | Message], language: Language) -> str:
    return message("cli_undo.list", parts=tuple(parts)).text(language)


def job_title(name: str, language: Language) -> str:
    """Return the title of a job, or its name if another version ran it."""
    spec = jobs.find_job(name)
    return visible_text(name) if spec is None else spec.title.text(language)


def _title(entry: UndoEntry, catalogue: Catalogue, language: Language) -> str:
    operation = catalogue.get(entry.operation)
    return visible_text(entry.operation) if operation is None else operation.title.text(language)


def _time(entry: UndoEntry, reader: Reader) -> str:
    return format_time(entry.at, time.time(), reader)


def _made_by(entry: UndoEntry) -> Message:
    return message("cli_undo.made_by", principal=visible_text(entry.principal), profile=visible_text(entry.profile))
