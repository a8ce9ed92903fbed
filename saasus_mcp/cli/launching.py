"""How a client is to start this server: the command, the flags, and the variables that hold no secret."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from saasus_mcp.cli.compose import DEFAULT_PROFILE
from saasus_mcp.clients.known import Client
from saasus_mcp.server.toolsets import Kind
from saasus_mcp.settings import Settings, places

PACKAGE = "saasus-mcp"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was said about how to start and what to list.

    Attributes:
        launcher: the command line; empty for uvx, or where there is none, this installation.
        surface: None for the one that the client can hold.
    """

    launcher: str
    surface: Kind | None
    toolsets: frozenset[str]


def server(settings: Settings, client: Client, wanted: Wanted) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables and the command line."""
    return places(settings), (*_launcher(client, wanted.launcher), *_flags(settings, client, wanted))


def _launcher(client: Client, given: str) -> tuple[str, ...]:
    """A client with windows does not know the shell's PATH: it is given whole paths."""
    if given:
        return tuple(shlex.split(given, posix=os.name == "posix"))
    uvx = shutil.which("uvx")
    if uvx is not None:
        return (uvx if client.windowed else "uvx", PACKAGE)
    return this_installation()


def this_installation() -> tuple[str, ...]:
    """The command of this installation, by whole paths: the script beside the interpreter, else the module.

    Without `-P`, `-m` would have Python look for every module in the working directory first: in a project's folder, where
    clients start their servers and a model may write.
    """
    script = Path(sys.executable).with_name(PACKAGE + (".exe" if os.name == "nt" else ""))
    if script.is_file() and os.access(script, os.X_OK):
        return (str(script),)
    return (sys.executable, "-P", "-m", "saasus_mcp")


def _flags(settings: Settings, client: Client, wanted: Wanted) -> Iterator[str]:
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
    surface = wanted.surface or ("compact" if client.tools is not None and not wanted.toolsets else None)
    if surface is not None:
        yield from ("--surface", surface)
    if wanted.toolsets:
        yield from ("--toolsets", ",".join(sorted(wanted.toolsets)))
