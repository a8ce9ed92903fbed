"""Which clients on this computer start our server, and what is wrong with how they do. Shows no value of theirs."""

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

PROGRAM_NAMES = ("saasus-mcp", "saasus_mcp")
OFFICIAL_SERVER = "saasus-api-mcp-server"
SECRET_VARIABLES = frozenset(
    {"SAASUS_API_KEY", "SAASUS_SECRET_KEY", "SAASUS_PLATFORM_APIKEY", "SAASUS_PLATFORM_SECRETKEY"}
)

MAX_COMMAND_WORDS = 4
"""Words of a command line; credentials may be in what follows."""
EntryFlaw = Literal[
    "", "unreadable", "refused", "no_command", "working_directory", "open_folder", "in_clear", "official"
]


@dataclass(frozen=True, slots=True)
class DetectedServer:
    """A server of ours in a client's file, or a file that cannot be read; `detail` is the command that is missing."""

    client: KnownClient
    file: Path
    name: str = ""
    flaw: EntryFlaw = ""
    detail: str = ""


def detect_servers(machine: Machine) -> Iterator[DetectedServer]:
    """What is found, client by client."""
    for client in CLIENTS.values():
        file = client.file(machine)
        try:
            held = read_config_file(file)
            servers = entry_editing.read_servers(held.text, client) if held.raw is not None else {}
        except ConfigFileError as error:
            yield DetectedServer(client, file, flaw="refused", detail=str(error))
            continue
        except (JsonSyntaxError, TomlEditError):
            yield DetectedServer(client, file, flaw="unreadable")
            continue
        for name, entry in servers.items():
            if isinstance(entry, dict) and (found := _judged(client, file, name, entry)) is not None:
                yield found


def _judged(client: KnownClient, file: Path, name: str, entry: dict[str, Any]) -> DetectedServer | None:
    args = entry.get("args")
    words = [str(word) for word in (entry.get("command", ""), *(args if isinstance(args, list) else ()))]
    if any(OFFICIAL_SERVER in word for word in words):
        return DetectedServer(client, file, name, "official")
    if not any(own in word for word in words for own in PROGRAM_NAMES):
        return (
            DetectedServer(client, file, name)
            if name == "saasus" and client.url_key and client.url_key in entry
            else None
        )
    flaw, detail = _flaw(words, entry.get("env"))
    return DetectedServer(client, file, name, flaw, detail)


def _flaw(words: list[str], env: Any) -> tuple[EntryFlaw, str]:
    """What is wrong with how an entry of ours starts the server, and the detail that tells it."""
    variables = env if isinstance(env, dict) else {}
    if runs_code_from_working_directory(words, variables):
        return "working_directory", " ".join(words[:MAX_COMMAND_WORDS])
    command = shutil.which(words[0])
    if command is None:
        return "no_command", words[0]
    if _open_to_others(Path(command)):
        return "open_folder", command
    in_clear = (name for name, value in variables.items() if name in SECRET_VARIABLES and "$" not in str(value))
    secret = next(in_clear, "")
    return ("in_clear", secret) if secret else ("", "")


def _open_to_others(command: Path) -> bool:
    """Whether everybody on this computer can put another program in the place of this one. Unknown on Windows."""
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
