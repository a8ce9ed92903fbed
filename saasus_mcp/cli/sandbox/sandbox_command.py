"""`saasus-mcp sandbox`: the emulated SaaSus API on a port of this machine, for clients outside this process."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli.options import language_option, load_settings
from saasus_mcp.cli.sandbox import sandbox_state
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError

HOST = "127.0.0.1"
PORT = 8790


@click.command
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 for any free port.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[=VALUE][@TOOL][%PERCENT]",
    help="Inject a fault: latency=SECONDS, status=CODE[:RETRY_AFTER], reset or drop, e.g. status=503@auth_get_tenant%20. Repeatable.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Load the state from FILE if it exists, and save the state to it at the end.",
)
@language_option
def command(port: int, faults: tuple[str, ...], state: Path | None, **flags: Any) -> None:
    """Serve the sandbox until Ctrl+C, and print the settings for clients.

    Its state is lost at the end unless --state specifies a file. Secrets sent by callers and bodies in the API log are not
    written to that file.
    """
    chosen = load_settings(**flags)
    words = WORDS[chosen.lang]
    from saasus_mcp.sandbox import Sandbox, serve_sandbox  # noqa: PLC0415 - only where it is used
    from saasus_mcp.sandbox.faults import parse_fault  # noqa: PLC0415 - as above

    catalogue = load_catalogue()
    told = [parse_fault(fault, catalogue) for fault in faults]
    try:
        port = _free(port)
    except OSError as error:
        raise SaasusMcpError(words["port_taken"].format(port=port, why=error.strerror), words["port_mend"]) from None
    file = None if state is None else state.absolute()
    kept = nullcontext(Sandbox(catalogue)) if file is None else sandbox_state.open_sandbox_file(chosen, file)
    with suppress(KeyboardInterrupt), _ended_by_signals(), kept as sandbox:
        for fault in told:
            sandbox.faults.add(**fault)
        _introduce(f"http://{HOST}:{port}", words)
        click.echo(f"\n{words['sandbox_stop'] if file is None else words['sandbox_kept'].format(file=file)}")
        serve_sandbox(HOST, port, sandbox)


def _introduce(url: str, words: Mapping[str, str]) -> None:
    """Print what a client needs."""
    from saasus_mcp.sandbox import CREDENTIALS  # noqa: PLC0415 - only where it is used

    click.echo(f"{words['sandbox_at'].format(url=url)}\n{words['sandbox_env']}\n")
    click.echo(f"  SAASUS_API_URL_BASE={url}")
    click.echo(f"  SAASUS_SAAS_ID={CREDENTIALS.saas_id}")
    click.echo(f"  SAASUS_API_KEY={CREDENTIALS.api_key}")
    click.echo(f"  SAASUS_SECRET_KEY={CREDENTIALS.secret_key}")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """While entered, a signal that asks the process to end does so by way of its cleanup, in which the state is written."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free(port: int) -> int:
    """The port, or any free one for 0; known to be free a moment before it is used.

    Raises:
        OSError: it is taken, or not ours to take.
    """
    with socket.create_server((HOST, port)) as probe:
        return int(probe.getsockname()[1])
