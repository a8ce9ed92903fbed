"""`saasus-mcp serve`: MCP on stdio. Standard output belongs to the protocol; everything else goes to standard error."""

from __future__ import annotations

import logging
import sys
from typing import Any

import anyio
import click

from saasus_mcp.cli import compose
from saasus_mcp.cli.options import settings, shared
from saasus_mcp.settings import Settings


@click.command
@shared
def command(**flags: Any) -> None:
    """Serve MCP on stdio. This is what MCP clients run."""
    anyio.run(_serve, settings(**flags))


async def _serve(chosen: Settings) -> None:
    from mcp.server.stdio import stdio_server  # noqa: PLC0415 - the SDK is the slowest import there is

    from saasus_mcp.server.mcp import build  # noqa: PLC0415 - imports the SDK

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="saasus-mcp: %(levelname)s: %(message)s")
    async with compose.pipeline(chosen) as pipeline:
        if pipeline.policy.announcement:
            click.echo(f"saasus-mcp: {pipeline.policy.announcement}", err=True)
        principal = compose.local_user()
        server = build(pipeline, lambda _: principal, chosen.lang)
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())
