"""Prompts: the common jobs, filled in with what a person typed."""

from __future__ import annotations

from collections.abc import Mapping

from mcp.types import GetPromptResult, PromptArgument, PromptMessage, TextContent
from mcp.types import Prompt as PromptEntry

from saasus_mcp.catalog import Language
from saasus_mcp.permissions.target import plain_name
from saasus_mcp.saasus.places import InvalidArguments
from saasus_mcp.server.prompts_wording import PROMPTS, Prompt

_BY_NAME = {prompt.name: prompt for prompt in PROMPTS}
BLANK = {"en": "not given", "ja": "指定なし"}
QUOTES = {"en": ("“", "”"), "ja": ("「", "」")}
LONGEST = 2_000


def listed(language: Language) -> list[PromptEntry]:
    """Every prompt, as a client shows it."""
    return [
        PromptEntry(
            name=prompt.name,
            title=prompt.title.get(language),
            description=prompt.description.get(language),
            arguments=[
                PromptArgument(name=blank.name, description=blank.text.get(language), required=not blank.optional)
                for blank in prompt.arguments
            ],
        )
        for prompt in PROMPTS
    ]


def blanks(name: str) -> frozenset[str]:
    """The names of a prompt's arguments; none where there is no such prompt."""
    prompt = _BY_NAME.get(name)
    return frozenset(blank.name for blank in prompt.arguments) if prompt is not None else frozenset()


def filled(name: str, given: Mapping[str, str], language: Language) -> GetPromptResult:
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
    values = {name: value or ("" if name == "notes" else BLANK[language]) for name, value in values.items()}
    text = prompt.body.get(language).format(**values).strip()
    message = PromptMessage(role="user", content=TextContent(text=text))
    return GetPromptResult(description=prompt.description.get(language), messages=[message])


def _check(prompt: Prompt, given: Mapping[str, str]) -> None:
    known = {blank.name: blank for blank in prompt.arguments}
    for name in given:
        if name not in known:
            raise InvalidArguments(
                (name[:80],), f"{prompt.name} has no such argument.", f"Accepted: {', '.join(known)}."
            )
        if len(given[name]) > LONGEST:
            raise InvalidArguments((name,), f"longer than {LONGEST} characters.")
    for name, blank in known.items():
        if not blank.optional and not given.get(name, "").strip():
            raise InvalidArguments((name,), "required, but missing.", f"Specify: {blank.text.en}.")


def _line(typed: str) -> str:
    """What was typed on one line, with no quotation mark that would end it."""
    return " ".join(plain_name(part) for part in typed.split()).translate(str.maketrans("“”「」", '""『』'))
