"""The stored question of an approval."""

from __future__ import annotations

from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.store.records import Approval


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
