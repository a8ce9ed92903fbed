"""The stage of `demo`: prints who says what, and plays the person whom the client asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import click
from mcp.client.context import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent

from saasus_mcp.catalog import Language
from saasus_mcp.cli.demo_wording import WORDS
from saasus_mcp.cli.terminal import safe
from saasus_mcp.permissions.confirmation import FIELD_NAME, FIELD_YES
from saasus_mcp.saasus.answer import compact

COLOURS = {"assistant": "cyan", "server": "green", "person": "yellow", "note": "bright_black"}
LONGEST_ANSWER = 300
INDENT = " " * 4


class Stage:
    """Prints the story as it goes; in short, only that each step ended as told, into `kept` for later."""

    def __init__(self, lang: Language, kept: list[str] | None = None) -> None:
        self.words: Mapping[str, str] = WORDS[lang]
        self.step = ""
        self._kept = kept
        self._count = 0

    def begins(self, step: str) -> None:
        """The next step, by its name in the table of words."""
        self._count += 1
        self.step = self.words[step]
        if self._kept is None:
            click.echo(click.style(f"\n{self._count:>2}. {self.step}", bold=True))

    def ended(self) -> None:
        """The step ended as told."""
        if self._kept is not None:
            self._kept.append(f"{self._count:>2}. {self.step}: {self.words['done']}")

    def says(self, who: str, text: str) -> None:
        """One of the three speaks, or the program explains."""
        if self._kept is not None:
            return
        first, *rest = safe(text).splitlines() or [""]
        click.echo(f"{INDENT}{click.style(self.words[who], fg=COLOURS[who])}: {first}")
        for line in rest:
            click.echo(f"{INDENT}  | {line}".rstrip())

    def calls(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """The assistant calls a tool."""
        self.says("assistant", f"{tool} {compact(dict(arguments))}")

    def answers(self, result: CallToolResult) -> None:
        """The server answers: a long success is cut, a refusal is told whole."""
        text = said(result)
        cut = len(text) > LONGEST_ANSWER and not result.is_error
        self.says("server", text[:LONGEST_ANSWER] + "..." if cut else text)


def said(result: CallToolResult) -> str:
    """The first text of an answer."""
    first = result.content[0]
    return first.text if isinstance(first, TextContent) else ""


class Person:
    """Answers the client's questions: yes, or by typing the name that the story gave."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._name = ""
        self._pause = 0.0
        self.asked = 0

    def will_type(self, name: str, pause: float = 0.0) -> None:
        """What to type where the next question wants a name, and after how many seconds.

        A wrong name that comes at once is taken for the client's own answer, and not for a person's no.
        """
        self._name, self._pause = name, pause

    async def answer(
        self,
        context: ClientRequestContext,
        params: ElicitRequestParams,
    ) -> ElicitResult:
        """The client shows a question; the person answers it."""
        self.asked += 1
        words = self._stage.words
        self._stage.says("server", params.message)
        if isinstance(params, ElicitRequestFormParams) and FIELD_NAME in params.requested_schema["properties"]:
            await anyio.sleep(self._pause)
            self._stage.says("person", words["types"].format(name=self._name))
            return ElicitResult(action="accept", content={FIELD_NAME: self._name})
        self._stage.says("person", words["says_yes"])
        return ElicitResult(action="accept", content={FIELD_YES: True})
