"""`saasus-mcp console`: the console on this machine, for whoever owns it. Serves nothing but the console, on loopback."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

import anyio
import click

from saasus_mcp.cli import logs
from saasus_mcp.cli.console_wording import WORDS
from saasus_mcp.cli.options import settings, shared
from saasus_mcp.cli.terminal import require_person
from saasus_mcp.settings import HIGHEST_PORT, Settings

LOOPBACK = "127.0.0.1"


@click.command
@shared
@click.option(
    "--port", type=click.IntRange(0, HIGHEST_PORT), default=0, help="Port to listen on; any free port by default."
)
@click.option("--open", "opens", is_flag=True, help="Open the link in the browser.")
def command(*, port: int, opens: bool, **flags: Any) -> None:
    """Approve calls, browse records and freeze writes in a browser, for every SaaS on this computer."""
    chosen = settings(**flags)
    require_person("console", chosen.lang)
    logs.set_up()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    anyio.run(_serve, chosen, port, opens)


async def _serve(chosen: Settings, port: int, opens: bool) -> None:  # noqa: FBT001 - anyio.run takes no keywords
    from saasus_mcp.catalog import load  # noqa: PLC0415 - what follows imports the web server
    from saasus_mcp.cli import consoles  # noqa: PLC0415 - as above
    from saasus_mcp.hosting import app, serving  # noqa: PLC0415 - as above
    from saasus_mcp.hosting.console import beacon  # noqa: PLC0415 - as above
    from saasus_mcp.hosting.console.web import BASE  # noqa: PLC0415 - as above
    from saasus_mcp.settings.hosting import AuthTable, HttpTable, settled  # noqa: PLC0415 - as above

    with ExitStack() as until, serving.listening(LOOPBACK, port) as listener:
        where = settled(HttpTable(), AuthTable(), LOOPBACK, listener.getsockname()[1], None)
        console = consoles.local(chosen, load(), until)
        base = where.public_url + BASE
        link = consoles.link(console, base)
        _say(chosen, link, asks=console.doors.passphrase() is not None)
        if opens:
            click.launch(link)
        async with anyio.create_task_group() as both:
            both.start_soon(beacon.shine, chosen.folder, base)
            await serving.server(app.alone(where, console.routes())).serve([listener])
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
