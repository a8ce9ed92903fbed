"""`saasus-mcp serve`: MCP on stdio, or over HTTP. On stdio, standard output belongs to the protocol; everything else goes to standard error."""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from saasus_mcp.cli import composition, options, server_log
from saasus_mcp.cli.options import load_settings, parse_toolset_names, shared_options
from saasus_mcp.cli.serve import serve_http, stop_signals
from saasus_mcp.common import working_directory
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.server.stdio.parent_process import ParentProcess
from saasus_mcp.server.stdio.pipe_transport import PipeTransport
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.settings import Settings

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from saasus_mcp.jobs.runner import JobRunner
    from saasus_mcp.server.pipeline.call_pipeline import Pipeline
    from saasus_mcp.server.stdio.thread_transport import ThreadTransport


@click.command
@shared_options
@options.surface_option
@options.toolsets_option
@options.tools_option
@options.exclude_tools_option
@serve_http.http_options
def command(surface: SurfaceKind, toolsets: str, tools: str | None, exclude_tools: str | None, **flags: Any) -> None:
    """Serve MCP on stdio (the command for MCP clients) or over HTTP."""
    chosen = load_settings(**flags)
    named = parse_toolset_names(toolsets, chosen.lang)
    narrowed_to = options.parse_narrowing(tools, exclude_tools)
    with working_directory.outside_working_directory():
        if chosen.transport == "http":
            serve_http.serve_http(chosen, surface, named, narrowed_to)
        else:
            _serve_stdio(chosen, surface, named, narrowed_to)


def _serve_stdio(chosen: Settings, kind: SurfaceKind, toolsets: frozenset[str], narrowed_to: Narrowing) -> None:
    stop_signals.exit_on_signal()
    parent = ParentProcess()
    _greet_a_person()
    composition.check_prerequisites(chosen)
    wire = PipeTransport.claim(parent)
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


def _welcomed(
    wire: PipeTransport, chosen: Settings, kind: SurfaceKind, toolsets: frozenset[str], narrowed_to: Narrowing
) -> bool:
    """Give the first answers where they are ready. False where the client is gone after them.

    A policy file and a shared database take the plain way: what the one lists is not known before, and a server for which
    either is broken does not answer.
    """
    from saasus_mcp.server.stdio.early import (  # noqa: PLC0415 - only on stdio
        early_responses,
        precomputed,
    )

    known = (
        chosen.policy is None
        and chosen.database_url is None
        and precomputed.load_precomputed(
            composition.resolve_place(chosen),
            composition.preset_name(chosen),
            kind=kind,
            toolsets=toolsets,
            language=chosen.lang,
            narrowing=narrowed_to,
        )
    )
    return early_responses.respond_early(wire, known) if known else True


async def _serve(
    chosen: Settings,
    kind: SurfaceKind,
    toolsets: frozenset[str],
    narrowed_to: Narrowing,
    *,
    wire: PipeTransport | None,
    parent: ParentProcess,
) -> int:
    """The exit status, when the conversation is over."""
    from saasus_mcp.server.stdio.log_throttle import RepeatFilter  # noqa: PLC0415 - as below
    from saasus_mcp.server.stdio.message_stream import MessageStream  # noqa: PLC0415 - the SDK is the slowest import there is

    server_log.configure_logging(RepeatFilter())
    conversation = MessageStream(wire or _threaded())
    async with (
        composition.open_pipeline(chosen, partial(_console, chosen)) as pipeline,
        composition.open_job_runners(chosen, {pipeline.destination.profile: pipeline}) as runners,
    ):
        if pipeline.policy.announcement:
            click.echo(f"saasus-mcp: {pipeline.policy.announcement}", err=True)
        serving = build_stdio_server(
            pipeline, runners[pipeline.destination.profile], chosen, kind, toolsets, narrowed_to=narrowed_to
        )
        gc.freeze()  # what was loaded stays: it need not be looked through again for garbage
        gc.enable()
        async with (
            stop_signals.stop_on_signal(conversation.end, parent) as stopped,
            conversation.streams() as (reading, writing),
        ):
            await serving.run(reading, writing, serving.create_initialization_options())
    return stopped.exit_status


def _threaded() -> ThreadTransport:
    from saasus_mcp.server.stdio.thread_transport import ThreadTransport  # noqa: PLC0415 - only on Windows

    return ThreadTransport.claim()


def build_stdio_server(
    pipeline: Pipeline,
    runner: JobRunner,
    chosen: Settings,
    kind: SurfaceKind,
    toolsets: frozenset[str],
    *,
    narrowed_to: Narrowing = NO_NARROWING,
) -> Server[Any]:
    """The server for the person at this machine."""
    from saasus_mcp.jobs.job_tools import build_job_tools  # noqa: PLC0415 - as all that serves
    from saasus_mcp.server.mcp_server import build_server  # noqa: PLC0415 - imports the SDK
    from saasus_mcp.server.surface.tool_surface import ToolSurface  # noqa: PLC0415 - imports the HTTP client

    principal = replace(composition.local_user(), narrowing=narrowed_to)
    surface = ToolSurface(pipeline, chosen.lang, kind, toolsets=toolsets, extra_tools=build_job_tools(runner, kind))
    return build_server(pipeline, lambda _: principal, chosen.lang, surface)


def _console(chosen: Settings) -> str:
    """Where the console of this machine is, if it runs."""
    from saasus_mcp.hosting.console import presence  # noqa: PLC0415 - only where a person must approve

    return presence.find_console(chosen.state_folder, time.time())
