"""`saasus-mcp serve`: MCP on stdio, or over HTTP. On stdio, standard output belongs to the protocol; everything else goes to standard error."""

from __future__ import annotations

import logging
import sys
import time
from functools import partial
from typing import Any

import anyio
import click

from saasus_mcp.cli import compose, options, serve_http
from saasus_mcp.cli.options import named_toolsets, settings, shared
from saasus_mcp.server.surface import Kind, Surface
from saasus_mcp.settings import Settings


@click.command
@shared
@options.surface
@options.toolsets
@serve_http.options
def command(surface: Kind, toolsets: str, **flags: Any) -> None:
    """Serve MCP on stdio, which is what MCP clients run, or over HTTP."""
    chosen = settings(**flags)
    if chosen.transport == "http":
        serve_http.serve(chosen, surface, named_toolsets(toolsets, chosen.lang))
    else:
        anyio.run(_serve, chosen, surface, named_toolsets(toolsets, chosen.lang))


async def _serve(chosen: Settings, kind: Kind, toolsets: frozenset[str]) -> None:
    from mcp.server.stdio import stdio_server  # noqa: PLC0415 - the SDK is the slowest import there is

    from saasus_mcp.jobs.tools import tools  # noqa: PLC0415 - as all that serves
    from saasus_mcp.server.mcp import build  # noqa: PLC0415 - imports the SDK

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="saasus-mcp: %(levelname)s: %(message)s")
    async with (
        compose.pipeline(chosen, partial(_console, chosen)) as pipeline,
        compose.staff(chosen, {pipeline.place.profile: pipeline}) as runners,
    ):
        if pipeline.policy.announcement:
            click.echo(f"saasus-mcp: {pipeline.policy.announcement}", err=True)
        principal = compose.local_user()
        more = tools(runners[pipeline.place.profile], kind)
        surface = Surface(pipeline, chosen.lang, kind, toolsets, more)
        server = build(pipeline, lambda _: principal, chosen.lang, surface)
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())


def _console(chosen: Settings) -> str:
    """Where the console of this machine is, if it runs."""
    from saasus_mcp.hosting.console import beacon  # noqa: PLC0415 - only where a person must approve

    return beacon.find(chosen.folder, time.time())
