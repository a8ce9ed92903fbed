"""A pipeline that is open for one command, whose questions are asked at this terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from saasus_mcp.cli import terminal
from saasus_mcp.cli.command_line import INTERRUPTED, was_interrupted
from saasus_mcp.cli.question_view import render_question, terminal_reader
from saasus_mcp.cli.sandbox import sandbox_state
from saasus_mcp.cli.terminal import announce_policy, is_terminal, say
from saasus_mcp.cli.text_layout import terminal_columns
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_members import RepeatedMember, unique_members
from saasus_mcp.common.messages import Localized, message
from saasus_mcp.common.system_reasons import json_reason, os_reason
from saasus_mcp.common.text import Quoted, quote_text, visible_text
from saasus_mcp.permissions.approval.confirmation import (
    FIELD_NAME,
    FIELD_YES,
    ClientAnswer,
    ConfirmationPrompt,
    ConfirmationReply,
)
from saasus_mcp.permissions.approval.proof import describe_destination
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.server.pipeline.call import Call, DeferredElicitor, PendingElicitation
from saasus_mcp.settings.environment import Settings

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from saasus_mcp.server.pipeline.call_pipeline import Pipeline

YES_ANSWERS = frozenset({"y", "yes", "はい"})
ResultT = TypeVar("ResultT")


class InvalidJson(SaasusMcpError):
    """The arguments are not JSON."""


@dataclass(frozen=True, slots=True)
class TerminalSession:
    """A pipeline, the event loop that runs it, and the person who answers its questions."""

    portal: BlockingPortal
    pipeline: Pipeline
    reader: Reader

    @property
    def destination_text(self) -> str:
        """The profile and the SaaS that calls go to, in brackets."""
        return f"[{visible_text(describe_destination(self.pipeline.destination, self.reader.language))}]"

    def announce(self) -> None:
        """Print to standard error what the policy announces, and where calls go."""
        announce_policy(self.pipeline.policy.announcement)
        say(self.destination_text, err=True)

    def run(self, call: Call, run: Callable[[Call], Awaitable[ResultT | PendingElicitation]]) -> ResultT:
        """Return the result of a call, after the person has answered its questions.

        Raises:
            click.exceptions.Exit: the person pressed Ctrl+C instead. The call is cancelled and recorded first.
        """
        interrupted = False
        call = replace(call, elicitor=DeferredElicitor() if is_terminal(sys.stdin, sys.stderr) else None)
        while True:
            try:
                result = self.portal.call(run, call)
            except CallRefused:  # so a job ends that nobody agreed to
                if not interrupted:
                    raise
            if interrupted:
                say(message("cli_usage.aborted"), err=True)
                raise click.exceptions.Exit(INTERRUPTED)
            if not isinstance(result, PendingElicitation):
                return result
            try:
                answer = _ask(result.prompt, self.reader)
            except click.Abort as error:
                answer, interrupted = ClientAnswer("cancel", at_terminal=True), was_interrupted(error)
            call = replace(call, reply=ConfirmationReply(answer, result.state))


@contextmanager
def open_session(settings: Settings, *, fresh: bool = False) -> Iterator[TerminalSession]:
    """Open the pipeline of the settings, with the saved sandbox if they say so.

    Args:
        fresh: start the sandbox from new demonstration data.

    Raises:
        SaasusMcpError: the settings, the policy or the state folder cannot be used.
    """
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - slow, and only needed to run a call

    from saasus_mcp.cli import composition  # noqa: PLC0415 - imports the SDK and the HTTP client

    with (
        sandbox_state.open_sandbox(settings, fresh=fresh) as sandbox,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(composition.open_pipeline(settings, sandbox=sandbox)) as pipeline,
    ):
        portal.call(lambda: pipeline.store)  # a store that cannot be used is one error of the command, before any call
        yield TerminalSession(portal, pipeline, terminal_reader(settings))


def parse_json(text: str | bytes) -> Any:
    """Return the value of JSON that the person typed or sent.

    Raises:
        InvalidJson: with line, column and reason, or the name of a member that is there twice.
    """

    def refuse(name: str) -> NoReturn:
        raise InvalidJson(
            message("cli.invalid_json", line=1, column=1, reason=message("cli.not_a_json_number", name=name))
        )

    reason: Localized | str
    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=unique_members)
    except RepeatedMember as error:
        raise InvalidJson.of("cli.repeated_member", name=Quoted(error.name)) from None
    except json.JSONDecodeError as error:
        line, column, reason = error.lineno, error.colno, json_reason(error)
    except UnicodeDecodeError as error:
        line, column, reason = 1, error.start + 1, os_reason(error)
    except RecursionError:
        line, column, reason = 1, 1, message("cli.nested_too_deeply")
    raise InvalidJson.of("cli.invalid_json", line=line, column=column, reason=reason)


def read_json_argument(text: str) -> Any:
    """Return the value of a JSON argument, from standard input if it is `-`. Raise InvalidJson if it is not JSON."""
    return parse_json(sys.stdin.buffer.read() if text == "-" else text)


def _ask(prompt: ConfirmationPrompt, reader: Reader) -> ClientAnswer:
    """Ask for a name or a yes. An empty line declines.

    Raises:
        click.Abort: for Ctrl+C and Ctrl+D.
    """
    if prompt.question is None:
        text = visible_text(prompt.message)
    else:
        text = "\n".join(render_question(prompt.question, reader, terminal_columns()))
    click.echo(f"\n{text}\n", err=True)
    how = message("cli.confirm_prompt")
    if prompt.name is not None:
        how = message("cli.type_name_prompt", name=quote_text(prompt.name, reader.language))
    typed = terminal.prompt(how, err=True)
    if prompt.name is None:
        agreed = typed.strip().lower() in YES_ANSWERS
        return ClientAnswer("accept", {FIELD_YES: True}) if agreed else ClientAnswer("decline", at_terminal=True)
    return ClientAnswer("accept" if typed.strip() else "decline", {FIELD_NAME: typed}, at_terminal=True)
