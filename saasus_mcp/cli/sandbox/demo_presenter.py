"""Print the steps of `demo`, and answer the client's questions in place of a person."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
import click
from mcp.client.context import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent

from saasus_mcp.cli.output import has_screen
from saasus_mcp.cli.terminal import render
from saasus_mcp.cli.text_layout import terminal_columns, wrap_text
from saasus_mcp.common.messages import Localized, message, one_of
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.approval.confirmation import FIELD_NAME, FIELD_YES

COLOURS = {"assistant": "cyan", "server": "green", "person": "yellow", "note": "bright_black"}
MAX_ANSWER_CHARACTERS = 300
INDENT, CONTINUED, QUOTED = " " * 4, " " * 2, "  | "
"""What rows begin with: all, those that continue a line, and those of a question or of a further line."""
QUESTION_INDENT = len(INDENT) + len(QUOTED) + len(CONTINUED)


class DemoPresenter:
    """Prints the steps. In short form, it only adds a line for each step that succeeded to `lines`."""

    def __init__(self, lines: list[str] | None = None) -> None:
        self.step = ""
        self._lines = lines
        self._count = 0

    def begin_step(self, step: str) -> None:
        """Begin a step, by its key in the messages."""
        self._count += 1
        self.step = render(one_of("cli_demo.step", step))
        if self._lines is None:
            click.echo(click.style(f"\n{self._count:>2}. {self.step}", bold=True))

    def end_step(self) -> None:
        """End a step that succeeded."""
        if self._lines is not None:
            self._lines.append(f"{self._count:>2}. {render(message('cli_demo.step_result', step=self.step))}")

    def say(self, speaker: str, text: Localized | str) -> None:
        """Print what a speaker says, or a note."""
        if self._lines is not None:
            return
        first, *rest = visible_text(render(text)).splitlines() or [""]
        name = render(one_of("cli_demo.speaker", speaker))
        begin, *more = _rows(f"{name}: {first}", len(INDENT) + len(CONTINUED))
        click.echo(INDENT + click.style(name, fg=COLOURS[speaker]) + begin.removeprefix(name))
        for row in more:
            click.echo(f"{INDENT}{CONTINUED}{row}")
        for line in rest:
            for number, row in enumerate(_rows(line, QUESTION_INDENT)):
                click.echo(f"{INDENT}{QUOTED}{CONTINUED if number else ''}{row}".rstrip())


def _rows(text: str, indent: int) -> Iterable[str]:
    """Return a line in rows that fit on the screen after an indent, or as it is without a screen."""
    return wrap_text(text, terminal_columns() - indent) if has_screen() else [text]


def first_text(result: CallToolResult) -> str:
    first = result.content[0]
    return first.text if isinstance(first, TextContent) else ""


class DemoPerson:
    """Answers the client's questions with yes, or with the name that the script sets."""

    def __init__(self, presenter: DemoPresenter) -> None:
        self._presenter = presenter
        self._name = ""
        self._pause = 0.0
        self.question_count = 0

    def prepare_name(self, name: str, pause: float = 0.0) -> None:
        """Set the name for the next question that wants one, and the seconds before the answer.

        The server takes a wrong name without a pause for the client's own answer, not for a person's.
        """
        self._name, self._pause = name, pause

    async def answer(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        self.question_count += 1
        self._presenter.say("server", params.message)
        if isinstance(params, ElicitRequestFormParams) and FIELD_NAME in params.requested_schema["properties"]:
            await anyio.sleep(self._pause)
            self._presenter.say("person", message("cli_demo.types", name=self._name))
            return ElicitResult(action="accept", content={FIELD_NAME: self._name})
        self._presenter.say("person", message("cli_demo.says_yes"))
        return ElicitResult(action="accept", content={FIELD_YES: True})
