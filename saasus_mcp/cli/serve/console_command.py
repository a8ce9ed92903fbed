"""`saasus-mcp console`: serve the console on loopback, for the user of this computer."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import anyio
import click

from saasus_mcp.cli import notice_delivery, server_log
from saasus_mcp.cli.command_line import INTERRUPTED, command, option
from saasus_mcp.cli.options import json_outcome_option, settings_options
from saasus_mcp.cli.output import print_outcome
from saasus_mcp.cli.terminal import require_person, say
from saasus_mcp.common.messages import message
from saasus_mcp.settings.addresses import HIGHEST_PORT
from saasus_mcp.settings.environment import Settings

if TYPE_CHECKING:
    from saasus_mcp.store.store import Store

LOOPBACK = "127.0.0.1"


@command(help="cli_help.command.console")
@settings_options()
@option("--port", type=click.IntRange(0, HIGHEST_PORT), default=0, help="cli_help.option.console_port")
@option("--open", "open_browser", is_flag=True, help="cli_help.option.open_browser")
@json_outcome_option
def console(settings: Settings, *, port: int, open_browser: bool) -> None:
    """Print a one-time link and serve until Ctrl+C."""
    require_person("console")
    server_log.configure_logging()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    if anyio.run(_serve, settings, port, open_browser):
        sys.exit(INTERRUPTED)


async def _serve(settings: Settings, port: int, open_browser: bool) -> bool:  # noqa: FBT001 - anyio.run takes no keywords
    from saasus_mcp.catalog import load_catalogue  # noqa: PLC0415 - the rest imports the web server
    from saasus_mcp.cli.serve import console_composition  # noqa: PLC0415 - as above
    from saasus_mcp.hosting.console import presence  # noqa: PLC0415 - as above
    from saasus_mcp.hosting.console.rendering import BASE_PATH  # noqa: PLC0415 - as above
    from saasus_mcp.hosting.http import application, uvicorn_server  # noqa: PLC0415 - as above
    from saasus_mcp.settings.hosting import AuthTable, HttpTable, resolve_http_settings  # noqa: PLC0415 - as above

    with ExitStack() as until, uvicorn_server.open_listener(LOOPBACK, port) as listener:
        http = resolve_http_settings(HttpTable(), AuthTable(), host=LOOPBACK, port=listener.getsockname()[1])
        built = console_composition.build_local_console(settings, load_catalogue(), until)
        url = http.public_url + BASE_PATH
        link = console_composition.signin_link(built, url)
        _introduce(link, asks_passphrase=built.signin.passphrase_check() is not None)
        if open_browser:
            click.launch(link)

        def list_stores() -> list[Store]:
            return [each.store() for each in built.service.list_contexts()]

        async with (
            notice_delivery.deliver_local_notices(settings, list_stores, url),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(presence.advertise_console, settings.state_folder, url)
            app = application.build_console_app(http, built.routes())
            server = uvicorn_server.create_server(app)
            await server.serve([listener])
            tasks.cancel_scope.cancel()
    return server.interrupted


def _introduce(link: str, *, asks_passphrase: bool) -> None:
    print_outcome({"url": link}, message("cli_serve.console_open"), f"\n  {link}\n")
    if asks_passphrase:
        say(message("cli_serve.console_passphrase"))
    say(message("cli_serve.console_running"))
    say(message("cli_serve.console_boundary"))
