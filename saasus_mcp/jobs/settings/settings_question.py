"""The question before a document is applied: the settings that are created, changed, and left unchanged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.catalog.question_texts import FieldText, load_question_texts
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import Message, Sentences, message, one_of
from saasus_mcp.common.text import one_line
from saasus_mcp.jobs.job_question import counted, fixed_text, name_text, value_list
from saasus_mcp.jobs.settings.settings_kinds import TEXT_OPERATIONS
from saasus_mcp.permissions.inspection.difference import differing_values
from saasus_mcp.permissions.question.content import Change, Fact, NamedItem
from saasus_mcp.permissions.question.values import ValueFactory

MAX_LEADING_CHANGES = 2
"""Changes that stand in the first lines of the question. If there are more, none does."""


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A field that changes. `siblings`: the fields of the item in the document, which units of amounts depend on."""

    kind: str
    item: str
    field: str
    before: Any
    after: Any
    siblings: Mapping[str, Any]


def build_headline(creates: int, updates: int) -> Text:
    if not updates:
        return message("jobs_settings.headline_create", count=creates).both()
    if not creates:
        return message("jobs_settings.headline_update", count=updates).both()
    created = message("jobs_settings.settings", count=creates)
    return message("jobs_settings.headline_both", created=created, updated=updates).both()


def build_undo(operations: Iterable[Operation]) -> Text:
    """Return how many of the calls can be undone."""
    kept = [each.effects.undo is not None and each.effects.undo.kind == "undoable" for each in operations]
    said = [message("jobs_settings.nothing_deleted")]
    if kept:
        key = "jobs_calls.undo_all" if all(kept) else "jobs_calls.undo_some" if any(kept) else "question.undo.lost"
        said.append(message(key, count=sum(kept), total=len(kept)))
    return Sentences(tuple(said)).both()


def build_facts(
    reports: Sequence[Mapping[str, Any]],
    skipped: Sequence[tuple[str, str, Message]],
    titles: Mapping[tuple[str, str], str],
) -> Iterator[Fact]:
    """Yield the created settings by kind, the skipped ones by reason, and the number of equal ones.

    Args:
        reports: the action for each item of the document.
        skipped: kind, name and reason of each skipped item.
        titles: what people will call the created items, by kind and name.
    """
    creates: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        if report["do"] == "create":
            creates[report["kind"]].append(titles[report["kind"], report["name"]])
    for kind, names in creates.items():
        label = one_of("jobs_settings.new", kind).both()
        yield Fact(f"create.{kind}", label, value_list(map(NamedItem, names)), lead=len(creates) == 1)
    reasons: dict[Text, list[Message]] = defaultdict(list)
    for kind, name, reason in skipped:
        item = name_text(name)
        reasons[reason.both()].append(message("jobs_settings.item", kind=one_of("jobs_settings.kind", kind), item=item))
    for text, items in reasons.items():
        label = message("jobs_settings.left", reason=text).both()
        yield Fact("left", label, value_list(map(fixed_text, items)))
    same = sum(report["do"] == "same" for report in reports)
    if same:
        yield Fact("same", message("jobs_settings.same").both(), counted(same, "jobs_settings.same_unit"))


def build_changes(changes: Sequence[SettingChange]) -> Iterator[Change]:
    """Yield the changed fields. A few changes stand in the first lines."""
    texts = load_question_texts()
    values = ValueFactory.without_names(texts)
    for each in changes:
        field = texts.field(TEXT_OPERATIONS.get(each.kind, ""), each.field)
        before, after = (
            values.make(value, field, each.field, each.siblings)
            for value in differing_values(each.before, each.after, field)
        )
        lead = len(changes) <= MAX_LEADING_CHANGES
        yield Change(f"{each.kind}.{each.field}", _change_label(each, field), before, after, lead=lead)


def _change_label(change: SettingChange, field: FieldText) -> Text:
    if not change.item:
        return field.label
    kind, item = one_of("jobs_settings.kind", change.kind), one_line(change.item, 60)
    return message("jobs_settings.change_label_item", kind=kind, item=name_text(item), field=field.label).both()
