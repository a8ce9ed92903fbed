"""The stage of `demo`: prints who says what, and plays the person whom the client asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import click
from mcp.client.context import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent

from saasus_mcp.cli.demo_wording import WORDS
from saasus_mcp.cli.terminal import safe
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.confirmation import FIELD_NAME, FIELD_YES
from saasus_mcp.saasus.tool_answer import compact_json

COLOURS = {"assistant": "cyan", "server": "green", "person": "yellow", "note": "bright_black"}
MAX_ANSWER_CHARACTERS = 300
INDENT = " " * 4


class DemoPresenter:
    """Prints the story as it goes; in short, only that each step ended as told, into `kept` for later."""

    def __init__(self, lang: Language, kept: list[str] | None = None) -> None:
        self.words: Mapping[str, str] = WORDS[lang]
        self.step = ""
        self._kept = kept
        self._count = 0

    def begin_step(self, step: str) -> None:
        """The next step, by its name in the table of words."""
        self._count += 1
        self.step = self.words[step]
        if self._kept is None:
            click.echo(click.style(f"\n{self._count:>2}. {self.step}", bold=True))

    def end_step(self) -> None:
        """The step ended as told."""
        if self._kept is not None:
            self._kept.append(f"{self._count:>2}. {self.step}: {self.words['done']}")

    def say(self, who: str, text: str) -> None:
        """One of the three speaks, or the program explains."""
        if self._kept is not None:
            return
        first, *rest = safe(text).splitlines() or [""]
        click.echo(f"{INDENT}{click.style(self.words[who], fg=COLOURS[who])}: {first}")
        for line in rest:
            click.echo(f"{INDENT}  | {line}".rstrip())

    def show_call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """The assistant calls a tool."""
        self.say("assistant", f"{tool} {compact_json(dict(arguments))}")

    def show_answer(self, result: CallToolResult) -> None:
        """The server answers: a long success is cut, a refusal is told whole."""
        text = first_text(result)
        cut = len(text) > MAX_ANSWER_CHARACTERS and not result.is_error
        self.say("server", text[:MAX_ANSWER_CHARACTERS] + "..." if cut else text)


def first_text(result: CallToolResult) -> str:
    """The first text of an answer."""
    first = result.content[0]
    return first.text if isinstance(first, TextContent) else ""


class DemoPerson:
    """Answers the client's questions: yes, or by typing the name that the story gave."""

    def __init__(self, stage: DemoPresenter) -> None:
        self._stage = stage
        self._name = ""
        self._pause = 0.0
        self.question_count = 0

    def prepare_name(self, name: str, pause: float = 0.0) -> None:
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
        self.question_count += 1
        words = self._stage.words
        self._stage.say("server", params.message)
        if isinstance(params, ElicitRequestFormParams) and FIELD_NAME in params.requested_schema["properties"]:
            await anyio.sleep(self._pause)
            self._stage.say("person", words["types"].format(name=self._name))
            return ElicitResult(action="accept", content={FIELD_NAME: self._name})
        self._stage.say("person", words["says_yes"])
        return ElicitResult(action="accept", content={FIELD_YES: True})
