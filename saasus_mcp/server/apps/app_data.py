"""What an app gets beside the content of a tool's result: nothing that the caller could not read."""

from __future__ import annotations

from typing import Any, get_args

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.language import Language
from saasus_mcp.saasus.tool_answer import ToolAnswer

MAX_FAILURE_PART = 1_000


def app_data(answer: ToolAnswer, catalogue: Catalogue, tool: str) -> dict[str, Any]:
    """Return the data for an app.

    It is what the answer brings and, in both languages, the title of the operation, which many clients do not tell an app, and what
    went wrong, what that changed, and what to do next.
    """
    failure = {} if answer.failure is None else {"failure": _failure_texts(answer)}
    return {**_title(catalogue, tool), **answer.app_data, **failure}


def _title(catalogue: Catalogue, tool: str) -> dict[str, dict[str, str]]:
    operation = catalogue.get(tool)
    if operation is None:
        return {}
    return {"title": {language: operation.title.text(language) for language in get_args(Language)}}


def _failure_texts(answer: ToolAnswer) -> dict[str, list[str]]:
    return {
        language: [part[:MAX_FAILURE_PART] for part in answer.failure_parts(language)]
        for language in get_args(Language)
    }
