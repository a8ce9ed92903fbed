"""Serve MCP on stdio, for the user of this computer, once the early responses are sent."""

from __future__ import annotations

import gc
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.lowlevel import Server

from saasus_mcp.cli import composition, notice_delivery, server_log
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.options import SurfaceOptions
from saasus_mcp.cli.serve import stop_signals
from saasus_mcp.cli.terminal import announce_policy
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.scheduling.interpreter import tuned_for_serving
from saasus_mcp.server.stdio.dispatcher import StdioDispatcher
from saasus_mcp.server.stdio.log_throttle import RepeatFilter
from saasus_mcp.server.stdio.parent_process import ParentProcess
from saasus_mcp.server.stdio.pipe_transport import PipeTransport
from saasus_mcp.server.stdio.protocol_eras import serve
from saasus_mcp.settings.environment import Settings

if TYPE_CHECKING:
    from saasus_mcp.jobs.runner import JobRunner
    from saasus_mcp.server.stdio.thread_transport import ThreadTransport


def run(settings: Settings, options: SurfaceOptions, *, transport: PipeTransport | None, parent: ParentProcess) -> int:
    """Serve one client. Return the exit status.

    Args:
        transport: the pipes of the client; None on a system whose event loop cannot wait for them.
    """
    return anyio.run(partial(_serve, settings, options, transport=transport, parent=parent))


async def _serve(
    settings: Settings, options: SurfaceOptions, *, transport: PipeTransport | None, parent: ParentProcess
) -> int:
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
    principal = replace(local_user(), narrowing=options.narrowing)
    return composition.build_mcp_server(pipeline, runner, lambda _: principal, settings, options)
