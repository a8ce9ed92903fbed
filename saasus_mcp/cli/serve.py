"""`saasus-mcp serve`: MCP on stdio, or over HTTP. On stdio, standard output belongs to the protocol; everything else goes to standard error."""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from saasus_mcp import working_directory
from saasus_mcp.cli import compose, logs, options, serve_http, stopping
from saasus_mcp.cli.options import named_toolsets, settings, shared
from saasus_mcp.permissions.narrowing import EVERYTHING, Narrowing
from saasus_mcp.server.parent import Parent
from saasus_mcp.server.toolsets import Kind
from saasus_mcp.server.wire import Wire
from saasus_mcp.settings import Settings

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from saasus_mcp.jobs.runner import Runner
    from saasus_mcp.server.pipeline import Pipeline
    from saasus_mcp.server.thread_wire import ThreadWire


@click.command
@shared
@options.surface
@options.toolsets
@options.tools
@options.exclude_tools
@serve_http.options
def command(surface: Kind, toolsets: str, tools: str | None, exclude_tools: str | None, **flags: Any) -> None:
    """Serve MCP on stdio (the command for MCP clients) or over HTTP."""
    chosen = settings(**flags)
    named = named_toolsets(toolsets, chosen.lang)
    narrowed_to = options.narrowing(tools, exclude_tools, chosen.lang)
    with working_directory.left():
        if chosen.transport == "http":
            serve_http.serve(chosen, surface, named, narrowed_to)
        else:
            _serve_stdio(chosen, surface, named, narrowed_to)


def _serve_stdio(chosen: Settings, kind: Kind, toolsets: frozenset[str], narrowed_to: Narrowing) -> None:
    stopping.at_once()
    parent = Parent()
    _greet_a_person()
    compose.check(chosen)
    wire = Wire.claim(parent)
    if wire is not None and not _welcomed(wire, chosen, kind, toolsets, narrowed_to):
        return
    gc.disable()  # while the SDK is loaded nothing becomes garbage, and looking for some takes a tenth of the time
    import anyio  # noqa: PLC0415 - after the client has its first answers

    sys.exit(anyio.run(partial(_serve, chosen, kind, toolsets, narrowed_to, wire=wire, parent=parent)))


def _greet_a_person() -> None:
    """On a terminal, say what this is and what to run instead, in both languages. It serves all the same.

    Some clients start servers on a terminal of their own, and whoever writes a client types messages by hand.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        return
    from saasus_mcp.cli.wording import WORDS  # noqa: PLC0415 - only on a terminal

    for words in WORDS.values():
        click.echo(words["on_terminal"], err=True)


def _welcomed(wire: Wire, chosen: Settings, kind: Kind, toolsets: frozenset[str], narrowed_to: Narrowing) -> bool:
    """Give the first answers where they are ready. False where the client is gone after them.

    A policy file and a shared database take the plain way: what the one lists is not known before, and a server for which
    either is broken does not answer.
    """
    from saasus_mcp.server import front, ready  # noqa: PLC0415 - only on stdio

    known = (
        chosen.policy is None
        and chosen.database_url is None
        and ready.load(compose.place(chosen), compose.preset(chosen), kind, toolsets, chosen.lang, narrowed_to)
    )
    return front.converse(wire, known) if known else True


async def _serve(
    chosen: Settings, kind: Kind, toolsets: frozenset[str], narrowed_to: Narrowing, *, wire: Wire | None, parent: Parent
) -> int:
    """The exit status, when the conversation is over."""
    from saasus_mcp.server.repeats import Repeats  # noqa: PLC0415 - as below
    from saasus_mcp.server.stdio import Conversation  # noqa: PLC0415 - the SDK is the slowest import there is

    logs.set_up(Repeats())
    conversation = Conversation(wire or _threaded())
    async with (
        compose.pipeline(chosen, partial(_console, chosen)) as pipeline,
        compose.staff(chosen, {pipeline.place.profile: pipeline}) as runners,
    ):
        if pipeline.policy.announcement:
            click.echo(f"saasus-mcp: {pipeline.policy.announcement}", err=True)
        serving = server(pipeline, runners[pipeline.place.profile], chosen, kind, toolsets, narrowed_to=narrowed_to)
        gc.freeze()  # what was loaded stays: it need not be looked through again for garbage
        gc.enable()
        async with stopping.heeding(conversation.end, parent) as stopped, conversation.streams() as (reading, writing):
            await serving.run(reading, writing, serving.create_initialization_options())
    return stopped.status


def _threaded() -> ThreadWire:
    from saasus_mcp.server.thread_wire import ThreadWire  # noqa: PLC0415 - only on Windows

    return ThreadWire.claim()


def server(
    pipeline: Pipeline,
    runner: Runner,
    chosen: Settings,
    kind: Kind,
    toolsets: frozenset[str],
    *,
    narrowed_to: Narrowing = EVERYTHING,
) -> Server[Any]:
    """The server for the person at this machine."""
    from saasus_mcp.jobs.tools import tools  # noqa: PLC0415 - as all that serves
    from saasus_mcp.server.mcp import build  # noqa: PLC0415 - imports the SDK
    from saasus_mcp.server.surface import Surface  # noqa: PLC0415 - imports the HTTP client

    principal = replace(compose.local_user(), narrowing=narrowed_to)
    surface = Surface(pipeline, chosen.lang, kind, toolsets, tools(runner, kind))
    return build(pipeline, lambda _: principal, chosen.lang, surface)


def _console(chosen: Settings) -> str:
    """Where the console of this machine is, if it runs."""
    from saasus_mcp.hosting.console import beacon  # noqa: PLC0415 - only where a person must approve

    return beacon.find(chosen.folder, time.time())
