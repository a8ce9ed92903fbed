"""What an app gets beside the content of a tool's result: nothing that the caller could not read."""

from __future__ import annotations

from typing import Any, get_args

from saasus_mcp.common.language import Language
from saasus_mcp.saasus.tool_answer import ToolAnswer

MAX_FAILURE_PART = 1_000


def app_data(answer: ToolAnswer) -> dict[str, Any]:
    """Return the data for an app: what the answer brings, and in both languages what went wrong, what that changed, and what to do next."""
    return {**answer.app_data, **({} if answer.failure is None else {"failure": _failure_texts(answer)})}


def _failure_texts(answer: ToolAnswer) -> dict[str, list[str]]:
    return {
        language: [part[:MAX_FAILURE_PART] for part in answer.failure_parts(language)]
        for language in get_args(Language)
    }
