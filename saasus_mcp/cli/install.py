"""`saasus-mcp install CLIENT`: our server in an MCP client's configuration, and out of it again."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from saasus_mcp.catalog import load
from saasus_mcp.cli import compose, options
from saasus_mcp.cli.install_wording import WORDS
from saasus_mcp.cli.launching import Wanted, server
from saasus_mcp.cli.options import named_toolsets, settings, shared
from saasus_mcp.cli.terminal import ask_hidden, attended
from saasus_mcp.clients import editing, keeping
from saasus_mcp.clients.entry import PLACEHOLDER, Entry, Local, Remote, entry
from saasus_mcp.clients.keeping import Held, Keeper
from saasus_mcp.clients.known import ANY, CLIENTS, Client, Machine
from saasus_mcp.clients.showing import difference
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.settings import Settings, credentials, endpoint, require_sound

NAME = "saasus"
LEGAL_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


class NotInstalled(SaasusMcpError):
    """What was asked for cannot be written; nothing was."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be installed, and how.

    Attributes:
        url: of a hosted server; None for one that the client starts.
        token: the variable that holds a hosted server's bearer token.
        printed: whether it is only shown, so that placeholders stand for credentials.
    """

    client: Client
    settings: Settings
    wanted: Wanted
    name: str
    url: str | None
    token: str
    write_secrets: bool
    yes: bool
    printed: bool

    @property
    def words(self) -> Mapping[str, str]:
        return WORDS[self.settings.lang]

    @property
    def needed(self) -> dict[str, str]:
        """The variables that hold the credentials, with their values; none for the sandbox or a hosted server."""
        return {} if self.url or self.settings.sandbox else credentials(self.settings)

    @property
    def in_clear(self) -> bool:
        """Whether credentials would be written as they are."""
        return self.write_secrets or not (self.client.reference or self.client.forwards)


@click.command
@click.argument("client", required=False, type=click.Choice(list(CLIENTS)))
@shared
@options.chosen_surface
@options.chosen_toolsets
@click.option("--url", metavar="URL", help="URL of a hosted server, such as https://mcp.example.com/mcp.")
@click.option(
    "--token-env",
    "token",
    metavar="NAME",
    default="",
    help="With --url: environment variable that holds a bearer token.",
)
@click.option("--name", default=NAME, show_default=True, help="Name of this server in the client.")
@click.option(
    "--command", "launcher", default="", metavar="COMMAND", help="Command that starts the server; uvx by default."
)
@click.option(
    "--file", type=click.Path(path_type=Path, dir_okay=False), help="Another configuration file of this client."
)
@click.option("--write-secrets", is_flag=True, help="Write credentials to the file in plain text.")
@click.option("--print", "printed", is_flag=True, help="Only print the entry; without CLIENT, in the common format.")
@click.option("--uninstall", is_flag=True, help="Remove the entry.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(client: str | None, file: Path | None, *, uninstall: bool, **flags: Any) -> None:
    """Add this server to an MCP client's configuration after showing the changes.

    Credentials are written as references if the client supports them. The rest of the file is not changed.
    """
    order = _order(client, flags)
    if order.printed:
        click.echo(editing.alone(order.client, order.name, _entry(order)))
        return
    held = keeping.read(file or order.client.file(Machine(platform.system(), Path.home(), os.environ)))
    keeper = Keeper(order.settings.folder, order.client, held.file, order.name)
    click.echo(f"{order.client.title}: {held.file}")
    if held.link is not None:
        click.echo(order.words["follows"].format(link=held.link))
    if uninstall:
        _take_out(order, keeper, held)
    else:
        _put_in(order, keeper, held)


def _order(client: str | None, flags: dict[str, Any]) -> Order:
    own = {name: flags.pop(name) for name in ("name", "url", "token", "write_secrets", "yes", "printed")}
    launcher, surface, toolsets = (flags.pop(name) for name in ("launcher", "surface", "toolsets"))
    chosen = settings(**flags)
    words = WORDS[chosen.lang]
    if client is None and not own["printed"]:
        raise NotInstalled(words["which"], words["which_mend"].format(clients=", ".join(CLIENTS)))
    if not LEGAL_NAME.fullmatch(own["name"]):
        raise NotInstalled(words["bad_name"], words["bad_name_mend"])
    known = CLIENTS[client] if client else ANY
    try:
        own["url"] = endpoint(own["url"]) if own["url"] else None
    except ValueError as error:
        raise NotInstalled(f"--url: {error}.", words["nothing"]) from None
    if own["url"] and not known.remote:
        raise NotInstalled(words["no_remote"].format(client=known.title), words["no_remote_mend"])
    wanted = Wanted(launcher, surface, named_toolsets(toolsets or "", chosen.lang))
    return Order(client=known, settings=chosen, wanted=wanted, **own)


def _put_in(order: Order, keeper: Keeper, held: Held) -> None:
    if not order.url:
        compose.policy(
            order.settings
        )  # a policy that stops the server is found now, not by a client that does not start
    new = editing.put(keeper.base(held), order.client, order.name, _entry(order))
    if new == held.text:
        click.echo(order.words["already"])
        return
    click.echo(_coloured(difference(order.client, order.name, held.text, new)))
    private = bool(order.in_clear and order.needed) and held.mode & keeping.OTHERS != 0
    for note in (*_notes(order), *([order.words["made_private"].format(mode=f"{held.mode:04o}")] if private else [])):
        click.echo(f"\n{note}")
    _agree(order, "write")
    keeper.write(held, new, private=private)
    click.echo(order.words["written"].format(client=order.client.title, folder=keeper.folder))


def _take_out(order: Order, keeper: Keeper, held: Held) -> None:
    before = keeper.before(held)
    if before == held.raw:
        click.echo(order.words["not_there"].format(name=order.name))
        return
    click.echo(_coloured(difference(order.client, order.name, held.text, (before or b"").decode())))
    _agree(order, "take_out")
    keeper.restore(held)
    click.echo(order.words["taken_out"].format(client=order.client.title))


def _entry(order: Order) -> Entry:
    if order.url:
        return entry(order.client, Remote(order.url, order.token), order.name)
    if order.settings.sandbox:
        compose.place(order.settings)  # which goes with no profile
    needed, written = order.needed, {}
    if order.in_clear:
        written = (
            {name: PLACEHOLDER.format(name=name) for name in needed} if order.printed else _in_clear(order, needed)
        )
    plain, started = server(order.settings, order.client, order.wanted)
    return entry(order.client, Local(started, plain, tuple(needed), written), order.name)


def _in_clear(order: Order, needed: dict[str, str]) -> dict[str, str]:
    """Credentials to be written as they are, which is never done without a person's word."""
    words = order.words
    if needed and not order.write_secrets:
        said = words["clear"].format(client=order.client.title, names=", ".join(needed))
        if not attended(sys.stdin):
            raise NotInstalled(said, words["clear_mend"])
        click.echo(f"{said} {words['clear_mend']}")
        if not click.confirm(words["clear_ask"]):
            raise NotInstalled(words["nothing"])
    for name, value in needed.items():
        if not value and not attended(sys.stdin):
            raise NotInstalled(words["unset"].format(name=name), words["unset_mend"])
    values = {name: value or ask_hidden(name) for name, value in needed.items()}
    require_sound(values, order.settings.lang)
    return values


def _notes(order: Order) -> Iterator[str]:
    """What a person should know before they say yes."""
    words, client, needed = order.words, order.client, order.needed
    if order.url:
        yield words["remote_token" if order.token else "remote_oauth"].format(name=order.token)
        return
    if needed and not order.in_clear and client.inputs:
        yield words["asks"].format(client=client.title)
    elif needed and not order.in_clear:
        yield words["references"].format(client=client.title, names=", ".join(needed))
        unset = [name for name, value in needed.items() if not value]
        if unset:
            yield words["unset_here"].format(names=", ".join(unset))
        if client.windowed:
            yield words["windowed"].format(client=client.title)
    if client.tools is not None:
        count = _listed(order.wanted)
        yield words["crowded" if count > client.tools else "holds"].format(
            client=client.title, most=client.tools, count=count
        )
    if client.key == "claude-code":
        yield words["running"]
    yield words["boundary"]


def _listed(wanted: Wanted) -> int:
    """How many operations would be listed, at least, by a client that cannot hold them all."""
    if wanted.toolsets:
        return sum(operation.toolset in wanted.toolsets for operation in load())
    return len(load()) if wanted.surface == "full" else 0


def _agree(order: Order, question: str) -> None:
    """Go on only with a person's yes, or with --yes.

    Raises:
        NotInstalled: there is nobody to ask, or they said no.
    """
    if order.yes:
        return
    if not attended(sys.stdin):
        raise NotInstalled(order.words["nobody"], order.words["nobody_mend"])
    if not click.confirm(f"\n{order.words[question]}"):
        raise NotInstalled(order.words["nothing"])


def _coloured(text: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    return "\n".join(click.style(line, fg=colours.get(line[:1])) for line in text.splitlines())
