"""The stored question of an approval, and why a person is asked again: the changes of the target since then."""

from __future__ import annotations

from collections.abc import Iterator

from saasus_mcp.catalog.question_texts import load_question_texts
from saasus_mcp.common.language import Language, Text
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.permissions.inspection.target import TargetSnapshot, snapshot_changes, was_readable
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.formatting import format_both, read_error
from saasus_mcp.permissions.question.values import ValueFactory
from saasus_mcp.store.records import Approval

PLAN_FIELD = "plan digest"
"""The bound field of a job: another one says that the plan changed, and means nothing to a person."""
MAX_CHANGES = 3
"""Changes of the target that are listed one by one."""


def load_question(approval: Approval) -> Question | None:
    """Return the question, or None if another version stored it in an unknown form. Such an approval cannot be given."""
    try:
        return Question.from_json(approval.preview)
    except ValueError:
        return None


def text_to_type(approval: Approval, language: Language) -> str:
    """Return the text that the approver types."""
    asked = load_question(approval)
    return approval.name if asked is None or asked.typed is None else asked.typed.text(language)


def explain_stale_question(before: str, snapshot: TargetSnapshot) -> tuple[Text, ...]:
    """Return why a person is asked again, given the earlier snapshot (TargetSnapshot.bound)."""
    if before == snapshot.encoded:
        return (message("question.policy_stricter").both(),)
    return (message("question.target_changed").both(), *_since(before, snapshot))


def explain_stale_approval(approval: Approval, snapshot: TargetSnapshot) -> tuple[Text, ...]:
    """Return why an approval is no longer valid."""
    if approval.bound == snapshot.encoded:
        return (message("question.approval_void_stricter", code=approval.code).both(),)
    return (message("question.approval_void", code=approval.code).both(), *_since(approval.bound, snapshot))


def added_lines(before: str, now: str) -> tuple[str, ...]:
    """Return the lines of a question's text that an earlier text of the same call lacks."""
    known = frozenset(before.splitlines())
    return tuple(line.strip() for line in now.splitlines() if line not in known)


def _since(before: str, snapshot: TargetSnapshot) -> tuple[Text, ...]:
    """Yield how the target changed; of a target that became readable or unreadable, only that."""
    if was_readable(before) == was_readable(snapshot.encoded):
        return tuple(_changed(before, snapshot.encoded))[:MAX_CHANGES]
    if not snapshot.read_error:
        return (message("question.now_readable").both(),)
    return (message("question.now_unreadable", why=read_error(snapshot.read_error)).both(),)


def _changed(before: str, after: str) -> Iterator[Text]:
    """Yield the bound fields that differ, by their labels."""
    table = load_question_texts()
    values = ValueFactory.without_names(table)
    for change in snapshot_changes(before, after):
        if change.field == PLAN_FIELD:
            continue
        field = table.field("", change.field)
        was, now = (values.make(each, field, change.field) for each in (change.before, change.after))
        if change.effect == "unshown":
            yield message("question.changed_beyond", label=field.label).both()
        else:
            sides = {"before": format_both(was), "after": format_both(now)}
            yield one_of("question.effect", "change", label=field.label, **sides).both()
