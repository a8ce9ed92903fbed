"""`saasus-mcp call NAME JSON`: one tool, from the terminal, through the same pipeline as every client's calls."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from saasus_mcp.catalog import Catalogue, Operation, UnknownTool
from saasus_mcp.cli import composition, terminal
from saasus_mcp.cli.options import load_settings, shared_options
from saasus_mcp.cli.question_view import render_question, terminal_reader
from saasus_mcp.cli.sandbox import sandbox_state
from saasus_mcp.cli.terminal import format_json, is_terminal, safe
from saasus_mcp.cli.text_layout import terminal_columns
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.text import quote_text
from saasus_mcp.permissions.approval.confirmation import (
    FIELD_NAME,
    FIELD_YES,
    ClientAnswer,
    ConfirmationPrompt,
    ConfirmationReply,
)
from saasus_mcp.permissions.approval.proof import describe_destination
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.settings import Settings

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

YES_ANSWERS = frozenset({"y", "yes", "はい"})


T = TypeVar("T")


class InvalidJson(SaasusMcpError):
    """What was given as arguments is not JSON."""


@click.command
@shared_options
@sandbox_state.fresh_option
@click.argument("name")
@click.argument("arguments", metavar="[JSON]", default="{}")
def command(name: str, arguments: str, *, fresh: bool, **flags: Any) -> None:
    """Call the tool NAME with arguments in JSON (- reads them from standard input).

    The response goes to standard output as JSON, everything else to standard error. Calls that need a confirmation ask
    here. Calls that need an approval, or that run outside a terminal, print a code for `saasus-mcp approve`.
    With --sandbox, changes are kept for the next `call`, `job` and `undo`.
    """
    chosen = load_settings(**flags)
    given = parse_arguments_json(sys.stdin.buffer.read() if arguments == "-" else arguments, chosen.lang)
    answer = _run(chosen, name, given, fresh=fresh)
    if not answer.ok:
        click.echo(safe(answer.text), err=True)
        sys.exit(1)
    _print(answer)


def parse_arguments_json(text: str | bytes, lang: Language) -> Any:
    """The arguments as JSON has them.

    Raises:
        BadJson: they are not JSON: at which line and column, and why.
    """
    words = WORDS[lang]

    def never(name: str) -> NoReturn:
        raise InvalidJson(words["bad_json"].format(line=1, column=1, why=words["no_infinity"].format(name=name)))

    try:
        return json.loads(text, parse_constant=never)
    except json.JSONDecodeError as error:
        line, column, why = error.lineno, error.colno, error.msg
    except UnicodeDecodeError as error:
        line, column, why = 1, error.start + 1, words["not_text"]
    except RecursionError:
        line, column, why = 1, 1, words["too_deep"]
    raise InvalidJson(words["bad_json"].format(line=line, column=column, why=why), words["bad_json_mend"])


def find_operation(catalogue: Catalogue, name: str, lang: Language) -> Operation:
    """The operation with this name.

    Raises:
        SaasusMcpError: none has it; the nearest names are told.
    """
    try:
        return catalogue.find(name)
    except UnknownTool as error:
        words = WORDS[lang]
        mend = words["nearest"].format(names=", ".join(error.nearest)) if error.nearest else words["list_tools"]
        raise SaasusMcpError(words["unknown_tool"].format(name=name[:80]), mend) from None


class _Here:
    """Says that a person can be asked here.

    The question itself comes back from the pipeline and is put outside the event loop, where Ctrl+C is heard.
    """

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        """None: the answer comes with the next call."""
        return None


def _run(chosen: Settings, name: str, given: Any, *, fresh: bool) -> ToolAnswer:
    """The answer, after as many questions as the pipeline asks."""
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - slow, and only needed to run a call

    with (
        sandbox_state.open_sandbox(chosen, fresh=fresh) as sandbox,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(composition.open_pipeline(chosen, sandbox=sandbox)) as pipeline,
    ):
        find_operation(pipeline.catalogue, name, chosen.lang)
        if pipeline.policy.announcement:
            click.echo(f"saasus-mcp: {pipeline.policy.announcement}", err=True)
        click.echo(f"[{safe(describe_destination(pipeline.destination, chosen.lang))}]", err=True)
        return run_with_questions(
            portal, pipeline.run, Call(name, given, composition.local_user()), terminal_reader(chosen)
        )


def run_with_questions(
    portal: BlockingPortal, run: Callable[[Call], Awaitable[T | PendingElicitation]], call: Call, who: Reader
) -> T:
    """What running a call gives, after its questions were put to whoever sits at this terminal."""
    call = replace(call, elicitor=_Here() if is_terminal(sys.stdin, sys.stderr) else None)
    while True:
        answer = portal.call(run, call)
        if not isinstance(answer, PendingElicitation):
            return answer
        call = replace(call, reply=ConfirmationReply(_asked(answer.prompt, who), answer.state))


def _asked(prompt: ConfirmationPrompt, who: Reader) -> ClientAnswer:
    """Put a question to the person: a name to type, or a yes. Nothing typed is a no; Ctrl+C and Ctrl+D take the call back."""
    words = WORDS[who.language]
    said = (
        safe(prompt.message)
        if prompt.question is None
        else "\n".join(render_question(prompt.question, who, terminal_columns()))
    )
    click.echo(f"\n{said}\n", err=True)
    how = (
        words["yes_or_no"]
        if prompt.name is None
        else words["type_here"].format(name=quote_text(prompt.name, who.language))
    )
    try:
        typed = terminal.prompt(how, err=True)
    except click.Abort:
        return ClientAnswer("cancel", at_terminal=True)
    if prompt.name is None:
        agreed = typed.strip().lower() in YES_ANSWERS
        return ClientAnswer("accept", {FIELD_YES: True}) if agreed else ClientAnswer("decline", at_terminal=True)
    return ClientAnswer("accept" if typed.strip() else "decline", {FIELD_NAME: typed}, at_terminal=True)


def _print(answer: ToolAnswer) -> None:
    """The JSON to standard output, for programs to read; what else the answer says to standard error."""
    document, _, said = answer.text.partition("\n")
    text = format_json(json.loads(document), indent=None)
    click.echo(safe(text) if is_terminal(sys.stdout) else text)
    if said:
        click.echo(safe(said), err=True)
