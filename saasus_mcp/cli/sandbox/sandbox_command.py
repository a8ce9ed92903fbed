"""`saasus-mcp sandbox`: serve the emulated SaaSus API on a port of this computer."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli.command_line import command, option
from saasus_mcp.cli.options import json_outcome_option, settings_options
from saasus_mcp.cli.output import print_outcome
from saasus_mcp.cli.sandbox import sandbox_state
from saasus_mcp.cli.serve.stop_signals import SIGNAL_EXIT_BASE, SIGNAL_NAMES
from saasus_mcp.cli.terminal import say
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.settings.addresses import HIGHEST_PORT
from saasus_mcp.settings.environment import Settings

HOST = "127.0.0.1"
PORT = 8790


@command(help="cli_help.command.sandbox")
@option(
    "--port",
    type=click.IntRange(0, HIGHEST_PORT),
    default=PORT,
    show_default=True,
    help="cli_help.option.sandbox_port",
)
@option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[=VALUE][@TOOL][%PERCENT]",
    help="cli_help.option.fault",
)
@option("--state", type=click.Path(path_type=Path), metavar="FILE", help="cli_help.option.sandbox_state")
@json_outcome_option
@settings_options("lang")
def sandbox(settings: Settings, *, port: int, faults: tuple[str, ...], state: Path | None) -> None:
    """Print the settings for clients, and serve until a signal ends the process."""
    from saasus_mcp.sandbox import Sandbox, serve_sandbox  # noqa: PLC0415 - imports the web server
    from saasus_mcp.sandbox.faults import parse_fault  # noqa: PLC0415 - as above

    catalogue = load_catalogue()
    injected = [parse_fault(fault, catalogue) for fault in faults]
    port = _find_port(port)
    file = None if state is None else state.absolute()
    opened = nullcontext(Sandbox(catalogue)) if file is None else sandbox_state.open_sandbox_file(settings, file)
    with _exit_on_signals(), opened as emulator:
        emulator.faults.active += injected
        _print_settings(f"http://{HOST}:{port}")
        if file is None:
            say(message("cli_sandbox.stop_without_saving"))
        else:
            say(message("cli_sandbox.stop_and_save", file=str(file)))
        serve_sandbox(HOST, port, emulator)


def _print_settings(url: str) -> None:
    from saasus_mcp.sandbox import CREDENTIALS  # noqa: PLC0415 - imports the web server

    variables = {
        "SAASUS_API_URL_BASE": url,
        "SAASUS_SAAS_ID": CREDENTIALS.saas_id,
        "SAASUS_API_KEY": CREDENTIALS.api_key,
        "SAASUS_SECRET_KEY": CREDENTIALS.secret_key,
    }
    listed = "".join(f"\n  {name}={value}" for name, value in variables.items())
    print_outcome(
        {"url": url, "environment": variables},
        message("cli_sandbox.listening", url=url),
        message("cli_sandbox.environment"),
        f"{listed}\n",
    )


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """Let signals end the process through its cleanup, which saves the state."""

    def exit_process(number: int, _: FrameType | None) -> NoReturn:
        sys.exit(SIGNAL_EXIT_BASE + number)

    numbers = [getattr(signal, name) for name in SIGNAL_NAMES if hasattr(signal, name)]
    before = {number: signal.signal(number, exit_process) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _find_port(port: int) -> int:
    """Return the port, or a free one for 0. It is free now, a moment before it is used.

    Raises:
        SaasusMcpError: the port cannot be used.
    """
    try:
        with socket.create_server((HOST, port)) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        reason = os_reason(error)
        raise SaasusMcpError.of("cli_sandbox.port_unusable", port=port, reason=reason) from None
