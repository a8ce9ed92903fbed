"""The stored question of an approval."""

from __future__ import annotations

import json

from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.store.records import Approval


def load_question(approval: Approval) -> Question | None:
    """Return the question, or None if another version stored it in an unknown form."""
    try:
        return Question.from_json(approval.preview)
    except ValueError:
        return None


def legacy_text(approval: Approval, language: Language) -> str:
    """Return the text that an earlier version stored instead of a question; may be empty."""
    try:
        texts = json.loads(approval.preview)
    except ValueError:
        return ""
    text = texts.get(language) if isinstance(texts, dict) else None
    return text if isinstance(text, str) else ""


def is_readable(approval: Approval, language: Language) -> bool:
    """Return whether a person can be shown the question. An unreadable approval cannot be approved."""
    return load_question(approval) is not None or bool(legacy_text(approval, language))


def text_to_type(approval: Approval, language: Language) -> str:
    """Return the text that the approver types."""
    asked = load_question(approval)
    return approval.name if asked is None or asked.typed is None else asked.typed.text(language)
