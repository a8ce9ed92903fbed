"""`saasus-mcp install`: add this server to an MCP client's configuration, or remove it."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli.command_line import Command, argument, command, option
from saasus_mcp.cli.destination import resolve_destination
from saasus_mcp.cli.install.server_command import LaunchOptions, build_server_command
from saasus_mcp.cli.options import (
    client_surface_option,
    client_toolsets_option,
    json_outcome_option,
    parse_toolset_names,
    settings_options,
)
from saasus_mcp.cli.output import print_outcome
from saasus_mcp.cli.policy_in_force import resolve_policy
from saasus_mcp.cli.terminal import is_terminal, prints_json, prompt_hidden, render, say
from saasus_mcp.clients import config_files, entry_editing
from saasus_mcp.clients.config_diff import diff_config
from saasus_mcp.clients.config_files import ConfigBackup, ConfigFile
from saasus_mcp.clients.known_clients import CLIENTS, GENERIC_CLIENT, KnownClient, Machine
from saasus_mcp.clients.server_entry import PLACEHOLDER, LocalServer, RemoteServer, ServerEntry, build_entry
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.settings.addresses import parse_endpoint
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.profiles import credential_variables, require_valid_credentials
from saasus_mcp.settings.validation import InvalidValue

SERVER_NAME = "saasus"
NAME_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,40}")


class InstallError(SaasusMcpError):
    """The entry cannot be written, and the file was not changed."""


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """The entry to install.

    Attributes:
        url: of a hosted server, or None for one that the client starts.
        token: the variable that holds the bearer token of a hosted server.
        print_only: print the entry, with placeholders for credentials.
    """

    client: KnownClient
    settings: Settings
    launch: LaunchOptions
    name: str
    url: str | None
    token: str
    write_secrets: bool
    yes: bool
    print_only: bool

    @property
    def credentials(self) -> dict[str, str]:
        """The credentials by variable; none for the sandbox or a hosted server."""
        return {} if self.url or self.settings.sandbox else credential_variables(self.settings)

    @property
    def check(self) -> str:
        """The command that checks what was installed."""
        return "saasus-mcp doctor --sandbox" if self.settings.sandbox else "saasus-mcp doctor"

    @property
    def writes_plain_text(self) -> bool:
        return self.write_secrets or not (self.client.variable_template or self.client.forwards_variables)


class _InstallCommand(Command):
    def help_text(self) -> str:
        return render(message("cli_help.command.install", clients=tuple(CLIENTS)))


@command(cls=_InstallCommand)
@argument("client", required=False, metavar="[CLIENT]", type=click.Choice(list(CLIENTS)))
@settings_options()
@client_surface_option
@client_toolsets_option
@option("--url", metavar="URL", help="cli_help.option.url")
@option("--token-env", "token", metavar="NAME", default="", help="cli_help.option.token_variable")
@option("--name", metavar="NAME", default=SERVER_NAME, show_default=True, help="cli_help.option.server_name")
@option("--command", "launcher", default="", metavar="COMMAND", help="cli_help.option.launcher")
@option("--file", type=click.Path(path_type=Path, dir_okay=False), help="cli_help.option.client_file")
@option("--write-secrets", is_flag=True, help="cli_help.option.write_secrets")
@option("--print", "print_only", is_flag=True, help="cli_help.option.print_entry")
@option("--uninstall", is_flag=True, help="cli_help.option.uninstall")
@option("--yes", is_flag=True, help="cli_help.option.yes")
@json_outcome_option
def install(
    settings: Settings,
    *,
    client: str | None,
    surface: SurfaceKind | None,
    toolsets: str | None,
    launcher: str,
    file: Path | None,
    uninstall: bool,
    **entry: Any,
) -> None:
    """Show the changes, ask, and write or remove the entry."""
    launch = LaunchOptions(launcher, surface, parse_toolset_names(toolsets or ""))
    request = _parse_request(settings, client, launch, entry)
    if request.print_only:
        alone = entry_editing.put_entry("", request.client, request.name, _build_entry(request))
        click.echo(alone.rstrip("\n"))
        return
    path = file or request.client.file(Machine(platform.system(), Path.home(), os.environ))
    config = config_files.read_config_file(path)
    backup = ConfigBackup(settings.state_folder, request.client, config.file, request.name)
    say(f"{request.client.title}: {config.file}")
    if config.link is not None:
        say(message("cli_install.symbolic_link", link=str(config.link)))
    done = (_remove if uninstall else _add)(request, backup, config)
    print_outcome({"client": request.client.key, "file": str(config.file), "name": request.name, "result": done})


def _parse_request(
    settings: Settings, client: str | None, launch: LaunchOptions, entry: dict[str, Any]
) -> InstallRequest:
    """Check the options of a request. Raise InstallError if no client is named, or an option does not fit it."""
    if client is None and not entry["print_only"]:
        hint = message("cli_install.which_client_hint", clients=tuple(CLIENTS))
        raise InstallError(message("cli_install.which_client"), hint)
    nothing_written = message("cli_install.nothing_written")
    if not NAME_PATTERN.fullmatch(entry["name"]):
        raise InstallError(message("cli_install.invalid_name"), nothing_written)
    known = CLIENTS[client] if client else GENERIC_CLIENT
    if entry["url"]:
        try:
            entry["url"] = parse_endpoint(entry["url"])
        except SaasusMcpError as error:
            raise InstallError(message("cli_install.invalid_url", reason=error), nothing_written) from None
        except InvalidValue as error:
            raise InstallError(
                message("cli_install.invalid_url_value", problem=error.problem), nothing_written
            ) from None
        if not known.url_key:
            raise InstallError.of("cli_install.no_remote_servers", client=known.title)
    return InstallRequest(known, settings, launch, **{**entry, "url": entry["url"] or None})


def _add(request: InstallRequest, backup: ConfigBackup, config: ConfigFile) -> Literal["written", "unchanged"]:
    """Write the entry, unless it is there. Return what was done."""
    if not request.url:
        resolve_policy(request.settings)  # a faulty policy is found now, not when the client starts
    new = entry_editing.put_entry(backup.base_text(config), request.client, request.name, _build_entry(request))
    if new == config.text:
        say(message("cli_install.up_to_date"))
        return "unchanged"
    _show_diff(diff_config(request.client, request.name, config.text, new))
    notes = list(_notes(request))
    private = request.writes_plain_text and bool(request.credentials) and config.mode & config_files.OTHERS != 0
    if private:
        notes.append(message("cli_install.made_private", mode=f"{config.mode:04o}"))
    for note in notes:
        say(f"\n{render(note)}")
    _require_consent(request, message("cli_install.ask_write"))
    if backup.write(config, new, private=private):
        say(message("cli_install.written", check=request.check, client=request.client.title, folder=str(backup.folder)))
    else:
        say(message("cli_install.created", check=request.check, client=request.client.title))
    return "written"


def _remove(request: InstallRequest, backup: ConfigBackup, config: ConfigFile) -> Literal["removed", "unchanged"]:
    """Remove the entry, if it is there. Return what was done."""
    original = backup.original(config)
    if original == config.raw:
        say(message("cli_install.not_there", name=request.name))
        return "unchanged"
    _show_diff(diff_config(request.client, request.name, config.text, (original or b"").decode()))
    _require_consent(request, message("cli_install.ask_remove"))
    backup.restore(config)
    say(message("cli_install.removed", client=request.client.title))
    return "removed"


def _build_entry(request: InstallRequest) -> ServerEntry:
    if request.url:
        return build_entry(request.client, RemoteServer(request.url, request.token), request.name)
    if request.settings.sandbox:
        resolve_destination(request.settings)  # raises an error if a profile is set too
    names, written = tuple(request.credentials), dict[str, str]()
    if request.print_only and request.writes_plain_text:
        written = {name: PLACEHOLDER.format(name=name) for name in names}
    elif request.writes_plain_text:
        written = _plain_text_credentials(request)
    variables, words = build_server_command(request.settings, request.client, request.launch)
    return build_entry(request.client, LocalServer(words, variables, names, written), request.name)


def _plain_text_credentials(request: InstallRequest) -> dict[str, str]:
    """Return the credentials to write in plain text, after the person's consent.

    Raises:
        InstallError: the person does not consent, or a credential is missing.
    """
    needed = request.credentials
    if needed and not request.write_secrets:
        names = tuple(needed)
        warning = message("cli_install.plain_text", client=request.client.title, names=names)
        error = InstallError(warning, message("cli_install.plain_text_hint"))
        if not is_terminal(sys.stdin):
            raise error
        say(error)
        if not click.confirm(render(message("cli_install.ask_plain_text")), err=prints_json()):
            raise InstallError(message("cli_install.nothing_written"))
    for name, value in needed.items():
        if not value and not is_terminal(sys.stdin):
            raise InstallError.of("cli_install.unset", name=name)
    values = {name: value or prompt_hidden(name) for name, value in needed.items()}
    require_valid_credentials(values)
    return values


def _notes(request: InstallRequest) -> Iterator[Message]:
    """Yield what the person should know before they consent."""
    if request.url:
        remote = message("cli_install.remote_oauth")
        yield message("cli_install.remote_token", name=request.token) if request.token else remote
        return
    if request.credentials and not request.writes_plain_text:
        yield from _credential_notes(request)
    limit, count, title = request.client.tool_limit, _count_tools(request.launch), request.client.title
    if limit is not None and count > limit:
        yield message("cli_install.too_many_tools", client=title, most=limit, count=count)
    elif limit is not None:
        yield message("cli_install.tools_fit", client=title, most=limit)
    if request.client.key == "claude-code":
        yield message("cli_install.close_claude_code")
    yield message("cli_install.boundary")


def _credential_notes(request: InstallRequest) -> Iterator[Message]:
    """Yield where the client gets the credentials from."""
    client, needed = request.client, request.credentials
    if client.supports_inputs:
        yield message("cli_install.client_asks", client=client.title)
        return
    yield message("cli_install.references", client=client.title, names=tuple(needed))
    unset = tuple(name for name, value in needed.items() if not value)
    if unset:
        yield message("cli_install.unset_here", names=unset)
    if client.is_desktop:
        yield message("cli_install.desktop_environment", client=client.title)


def _count_tools(launch: LaunchOptions) -> int:
    """Return how many operations would be listed at least, by a client with a limit."""
    if launch.toolsets:
        return sum(operation.toolset in launch.toolsets for operation in load_catalogue())
    return len(load_catalogue()) if launch.surface == "full" else 0


def _require_consent(request: InstallRequest, question: Message) -> None:
    """Ask the person, unless --yes is given.

    Raises:
        InstallError: no terminal, or the person says no.
    """
    if request.yes:
        return
    if not is_terminal(sys.stdin):
        raise InstallError.of("cli_install.no_terminal")
    if not click.confirm(f"\n{render(question)}", err=prints_json()):
        raise InstallError(message("cli_install.nothing_written"))


def _show_diff(text: str) -> None:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in text.splitlines():
        click.echo(click.style(line, fg=colours.get(line[:1])), err=prints_json())
