"""`saasus-mcp install CLIENT`: our server in an MCP client's configuration, and out of it again."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import click

from saasus_mcp.catalog import load
from saasus_mcp.cli import compose, options
from saasus_mcp.cli.install_wording import WORDS
from saasus_mcp.cli.launching import Wanted, server
from saasus_mcp.cli.options import named_toolsets, settings, shared
from saasus_mcp.cli.terminal import ask_hidden, attended
from saasus_mcp.clients import editing, keeping, tables
from saasus_mcp.clients.entry import PLACEHOLDER, Entry, Local, Remote, entry
from saasus_mcp.clients.keeping import Held, Keeper
from saasus_mcp.clients.known import ANY, CLIENTS, Client, Machine
from saasus_mcp.clients.showing import difference
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.settings import Settings, credentials, endpoint

NAME = "saasus"
Words = Any


class NotInstalled(SaasusMcpError):
    """What was asked for cannot be written; nothing was."""


@click.command
@click.argument("client", required=False, type=click.Choice(list(CLIENTS)))
@shared
@options.chosen_surface
@options.chosen_toolsets
@click.option("--url", metavar="URL", help="A hosted server's address, such as https://mcp.example.com/mcp.")
@click.option("--token-env", metavar="NAME", default="", help="With --url: the variable that holds a bearer token.")
@click.option("--name", default=NAME, show_default=True, help="What the client calls this server.")
@click.option("--command", "launcher", default="", metavar="COMMAND", help="Start the server so; else by uvx.")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), help="Another file of this client.")
@click.option("--write-secrets", is_flag=True, help="Write credentials into the file in clear.")
@click.option("--print", "printed", is_flag=True, help="Only print the entry; without CLIENT, in the usual form.")
@click.option("--uninstall", is_flag=True, help="Take the entry out again.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(client: str | None, *, printed: bool, uninstall: bool, **flags: Any) -> None:
    """Write this server into an MCP client's configuration, after showing what would change.

    Credentials are written as references where the client can resolve them. What else is in the file stays as it is.
    """
    own = {name: flags.pop(name) for name in ("url", "token_env", "launcher", "write_secrets", "yes", "name", "file")}
    shown = {name: flags.pop(name) for name in ("surface", "toolsets")}
    chosen = settings(**flags)
    words = WORDS[chosen.lang]
    if client is None and not printed:
        raise NotInstalled(words["which"], words["which_mend"].format(clients=", ".join(CLIENTS)))
    known = CLIENTS[client] if client else ANY
    wanted = Wanted(own["launcher"], shown["surface"], named_toolsets(shown["toolsets"] or "", chosen.lang))
    if printed:
        click.echo(_printed(known, own["name"], _entry(known, chosen, wanted, own, words, printed=True)).rstrip("\n"))
        return
    held = keeping.read(own["file"] or known.file(_machine()))
    keeper = Keeper(chosen.folder, known, held.file, own["name"])
    if uninstall:
        _take_out(known, keeper, held, own, words)
    else:
        _put_in(known, keeper, held, (chosen, wanted, own, words))


def _put_in(client: Client, keeper: Keeper, held: Held, asked: tuple[Settings, Wanted, dict[str, Any], Words]) -> None:
    chosen, wanted, own, words = asked
    if not own["url"]:
        compose.policy(chosen)  # a policy that stops the server is found now, and not by a client that does not start
    made = _entry(client, chosen, wanted, own, words)
    new = editing.put(keeper.base(held), client, own["name"], made)
    click.echo(f"{client.title}: {held.file}")
    if new == held.text:
        click.echo(words["already"])
        return
    click.echo(_coloured(difference(client, own["name"], held.text, new)))
    for note in _notes(client, chosen, wanted, own, words):
        click.echo(f"\n{note}")
    _agreed(words["write"], own, words)
    keeper.write(held, new)
    click.echo(words["written"].format(client=client.title, folder=keeper.folder))


def _take_out(client: Client, keeper: Keeper, held: Held, own: dict[str, Any], words: Words) -> None:
    before = keeper.before(held)
    click.echo(f"{client.title}: {held.file}")
    if before == held.raw:
        click.echo(words["not_there"].format(name=own["name"]))
        return
    click.echo(_coloured(difference(client, own["name"], held.text, (before or b"").decode())))
    _agreed(words["take_out"], own, words)
    keeper.restore(held)
    click.echo(words["taken_out"].format(client=client.title, folder=keeper.folder))


def _entry(
    client: Client, chosen: Settings, wanted: Wanted, own: dict[str, Any], words: Words, *, printed: bool = False
) -> Entry:
    if own["url"]:
        if not client.remote:
            raise NotInstalled(words["no_remote"].format(client=client.title), words["no_remote_mend"])
        return entry(client, Remote(_endpoint(own["url"], words), own["token_env"]), own["name"])
    needed = {} if chosen.sandbox else credentials(chosen)
    compose.place(chosen) if chosen.sandbox else None
    in_clear = own["write_secrets"] or not (client.reference or client.forwards)
    written = {}
    if printed and in_clear:
        written = {name: PLACEHOLDER.format(name=name) for name in needed}
    elif in_clear:
        written = _in_clear(client, needed, own, words)
    plain, started = server(chosen, client, wanted)
    return entry(client, Local(started, plain, tuple(needed), written), own["name"])


def _in_clear(client: Client, needed: dict[str, str], own: dict[str, Any], words: Words) -> dict[str, str]:
    """Credentials to be written as they are, which is never done without a person's word."""
    if needed and not own["write_secrets"]:
        said = words["clear"].format(client=client.title, names=", ".join(needed))
        if not attended(sys.stdin):
            raise NotInstalled(said, words["clear_mend"])
        click.echo(f"{said} {words['clear_mend']}")
        if not click.confirm(words["clear_ask"]):
            raise NotInstalled(words["nothing"])
    for name, value in needed.items():
        if not value and not attended(sys.stdin):
            raise NotInstalled(words["unset"].format(name=name), words["unset_mend"])
    return {name: value or ask_hidden(name) for name, value in needed.items()}


def _endpoint(url: str, words: Words) -> str:
    try:
        return endpoint(url)
    except ValueError as error:
        raise NotInstalled(f"--url: {error}.", words["nothing"]) from None


def _printed(client: Client, name: str, made: Entry) -> str:
    if client.form == "toml":
        return tables.put("", client.servers, name, made.value)
    inputs = {editing.INPUTS: [dict(each) for each in made.inputs]} if made.inputs else {}
    return json.dumps({**inputs, client.servers: {name: made.value}}, ensure_ascii=False, indent=2)


def _notes(client: Client, chosen: Settings, wanted: Wanted, own: dict[str, Any], words: Words) -> list[str]:
    """What a person should know before they say yes."""
    notes = []
    if own["url"]:
        return [words["remote_token" if own["token_env"] else "remote_oauth"].format(name=own["token_env"])]
    needed = {} if chosen.sandbox else credentials(chosen)
    if needed and client.inputs and not own["write_secrets"]:
        notes.append(words["asks"].format(client=client.title))
    elif needed and (client.reference or client.forwards) and not own["write_secrets"]:
        notes.append(words["references"].format(client=client.title, names=", ".join(needed)))
        unset = [name for name, value in needed.items() if not value]
        notes += [words["unset_here"].format(names=", ".join(unset))] if unset else []
        notes += [words["windowed"].format(client=client.title)] if client.windowed else []
    if client.tools is not None:
        count = sum(each.toolset in wanted.toolsets for each in load()) if wanted.toolsets else len(load())
        lists_all = wanted.surface == "full" or (wanted.surface is None and wanted.toolsets)
        crowded = count > client.tools and (lists_all or wanted.toolsets)
        notes.append(
            words["crowded" if crowded else "holds"].format(client=client.title, most=client.tools, count=count)
        )
    if client.key == "claude-code":
        notes.append(words["running"])
    return [*notes, words["boundary"]]


def _agreed(question: str, own: dict[str, Any], words: Words) -> None:
    """Go on only with a person's yes, or with --yes.

    Raises:
        NotInstalled: there is nobody to ask, or they said no.
    """
    if own["yes"]:
        return
    if not attended(sys.stdin):
        raise NotInstalled(words["nobody"], words["nobody_mend"])
    if not click.confirm(f"\n{question}"):
        raise NotInstalled(words["nothing"])


def _coloured(text: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    return "\n".join(click.style(line, fg=colours.get(line[:1])) for line in text.splitlines())


def _machine() -> Machine:
    return Machine(platform.system(), Path.home(), os.environ)
