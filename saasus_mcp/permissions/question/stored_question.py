"""The question of an approval, as it was kept when the approval was asked for."""

from __future__ import annotations

import json

from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.store import Approval


def load_question(approval: Approval) -> Question | None:
    """What is asked; None where another version asked in a form that this one does not read."""
    try:
        return Question.from_json(approval.preview)
    except ValueError:
        return None


def legacy_text(approval: Approval, language: Language) -> str:
    """The text that an earlier version kept in the place of a question; empty where there is none."""
    try:
        texts = json.loads(approval.preview)
    except ValueError:
        return ""
    text = texts.get(language) if isinstance(texts, dict) else None
    return text if isinstance(text, str) else ""


def is_readable(approval: Approval, language: Language) -> bool:
    """Whether a person can be shown what it is about. Nobody approves what they cannot read."""
    return load_question(approval) is not None or bool(legacy_text(approval, language))


def text_to_type(approval: Approval, language: Language) -> str:
    """What is typed to approve it."""
    asked = load_question(approval)
    return approval.name if asked is None or asked.typed is None else asked.typed.text(language)
