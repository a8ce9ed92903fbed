"""How a client is to start this server: the command, the flags, and the variables that hold no secret."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from saasus_mcp.cli.composition import DEFAULT_PROFILE
from saasus_mcp.clients.known_clients import KnownClient
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.settings import Settings, portable_variables

PACKAGE_NAME = "saasus-mcp"


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """What was said about how to start and what to list.

    Attributes:
        launcher: the command line; empty for uvx, or where there is none, this installation.
        surface: None for the one that the client can hold.
    """

    command: str
    surface: SurfaceKind | None
    toolsets: frozenset[str]


def build_server_command(
    settings: Settings, client: KnownClient, wanted: LaunchOptions
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables and the command line."""
    return portable_variables(settings), (*_launcher(client, wanted.command), *_flags(settings, client, wanted))


def _launcher(client: KnownClient, given: str) -> tuple[str, ...]:
    """A client with windows does not know the shell's PATH: it is given whole paths."""
    if given:
        return tuple(shlex.split(given, posix=os.name == "posix"))
    uvx = shutil.which("uvx")
    if uvx is not None:
        return (uvx if client.is_desktop else "uvx", PACKAGE_NAME)
    return installed_command()


def installed_command() -> tuple[str, ...]:
    """The command of this installation, by whole paths: the script beside the interpreter, else the module.

    Without `-P`, `-m` would have Python look for every module in the working directory first: in a project's folder, where
    clients start their servers and a model may write.
    """
    script = Path(sys.executable).with_name(PACKAGE_NAME + (".exe" if os.name == "nt" else ""))
    if script.is_file() and os.access(script, os.X_OK):
        return (str(script),)
    return (sys.executable, "-P", "-m", "saasus_mcp")


def _flags(settings: Settings, client: KnownClient, wanted: LaunchOptions) -> Iterator[str]:
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
    surface = wanted.surface or ("compact" if client.tool_limit is not None and not wanted.toolsets else None)
    if surface is not None:
        yield from ("--surface", surface)
    if wanted.toolsets:
        yield from ("--toolsets", ",".join(sorted(wanted.toolsets)))
