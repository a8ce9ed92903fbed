"""Entries of this server in the clients on this computer, and their flaws. Shows no value of an entry."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from saasus_mcp.clients import entry_editing
from saasus_mcp.clients.command_safety import runs_code_from_working_directory
from saasus_mcp.clients.config_files import ConfigFileError, read_config_file
from saasus_mcp.clients.jsonc import JsonSyntaxError
from saasus_mcp.clients.known_clients import CLIENTS, KnownClient, Machine
from saasus_mcp.clients.toml_tables import TomlEditError
from saasus_mcp.common.messages import Localized

PROGRAM_NAMES = ("saasus-mcp", "saasus_mcp")
OFFICIAL_SERVER = "saasus-api-mcp-server"
SECRET_VARIABLES = frozenset(
    {"SAASUS_API_KEY", "SAASUS_SECRET_KEY", "SAASUS_PLATFORM_APIKEY", "SAASUS_PLATFORM_SECRETKEY"}
)

MAX_COMMAND_WORDS = 4
"""Later arguments may contain credentials."""
EntryFlaw = Literal[
    "", "unreadable", "refused", "no_command", "working_directory", "open_folder", "in_plain_text", "official"
]


@dataclass(frozen=True, slots=True)
class DetectedServer:
    """An entry of this server in a client's file, or a file that cannot be read.

    Attributes:
        flaw: empty for a sound entry.
        detail: the command, variable or error that the flaw is about.
    """

    client: KnownClient
    file: Path
    name: str = ""
    flaw: EntryFlaw = ""
    detail: Localized | str = ""


def detect_servers(machine: Machine) -> Iterator[DetectedServer]:
    """Yield the entries of this server, client by client."""
    for client in CLIENTS.values():
        file = client.file(machine)
        try:
            held = read_config_file(file)
            servers = entry_editing.read_servers(held.text, client) if held.raw is not None else {}
        except ConfigFileError as error:
            yield DetectedServer(client, file, flaw="refused", detail=error)
            continue
        except (JsonSyntaxError, TomlEditError):
            yield DetectedServer(client, file, flaw="unreadable")
            continue
        for name, entry in servers.items():
            if isinstance(entry, dict) and (found := _inspect_entry(client, file, name, entry)) is not None:
                yield found


def _inspect_entry(client: KnownClient, file: Path, name: str, entry: dict[str, Any]) -> DetectedServer | None:
    args = entry.get("args")
    words = [str(word) for word in (entry.get("command", ""), *(args if isinstance(args, list) else ()))]
    if any(OFFICIAL_SERVER in word for word in words):
        return DetectedServer(client, file, name, flaw="official")
    if not any(own in word for word in words for own in PROGRAM_NAMES):
        return (
            DetectedServer(client, file, name)
            if name == "saasus" and client.url_key and client.url_key in entry
            else None
        )
    flaw, detail = _find_flaw(words, entry.get("env"))
    return DetectedServer(client, file, name, flaw=flaw, detail=detail)


def _find_flaw(words: list[str], env: Any) -> tuple[EntryFlaw, str]:
    """Return the flaw of the command with which an entry starts the server, and its detail."""
    variables = env if isinstance(env, dict) else {}
    if runs_code_from_working_directory(words, variables):
        return "working_directory", " ".join(words[:MAX_COMMAND_WORDS])
    command = shutil.which(words[0])
    if command is None:
        return "no_command", words[0]
    if _is_world_writable(Path(command)):
        return "open_folder", command
    in_plain_text = (name for name, value in variables.items() if name in SECRET_VARIABLES and "$" not in str(value))
    secret = next(in_plain_text, "")
    return ("in_plain_text", secret) if secret else ("", "")


def _is_world_writable(command: Path) -> bool:
    """Return True if every user can replace this program. Not checked on Windows."""
    if os.name != "posix":
        return False
    try:
        files = {command, command.resolve()}
        modes = [file.stat().st_mode for file in files] + [
            0 if (mode := file.parent.stat().st_mode) & stat.S_ISVTX else mode for file in files
        ]
    except (OSError, RuntimeError):
        return True
    return any(mode & stat.S_IWOTH for mode in modes)
