"""`saasus-mcp serve`: MCP on stdio or over HTTP.

On stdio, standard output belongs to the protocol. Everything else goes to standard error.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from saasus_mcp.cli import composition, server_log
from saasus_mcp.cli.command_line import command
from saasus_mcp.cli.options import (
    CALL_SETTINGS,
    SurfaceOptions,
    exclude_tools_option,
    parse_narrowing,
    parse_toolset_names,
    settings_options,
    surface_option,
    tools_option,
    toolsets_option,
)
from saasus_mcp.cli.serve import stop_signals
from saasus_mcp.cli.terminal import announce_policy, say
from saasus_mcp.common import working_directory
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.server.sdk_imports import load_server
from saasus_mcp.server.stdio.parent_process import ParentProcess
from saasus_mcp.server.stdio.pipe_transport import PipeTransport
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.validation import SettingsError

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from saasus_mcp.jobs.runner import JobRunner
    from saasus_mcp.server.pipeline.call_pipeline import Pipeline
    from saasus_mcp.server.stdio.thread_transport import ThreadTransport


@command(help="cli_help.command.serve")
@settings_options(*CALL_SETTINGS, "transport", "host", "port", "public_url", "workers", locale=False)
@surface_option
@toolsets_option
@tools_option
@exclude_tools_option
def serve(
    settings: Settings, *, surface: SurfaceKind, toolsets: str, tools: str | None, exclude_tools: str | None
) -> None:
    """Serve until the client, a signal or the parent process ends it."""
    options = SurfaceOptions(surface, parse_toolset_names(toolsets), parse_narrowing(tools, exclude_tools))
    with working_directory.outside_working_directory():
        if settings.transport == "http":
            from saasus_mcp.cli.serve import workers  # noqa: PLC0415 - only for HTTP

            workers.serve(settings, options)
        elif (count := settings.workers or 1) > 1:
            raise SettingsError.of("cli_serve.workers_on_stdio", workers=count)
        else:
            _serve_stdio(settings, options)


def _serve_stdio(settings: Settings, options: SurfaceOptions) -> None:
    _require_streams()
    stop_signals.exit_on_signal()
    parent = ParentProcess()
    _greet_person()
    composition.check_prerequisites(settings)
    transport = PipeTransport.claim(parent)
    if transport is not None and not _respond_early(transport, settings, options):
        return
    gc.disable()  # loading the SDK makes no garbage, and collecting would take a tenth of the time
    import anyio  # noqa: PLC0415 - after the early responses to the client

    load_server()
    sys.exit(anyio.run(partial(_serve, settings, options, transport=transport, parent=parent)))


def _require_streams() -> None:
    """Refuse to serve without the streams of a client. A file that is opened later would get the number of a closed one.

    Raises:
        SaasusMcpError: standard input or output is closed.
    """
    if sys.__stdin__ is None or sys.__stdout__ is None:  # Python looked at its start, before any file was opened
        raise SaasusMcpError.of("server.stdio_closed")


def _greet_person() -> None:
    """On a terminal, print what this is and what to run instead, and serve all the same.

    Some clients start servers on a terminal, and authors of clients type messages by hand.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        say(message("cli_serve.on_terminal"), err=True)


def _respond_early(transport: PipeTransport, settings: Settings, options: SurfaceOptions) -> bool:
    """Send the precomputed responses if they apply. Return False if the client has closed the connection.

    They do not apply with a policy file, which decides on the tools to list, or with a shared database: a server must not
    respond if one of these is broken.
    """
    from saasus_mcp.server.stdio.early import early_responses, precomputed  # noqa: PLC0415 - only on stdio

    if settings.policy is not None or settings.database_url is not None:
        return True
    responses = precomputed.load_precomputed(
        composition.resolve_destination(settings),
        composition.preset_name(settings),
        kind=options.kind,
        toolsets=options.toolsets,
        language=settings.lang,
        narrowing=options.narrowing,
    )
    return early_responses.respond_early(transport, responses) if responses else True


async def _serve(
    settings: Settings, options: SurfaceOptions, *, transport: PipeTransport | None, parent: ParentProcess
) -> int:
    """Serve one client. Return the exit status."""
    from saasus_mcp.cli import notice_delivery  # noqa: PLC0415 - after the early responses to the client
    from saasus_mcp.server.scheduling.interpreter import tuned_for_serving  # noqa: PLC0415 - as above
    from saasus_mcp.server.stdio.dispatcher import StdioDispatcher  # noqa: PLC0415 - the SDK is the slowest import
    from saasus_mcp.server.stdio.log_throttle import RepeatFilter  # noqa: PLC0415 - as above
    from saasus_mcp.server.stdio.protocol_eras import serve  # noqa: PLC0415 - as above

    server_log.configure_logging(RepeatFilter(), log_format=settings.log_format, level=settings.log_level)
    dispatcher = StdioDispatcher(transport or _thread_transport())
    console = partial(notice_delivery.local_console, settings)
    async with (
        composition.open_pipeline(settings, console) as pipeline,
        composition.open_job_runners(settings, {pipeline.destination.profile: pipeline}) as runners,
        notice_delivery.deliver_notices(settings, {pipeline.destination.profile: pipeline}, console),
    ):
        announce_policy(pipeline.policy.announcement)
        server = build_stdio_server(pipeline, runners[pipeline.destination.profile], settings, options)
        gc.freeze()  # the loaded modules stay, and need not be searched for garbage again
        gc.enable()
        with tuned_for_serving():
            async with stop_signals.stop_on_signal(dispatcher.end, parent) as stopped:
                await serve(server, dispatcher)
    return stopped.exit_status


def _thread_transport() -> ThreadTransport:
    from saasus_mcp.server.stdio.thread_transport import ThreadTransport  # noqa: PLC0415 - only on Windows

    return ThreadTransport.claim()


def build_stdio_server(
    pipeline: Pipeline, runner: JobRunner, settings: Settings, options: SurfaceOptions
) -> Server[Any]:
    """Return the MCP server for the user of this computer."""
    principal = replace(composition.local_user(), narrowing=options.narrowing)
    return composition.build_mcp_server(pipeline, runner, lambda _: principal, settings, options)
