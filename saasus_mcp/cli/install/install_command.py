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

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli import composition, options
from saasus_mcp.cli.install.server_command import LaunchOptions, build_server_command
from saasus_mcp.cli.install_wording import WORDS
from saasus_mcp.cli.options import load_settings, parse_toolset_names, shared_options
from saasus_mcp.cli.terminal import is_terminal, prompt_hidden
from saasus_mcp.clients import config_files, entry_editing
from saasus_mcp.clients.config_diff import diff_config
from saasus_mcp.clients.config_files import ConfigBackup, ConfigFile
from saasus_mcp.clients.known_clients import CLIENTS, GENERIC_CLIENT, KnownClient, Machine
from saasus_mcp.clients.server_entry import PLACEHOLDER, LocalServer, RemoteServer, ServerEntry, build_entry
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.settings import Settings, credential_variables, parse_endpoint, require_valid_credentials

SERVER_NAME = "saasus"
NAME_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,40}")


class InstallError(SaasusMcpError):
    """What was asked for cannot be written; nothing was."""


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """What is to be installed, and how.

    Attributes:
        url: of a hosted server; None for one that the client starts.
        token: the variable that holds a hosted server's bearer token.
        printed: whether it is only shown, so that placeholders stand for credentials.
    """

    client: KnownClient
    settings: Settings
    launch: LaunchOptions
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
    def credentials(self) -> dict[str, str]:
        """The variables that hold the credentials, with their values; none for the sandbox or a hosted server."""
        return {} if self.url or self.settings.sandbox else credential_variables(self.settings)

    @property
    def writes_plain_text(self) -> bool:
        """Whether credentials would be written as they are."""
        return self.write_secrets or not (self.client.variable_template or self.client.forwards_variables)


@click.command
@click.argument("client", required=False, type=click.Choice(list(CLIENTS)))
@shared_options
@options.client_surface_option
@options.client_toolsets_option
@click.option("--url", metavar="URL", help="URL of a hosted server, such as https://mcp.example.com/mcp.")
@click.option(
    "--token-env",
    "token",
    metavar="NAME",
    default="",
    help="With --url: environment variable that holds a bearer token.",
)
@click.option("--name", default=SERVER_NAME, show_default=True, help="Name of this server in the client.")
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
        click.echo(entry_editing.render_entry(order.client, order.name, _entry(order)))
        return
    held = config_files.read_config_file(file or order.client.file(Machine(platform.system(), Path.home(), os.environ)))
    keeper = ConfigBackup(order.settings.state_folder, order.client, held.file, order.name)
    click.echo(f"{order.client.title}: {held.file}")
    if held.link is not None:
        click.echo(order.words["follows"].format(link=held.link))
    if uninstall:
        _take_out(order, keeper, held)
    else:
        _put_in(order, keeper, held)


def _order(client: str | None, flags: dict[str, Any]) -> InstallRequest:
    own = {name: flags.pop(name) for name in ("name", "url", "token", "write_secrets", "yes", "printed")}
    launcher, surface, toolsets = (flags.pop(name) for name in ("launcher", "surface", "toolsets"))
    chosen = load_settings(**flags)
    words = WORDS[chosen.lang]
    if client is None and not own["printed"]:
        raise InstallError(words["which"], words["which_mend"].format(clients=", ".join(CLIENTS)))
    if not NAME_PATTERN.fullmatch(own["name"]):
        raise InstallError(words["bad_name"], words["bad_name_mend"])
    known = CLIENTS[client] if client else GENERIC_CLIENT
    try:
        own["url"] = parse_endpoint(own["url"]) if own["url"] else None
    except ValueError as error:
        raise InstallError(f"--url: {error}.", words["nothing"]) from None
    if own["url"] and not known.url_key:
        raise InstallError(words["no_remote"].format(client=known.title), words["no_remote_mend"])
    wanted = LaunchOptions(launcher, surface, parse_toolset_names(toolsets or "", chosen.lang))
    return InstallRequest(client=known, settings=chosen, launch=wanted, **own)


def _put_in(order: InstallRequest, keeper: ConfigBackup, held: ConfigFile) -> None:
    if not order.url:
        composition.resolve_policy(
            order.settings
        )  # a policy that stops the server is found now, not by a client that does not start
    new = entry_editing.put_entry(keeper.base_text(held), order.client, order.name, _entry(order))
    if new == held.text:
        click.echo(order.words["already"])
        return
    click.echo(_coloured(diff_config(order.client, order.name, held.text, new)))
    private = bool(order.writes_plain_text and order.credentials) and held.mode & config_files.OTHERS != 0
    for note in (*_notes(order), *([order.words["made_private"].format(mode=f"{held.mode:04o}")] if private else [])):
        click.echo(f"\n{note}")
    _agree(order, "write")
    keeper.write(held, new, private=private)
    click.echo(order.words["written"].format(client=order.client.title, folder=keeper.folder))


def _take_out(order: InstallRequest, keeper: ConfigBackup, held: ConfigFile) -> None:
    before = keeper.original(held)
    if before == held.raw:
        click.echo(order.words["not_there"].format(name=order.name))
        return
    click.echo(_coloured(diff_config(order.client, order.name, held.text, (before or b"").decode())))
    _agree(order, "take_out")
    keeper.restore(held)
    click.echo(order.words["taken_out"].format(client=order.client.title))


def _entry(order: InstallRequest) -> ServerEntry:
    if order.url:
        return build_entry(order.client, RemoteServer(order.url, order.token), order.name)
    if order.settings.sandbox:
        composition.resolve_place(order.settings)  # which goes with no profile
    needed, written = order.credentials, {}
    if order.writes_plain_text:
        written = (
            {name: PLACEHOLDER.format(name=name) for name in needed} if order.printed else _in_clear(order, needed)
        )
    plain, started = build_server_command(order.settings, order.client, order.launch)
    return build_entry(order.client, LocalServer(started, plain, tuple(needed), written), order.name)


def _in_clear(order: InstallRequest, needed: dict[str, str]) -> dict[str, str]:
    """Credentials to be written as they are, which is never done without a person's word."""
    words = order.words
    if needed and not order.write_secrets:
        said = words["clear"].format(client=order.client.title, names=", ".join(needed))
        if not is_terminal(sys.stdin):
            raise InstallError(said, words["clear_mend"])
        click.echo(f"{said} {words['clear_mend']}")
        if not click.confirm(words["clear_ask"]):
            raise InstallError(words["nothing"])
    for name, value in needed.items():
        if not value and not is_terminal(sys.stdin):
            raise InstallError(words["unset"].format(name=name), words["unset_mend"])
    values = {name: value or prompt_hidden(name) for name, value in needed.items()}
    require_valid_credentials(values)
    return values


def _notes(order: InstallRequest) -> Iterator[str]:
    """What a person should know before they say yes."""
    words, client, needed = order.words, order.client, order.credentials
    if order.url:
        yield words["remote_token" if order.token else "remote_oauth"].format(name=order.token)
        return
    if needed and not order.writes_plain_text and client.supports_inputs:
        yield words["asks"].format(client=client.title)
    elif needed and not order.writes_plain_text:
        yield words["references"].format(client=client.title, names=", ".join(needed))
        unset = [name for name, value in needed.items() if not value]
        if unset:
            yield words["unset_here"].format(names=", ".join(unset))
        if client.is_desktop:
            yield words["windowed"].format(client=client.title)
    if client.tool_limit is not None:
        count = _listed(order.launch)
        yield words["crowded" if count > client.tool_limit else "holds"].format(
            client=client.title, most=client.tool_limit, count=count
        )
    if client.key == "claude-code":
        yield words["running"]
    yield words["boundary"]


def _listed(wanted: LaunchOptions) -> int:
    """How many operations would be listed, at least, by a client that cannot hold them all."""
    if wanted.toolsets:
        return sum(operation.toolset in wanted.toolsets for operation in load_catalogue())
    return len(load_catalogue()) if wanted.surface == "full" else 0


def _agree(order: InstallRequest, question: str) -> None:
    """Go on only with a person's yes, or with --yes.

    Raises:
        NotInstalled: there is nobody to ask, or they said no.
    """
    if order.yes:
        return
    if not is_terminal(sys.stdin):
        raise InstallError(order.words["nobody"], order.words["nobody_mend"])
    if not click.confirm(f"\n{order.words[question]}"):
        raise InstallError(order.words["nothing"])


def _coloured(text: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    return "\n".join(click.style(line, fg=colours.get(line[:1])) for line in text.splitlines())
