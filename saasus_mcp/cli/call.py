"""`saasus-mcp call NAME JSON`: one tool, from the terminal, through the same pipeline as every client's calls."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from saasus_mcp.catalog import Catalogue, Language, Operation, UnknownTool
from saasus_mcp.cli import compose, sandbox_state
from saasus_mcp.cli.columns import available
from saasus_mcp.cli.options import settings, shared
from saasus_mcp.cli.question import reader, shown
from saasus_mcp.cli.terminal import ask, attended, json_text, safe
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.confirmation import FIELD_NAME, FIELD_YES, Answer, Prompt, Reply
from saasus_mcp.permissions.proof import where
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.saasus.words import quoted
from saasus_mcp.server.call import Asking, Call
from saasus_mcp.settings import Settings

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

YES = frozenset({"y", "yes", "はい"})


T = TypeVar("T")


class BadJson(SaasusMcpError):
    """What was given as arguments is not JSON."""


@click.command
@shared
@sandbox_state.fresh_option
@click.argument("name")
@click.argument("arguments", metavar="[JSON]", default="{}")
def command(name: str, arguments: str, *, fresh: bool, **flags: Any) -> None:
    """Call the tool NAME with arguments in JSON (- reads them from standard input).

    The response goes to standard output as JSON, everything else to standard error. Calls that need a confirmation ask
    here. Calls that need an approval, or that run outside a terminal, print a code for `saasus-mcp approve`.
    With --sandbox, changes are kept for the next `call`, `job` and `undo`.
    """
    chosen = settings(**flags)
    given = parse(sys.stdin.buffer.read() if arguments == "-" else arguments, chosen.lang)
    answer = _run(chosen, name, given, fresh=fresh)
    if not answer.ok:
        click.echo(safe(answer.text), err=True)
        sys.exit(1)
    _print(answer)


def parse(text: str | bytes, lang: Language) -> Any:
    """The arguments as JSON has them.

    Raises:
        BadJson: they are not JSON: at which line and column, and why.
    """
    words = WORDS[lang]

    def never(name: str) -> NoReturn:
        raise BadJson(words["bad_json"].format(line=1, column=1, why=words["no_infinity"].format(name=name)))

    try:
        return json.loads(text, parse_constant=never)
    except json.JSONDecodeError as error:
        line, column, why = error.lineno, error.colno, error.msg
    except UnicodeDecodeError as error:
        line, column, why = 1, error.start + 1, words["not_text"]
    except RecursionError:
        line, column, why = 1, 1, words["too_deep"]
    raise BadJson(words["bad_json"].format(line=line, column=column, why=why), words["bad_json_mend"])


def find(catalogue: Catalogue, name: str, lang: Language) -> Operation:
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

    async def ask(self, question: Prompt) -> Answer | None:
        """None: the answer comes with the next call."""
        return None


def _run(chosen: Settings, name: str, given: Any, *, fresh: bool) -> ToolAnswer:
    """The answer, after as many questions as the pipeline asks."""
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - slow, and only needed to run a call

    with (
        sandbox_state.kept(chosen, fresh=fresh) as sandbox,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(compose.pipeline(chosen, sandbox=sandbox)) as pipeline,
    ):
        find(pipeline.catalogue, name, chosen.lang)
        if pipeline.policy.announcement:
            click.echo(f"saasus-mcp: {pipeline.policy.announcement}", err=True)
        click.echo(f"[{safe(where(pipeline.place, chosen.lang))}]", err=True)
        return settled(portal, pipeline.run, Call(name, given, compose.local_user()), reader(chosen))


def settled(portal: BlockingPortal, run: Callable[[Call], Awaitable[T | Asking]], call: Call, who: Reader) -> T:
    """What running a call gives, after its questions were put to whoever sits at this terminal."""
    call = replace(call, asker=_Here() if attended(sys.stdin, sys.stderr) else None)
    while True:
        answer = portal.call(run, call)
        if not isinstance(answer, Asking):
            return answer
        call = replace(call, reply=Reply(_asked(answer.question, who), answer.state))


def _asked(prompt: Prompt, who: Reader) -> Answer:
    """Put a question to the person: a name to type, or a yes. Nothing typed is a no; Ctrl+C and Ctrl+D take the call back."""
    words = WORDS[who.language]
    said = safe(prompt.message) if prompt.question is None else "\n".join(shown(prompt.question, who, available()))
    click.echo(f"\n{said}\n", err=True)
    how = (
        words["yes_or_no"] if prompt.name is None else words["type_here"].format(name=quoted(prompt.name, who.language))
    )
    try:
        typed = ask(how, err=True)
    except click.Abort:
        return Answer("cancel", at_terminal=True)
    if prompt.name is None:
        agreed = typed.strip().lower() in YES
        return Answer("accept", {FIELD_YES: True}) if agreed else Answer("decline", at_terminal=True)
    return Answer("accept" if typed.strip() else "decline", {FIELD_NAME: typed}, at_terminal=True)


def _print(answer: ToolAnswer) -> None:
    """The JSON to standard output, for programs to read; what else the answer says to standard error."""
    document, _, said = answer.text.partition("\n")
    text = json_text(json.loads(document), indent=None)
    click.echo(safe(text) if attended(sys.stdout) else text)
    if said:
        click.echo(safe(said), err=True)
