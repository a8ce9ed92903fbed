"""What an app gets beside the content of a tool's result: nothing that the caller could not read."""

from __future__ import annotations

from typing import Any, get_args

from saasus_mcp.common.language import Language
from saasus_mcp.saasus.tool_answer import Failure, ToolAnswer

MAX_FAILURE_LENGTH = 1_000


def app_data(answer: ToolAnswer) -> dict[str, Any]:
    """Return the data for an app: what the answer brings, and in both languages what went wrong."""
    return {**answer.app_data, **({} if answer.failure is None else {"failure": _failure_texts(answer.failure)})}


def _failure_texts(failure: Failure) -> dict[str, str]:
    return {language: failure.message.text(language)[:MAX_FAILURE_LENGTH] for language in get_args(Language)}
