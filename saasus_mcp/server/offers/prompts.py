"""Prompts: the common jobs, filled in with what a person typed."""

from __future__ import annotations

from collections.abc import Mapping

from mcp.types import GetPromptResult, PromptArgument, PromptMessage, TextContent
from mcp.types import Prompt as PromptEntry

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.inspection.target import clean_name
from saasus_mcp.server.prompts_wording import PROMPTS, Prompt

_BY_NAME = {prompt.name: prompt for prompt in PROMPTS}
NOT_GIVEN = {"en": "not given", "ja": "指定なし"}
QUOTES = {"en": ("“", "”"), "ja": ("「", "」")}
MAX_ARGUMENT_LENGTH = 2_000


def list_prompts(language: Language) -> list[PromptEntry]:
    """Every prompt, as a client shows it."""
    return [
        PromptEntry(
            name=prompt.name,
            title=prompt.title.text(language),
            description=prompt.description.text(language),
            arguments=[
                PromptArgument(name=blank.name, description=blank.text.text(language), required=not blank.optional)
                for blank in prompt.arguments
            ],
        )
        for prompt in PROMPTS
    ]


def prompt_argument_names(name: str) -> frozenset[str]:
    """The names of a prompt's arguments; none where there is no such prompt."""
    prompt = _BY_NAME.get(name)
    return frozenset(blank.name for blank in prompt.arguments) if prompt is not None else frozenset()


def render_prompt(name: str, given: Mapping[str, str], language: Language) -> GetPromptResult:
    """The prompt with its blanks filled in; what was typed stands in quotes, on one line.

    Raises:
        InvalidArguments: there is no such prompt, a blank that it needs is missing, or one that it does not have is given.
    """
    prompt = _BY_NAME.get(name)
    if prompt is None:
        raise InvalidArguments(("name",), "unknown prompt.", f"Available: {', '.join(_BY_NAME)}.")
    _check(prompt, given)
    opening, closing = QUOTES[language]
    values = {
        blank.name: f"{opening}{_line(typed)}{closing}" if (typed := given.get(blank.name, "").strip()) else ""
        for blank in prompt.arguments
    }
    values = {name: value or ("" if name == "notes" else NOT_GIVEN[language]) for name, value in values.items()}
    text = prompt.body.text(language).format(**values).strip()
    message = PromptMessage(role="user", content=TextContent(text=text))
    return GetPromptResult(description=prompt.description.text(language), messages=[message])


def _check(prompt: Prompt, given: Mapping[str, str]) -> None:
    known = {blank.name: blank for blank in prompt.arguments}
    for name in given:
        if name not in known:
            raise InvalidArguments(
                (name[:80],), f"{prompt.name} has no such argument.", f"Accepted: {', '.join(known)}."
            )
        if len(given[name]) > MAX_ARGUMENT_LENGTH:
            raise InvalidArguments((name,), f"longer than {MAX_ARGUMENT_LENGTH} characters.")
    for name, blank in known.items():
        if not blank.optional and not given.get(name, "").strip():
            raise InvalidArguments((name,), "required, but missing.", f"Specify: {blank.text.en}.")


def _line(typed: str) -> str:
    """What was typed on one line, with no quotation mark that would end it."""
    return " ".join(clean_name(part) for part in typed.split()).translate(str.maketrans("“”「」", '""『』'))
