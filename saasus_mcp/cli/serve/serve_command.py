"""`saasus-mcp serve`: MCP on stdio or over HTTP.

On stdio, standard output belongs to the protocol. Everything else goes to standard error.
"""

from __future__ import annotations

import gc
import sys

from saasus_mcp.cli.command_line import command
from saasus_mcp.cli.destination import check_prerequisites, resolve_destination
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
from saasus_mcp.cli.policy_in_force import preset_name
from saasus_mcp.cli.serve import stop_signals
from saasus_mcp.cli.terminal import say
from saasus_mcp.common import working_directory
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.server.sdk_imports import load_server
from saasus_mcp.server.stdio.parent_process import ParentProcess
from saasus_mcp.server.stdio.pipe_transport import PipeTransport
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.validation import SettingsError


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
    check_prerequisites(settings)
    transport = PipeTransport.claim(parent)
    if transport is not None and not _respond_early(transport, settings, options):
        return
    gc.disable()  # loading the SDK makes no garbage, and collecting would take a tenth of the time
    load_server()
    from saasus_mcp.cli.serve import serve_stdio  # noqa: PLC0415 - after the early responses to the client

    sys.exit(serve_stdio.run(settings, options, transport=transport, parent=parent))


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
        resolve_destination(settings),
        preset_name(settings),
        kind=options.kind,
        toolsets=options.toolsets,
        language=settings.lang,
        narrowing=options.narrowing,
    )
    return early_responses.respond_early(transport, responses) if responses else True
