"""The question of an approval, as it was kept when the approval was asked for."""

from __future__ import annotations

import json

from saasus_mcp.catalog.model import Language
from saasus_mcp.permissions.question.model import Question
from saasus_mcp.store import Approval


def question(approval: Approval) -> Question | None:
    """What is asked; None where another version asked in a form that this one does not read."""
    try:
        return Question.of(approval.preview)
    except ValueError:
        return None


def older(approval: Approval, language: Language) -> str:
    """The text that an earlier version kept in the place of a question; empty where there is none."""
    try:
        texts = json.loads(approval.preview)
    except ValueError:
        return ""
    text = texts.get(language) if isinstance(texts, dict) else None
    return text if isinstance(text, str) else ""


def readable(approval: Approval, language: Language) -> bool:
    """Whether a person can be shown what it is about. Nobody approves what they cannot read."""
    return question(approval) is not None or bool(older(approval, language))


def to_type(approval: Approval, language: Language) -> str:
    """What is typed to approve it."""
    asked = question(approval)
    return approval.name if asked is None or asked.typed is None else asked.typed.get(language)
