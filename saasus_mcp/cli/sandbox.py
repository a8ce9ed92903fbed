"""`saasus-mcp sandbox`: the emulated SaaSus API on a port of this machine, for clients outside this process."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import click

from saasus_mcp.catalog import load
from saasus_mcp.cli.options import language, settings
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.errors import SaasusMcpError

HOST = "127.0.0.1"
PORT = 8790


@click.command
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 for any that is free.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[=VALUE][@TOOL][%PERCENT]",
    help="Misbehave: latency=SECONDS, status=CODE[:RETRY_AFTER], reset or drop, e.g. status=503@auth_get_tenant%20. Repeatable.",
)
@language
def command(port: int, faults: tuple[str, ...], **flags: Any) -> None:
    """Serve the sandbox until Ctrl+C, and print what a client needs to use it."""
    words = WORDS[settings(**flags).lang]
    from saasus_mcp.sandbox import CREDENTIALS, Sandbox, serve  # noqa: PLC0415 - only where it is used
    from saasus_mcp.sandbox.faults import parsed  # noqa: PLC0415 - as above

    catalogue = load()
    sandbox = Sandbox(catalogue)
    for fault in faults:
        sandbox.faults.add(**parsed(fault, catalogue))

    try:
        port = _free(port)
    except OSError as error:
        raise SaasusMcpError(words["port_taken"].format(port=port, why=error.strerror), words["port_mend"]) from None
    url = f"http://{HOST}:{port}"
    click.echo(f"{words['sandbox_at'].format(url=url)}\n{words['sandbox_env']}\n")
    click.echo(f"  SAASUS_API_URL_BASE={url}")
    click.echo(f"  SAASUS_SAAS_ID={CREDENTIALS.saas_id}")
    click.echo(f"  SAASUS_API_KEY={CREDENTIALS.api_key}")
    click.echo(f"  SAASUS_SECRET_KEY={CREDENTIALS.secret_key}")
    click.echo(f"\n{words['sandbox_stop']}")
    with contextlib.suppress(KeyboardInterrupt):
        serve(HOST, port, sandbox)


def _free(port: int) -> int:
    """The port, or any free one for 0; known to be free a moment before it is used.

    Raises:
        OSError: it is taken, or not ours to take.
    """
    with socket.create_server((HOST, port)) as probe:
        return int(probe.getsockname()[1])
