"""Entries of this server in the clients on this computer, and their flaws. Shows no value of an entry.

One flaw is a command line that runs code from the client's working directory.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from saasus_mcp.clients import entry_editing
from saasus_mcp.clients.config_files import ConfigFileError, read_config_file
from saasus_mcp.clients.jsonc import JsonSyntaxError
from saasus_mcp.clients.known_clients import CLIENTS, KnownClient, Machine
from saasus_mcp.clients.toml_tables import TomlEditError
from saasus_mcp.common.messages import Localized

MODULE = "saasus_mcp"
SAFE_PATH_OPTIONS = frozenset("PI")
"""-P and -I keep the working directory off Python's module path."""
OPTIONS_WITH_VALUE = frozenset("WXQ")
"""Options of Python whose value may be the next argument."""
UV_ISOLATION_OPTIONS = frozenset({"--no-project", "--isolated"})
UV_PATH_OPTIONS = (
    "--directory",
    "--project",
    "--from",
    "--with",
    "--with-editable",
    "--env-file",
    "--config-file",
    "--python",
)
"""Options of uv that take a path."""
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


def runs_code_from_working_directory(command: Sequence[str], variables: Mapping[str, Any]) -> bool:
    """Return True if a command line runs code from the working directory.

    Args:
        command: the program and its arguments.
        variables: environment variables that the entry sets.
    """
    if _is_relative(command[0]) or _has_relative_entry(str(variables.get("PYTHONPATH", ""))):
        return True
    name = PureWindowsPath(command[0]).name.lower().removesuffix(".exe")
    if name in {"uv", "uvx"}:
        return _uv_is_local(name, command[1:])
    return _module_is_local(command[1:]) and not str(variables.get("PYTHONSAFEPATH", ""))


def _is_relative(command: str) -> bool:
    """Return True for a path relative to the working directory. A plain name is searched on the PATH."""
    absolute = any(form(command).is_absolute() for form in (PurePath, PurePosixPath, PureWindowsPath))
    is_path = "/" in command or "\\" in command or command in {".", ".."}
    return is_path and not absolute and not command.startswith("${")


def _has_relative_entry(path: str) -> bool:
    """Return True if a module path has a relative entry or an empty one, which is the working directory."""
    return bool(path) and any(not entry or _is_relative(f"{entry}/") for entry in path.split(os.pathsep))


def _module_is_local(words: Sequence[str]) -> bool:
    """Return True for `-m saasus_mcp` without -P or -I: the working directory is first on the module path."""
    options = ""
    for position, word in enumerate(words):
        before, has_module, attached = word.removeprefix("-").partition("m")
        is_option = word.startswith("-") and not word.startswith("--")
        if is_option and has_module and not set(before) & OPTIONS_WITH_VALUE:
            module = attached or (words[position + 1] if position + 1 < len(words) else "")
            if module.partition(".")[0] == MODULE:
                return not set(options + before) & SAFE_PATH_OPTIONS
        if is_option:
            options += before
    return False


def _uv_is_local(name: str, words: Sequence[str]) -> bool:
    """Return True if uv takes a project, a package or a setting from the working directory. `uvx` alone does not."""
    paths = dict(_path_options(words))
    if any(_is_path(value) and _is_relative(f"{value}/") for value in paths.values()):
        return True
    if name == "uvx" or tuple(words[:2]) == ("tool", "run"):
        return False
    return "run" in words and not UV_ISOLATION_OPTIONS & set(words) and not {"--directory", "--project"} & paths.keys()


def _path_options(words: Sequence[str]) -> list[tuple[str, str]]:
    options = []
    for position, word in enumerate(words):
        option, given, value = word.partition("=")
        if option in UV_PATH_OPTIONS:
            options.append((option, value if given else words[position + 1] if position + 1 < len(words) else ""))
    return options


def _is_path(value: str) -> bool:
    """Return True for a path, as in `--from .` or `--from ./saasus-mcp`, and False for a package's name."""
    return value in {".", ".."} or "/" in value.partition("://")[0] or "\\" in value


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
