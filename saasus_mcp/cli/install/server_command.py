"""The command, flags and variables with which a client starts this server. None of them is a secret."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from saasus_mcp.clients.known_clients import KnownClient
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.settings.environment import DEFAULT_PROFILE, Settings, portable_variables

PACKAGE_NAME = "saasus-mcp"
_UV_CACHE = re.compile(r"(archive|builds|environments)-v\d+")
"""The folders of uv's cache with environments."""


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """How to start the server, and which tools it lists.

    Attributes:
        command: the command line; empty for uvx, or for this installation if uvx is missing.
        surface: None for the surface that the client supports.
    """

    command: str
    surface: SurfaceKind | None
    toolsets: frozenset[str]


def build_server_command(
    settings: Settings, client: KnownClient, launch: LaunchOptions
) -> tuple[dict[str, str], tuple[str, ...]]:
    return portable_variables(settings), (*_start_command(client, launch.command), *_flags(settings, client, launch))


def _start_command(client: KnownClient, given: str) -> tuple[str, ...]:
    """Return the command that starts the server. A desktop client does not know the shell's PATH and gets a full path.

    Raises:
        SaasusMcpError: this installation will not last, and there is no uvx.
    """
    if given:
        return tuple(shlex.split(given, posix=os.name == "posix"))
    if (uvx := shutil.which("uvx")) is not None:
        return (uvx if client.is_desktop else "uvx", PACKAGE_NAME)
    if (running := _running_uvx()) is not None:
        return (str(running), PACKAGE_NAME)
    if _is_temporary(Path(sys.prefix)):
        raise SaasusMcpError.of("cli_install.temporary", folder=sys.prefix)
    return installed_command()


def _running_uvx() -> Path | None:
    """Return the uvx that runs this program from outside the PATH. uv names itself to the programs that it starts."""
    uv = Path(os.environ.get("UV", ""))
    uvx = uv.with_name(f"uvx{uv.suffix}") if uv.stem == "uv" else None
    return uvx if uvx is not None and uvx.is_absolute() and os.access(uvx, os.X_OK) else None


def _is_temporary(prefix: Path) -> bool:
    """Return True for an environment in the cache of uv or pipx, which its tool deletes some day."""
    return any(map(_UV_CACHE.fullmatch, prefix.parts)) or {"pipx", ".cache"} <= set(prefix.parts)


def installed_command() -> tuple[str, ...]:
    """Return the command of this installation with full paths: the script beside the interpreter, or else the module.

    With `-m` but without `-P`, Python would look for every module in the working directory first. Clients start their
    servers in a project's folder, where a model may write.
    """
    script = Path(sys.executable).with_name(PACKAGE_NAME + (".exe" if os.name == "nt" else ""))
    if script.is_file() and os.access(script, os.X_OK):
        return (str(script),)
    return (sys.executable, "-P", "-m", "saasus_mcp")


def _flags(settings: Settings, client: KnownClient, launch: LaunchOptions) -> Iterator[str]:
    if settings.sandbox:
        yield "--sandbox"
    elif settings.profile != DEFAULT_PROFILE:
        yield from ("--profile", settings.profile)
    if settings.read_only or settings.mode:
        yield from ("--mode", "read-only" if settings.read_only else str(settings.mode))
    if settings.policy is not None:
        yield from ("--policy", str(settings.policy))
    if settings.lang != "en":
        yield from ("--lang", settings.lang)
    if settings.time_zone is not None:
        yield from ("--time-zone", settings.time_zone)
    surface = launch.surface or ("compact" if client.tool_limit is not None and not launch.toolsets else None)
    if surface is not None:
        yield from ("--surface", surface)
    if launch.toolsets:
        yield from ("--toolsets", ",".join(sorted(launch.toolsets)))
