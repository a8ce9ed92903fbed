"""`saasus-mcp console`: the console on this machine, for whoever owns it. Serves nothing but the console, on loopback."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

import anyio
import click

from saasus_mcp.cli import server_log
from saasus_mcp.cli.console_wording import WORDS
from saasus_mcp.cli.options import load_settings, shared_options
from saasus_mcp.cli.terminal import require_person
from saasus_mcp.settings import HIGHEST_PORT, Settings

LOOPBACK = "127.0.0.1"


@click.command
@shared_options
@click.option(
    "--port", type=click.IntRange(0, HIGHEST_PORT), default=0, help="Port to listen on; any free port by default."
)
@click.option("--open", "opens", is_flag=True, help="Open the link in the browser.")
def command(*, port: int, opens: bool, **flags: Any) -> None:
    """Approve calls, browse records and freeze writes in a browser, for every SaaS on this computer."""
    chosen = load_settings(**flags)
    require_person("console", chosen.lang)
    server_log.configure_logging()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    anyio.run(_serve, chosen, port, opens)


async def _serve(chosen: Settings, port: int, opens: bool) -> None:  # noqa: FBT001 - anyio.run takes no keywords
    from saasus_mcp.catalog import load_catalogue  # noqa: PLC0415 - what follows imports the web server
    from saasus_mcp.cli.serve import console_composition  # noqa: PLC0415 - as above
    from saasus_mcp.hosting.console import presence  # noqa: PLC0415 - as above
    from saasus_mcp.hosting.console.rendering import BASE_PATH  # noqa: PLC0415 - as above
    from saasus_mcp.hosting.http import (  # noqa: PLC0415 - as above
        application,
        uvicorn_server,
    )
    from saasus_mcp.settings.hosting import AuthTable, HttpTable, resolve_http_settings  # noqa: PLC0415 - as above

    with ExitStack() as until, uvicorn_server.open_listener(LOOPBACK, port) as listener:
        where = resolve_http_settings(HttpTable(), AuthTable(), host=LOOPBACK, port=listener.getsockname()[1])
        console = console_composition.build_local_console(chosen, load_catalogue(), until)
        base = where.public_url + BASE_PATH
        link = console_composition.signin_link(console, base)
        _say(chosen, link, asks=console.signin.passphrase_check() is not None)
        if opens:
            click.launch(link)
        async with anyio.create_task_group() as both:
            both.start_soon(presence.advertise_console, chosen.state_folder, base)
            await uvicorn_server.create_server(application.build_console_app(where, console.routes())).serve([listener])
            both.cancel_scope.cancel()


def _say(chosen: Settings, link: str, *, asks: bool) -> None:
    words = WORDS[chosen.lang]
    lines = [
        words["open"],
        "",
        f"  {link}",
        "",
        *([words["passphrase"]] if asks else []),
        words["running"],
        words["boundary"],
    ]
    click.echo("\n".join(lines))
