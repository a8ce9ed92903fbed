"""Command lines in clients' files: whether one takes code from the folder that the client happens to work in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

MODULE = "saasus_mcp"
SAFE_PATH_OPTIONS = frozenset("PI")
"""Options of Python that keep the working directory off the module path: -P and -I."""
OPTIONS_WITH_VALUE = frozenset("WXQ")
"""Options of Python whose value may be the next word."""
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
"""Options of uv that name a place."""


def runs_code_from_working_directory(words: Sequence[str], variables: Mapping[str, Any]) -> bool:
    """Whether a command line runs what lies in the working directory.

    Args:
        words: the command and its arguments.
        variables: what the entry sets in the environment.
    """
    if _is_relative(words[0]) or _has_relative_entry(str(variables.get("PYTHONPATH", ""))):
        return True
    name = PureWindowsPath(words[0]).name.lower().removesuffix(".exe")
    if name in {"uv", "uvx"}:
        return _uv_is_local(name, words[1:])
    return _module_is_local(words[1:]) and not str(variables.get("PYTHONSAFEPATH", ""))


def _is_relative(command: str) -> bool:
    """Whether a command is a path that begins at the working directory. A mere name is looked for on the PATH."""
    absolute = (
        PurePath(command).is_absolute()
        or PurePosixPath(command).is_absolute()
        or PureWindowsPath(command).is_absolute()
    )
    return (
        ("/" in command or "\\" in command or command in {".", ".."}) and not absolute and not command.startswith("${")
    )


def _has_relative_entry(path: str) -> bool:
    """Whether a module path has an entry that is relative or empty, which is the working directory."""
    return bool(path) and any(not entry or _is_relative(f"{entry}/") for entry in path.split(os.pathsep))


def _module_is_local(words: Sequence[str]) -> bool:
    """Whether Python runs our module with the working directory first on its path: `-m saasus_mcp` without -P or -I."""
    options = ""
    for at, word in enumerate(words):
        before, found, attached = word.removeprefix("-").partition("m")
        is_option = word.startswith("-") and not word.startswith("--")
        if is_option and found and not set(before) & OPTIONS_WITH_VALUE:
            module = attached or (words[at + 1] if at + 1 < len(words) else "")
            if module.partition(".")[0] == MODULE:
                return not set(options + before) & SAFE_PATH_OPTIONS
        if is_option:
            options += before
    return False


def _uv_is_local(name: str, words: Sequence[str]) -> bool:
    """Whether uv takes a project, a package or a setting from the working directory. `uvx` alone reads none of it."""
    named = dict(_places(words))
    if any(_is_place(value) and _is_relative(f"{value}/") for value in named.values()):
        return True
    if name == "uvx" or tuple(words[:2]) == ("tool", "run"):
        return False
    return "run" in words and not UV_ISOLATION_OPTIONS & set(words) and not {"--directory", "--project"} & named.keys()


def _places(words: Sequence[str]) -> list[tuple[str, str]]:
    found = []
    for at, word in enumerate(words):
        option, given, value = word.partition("=")
        if option in UV_PATH_OPTIONS:
            found.append((option, value if given else words[at + 1] if at + 1 < len(words) else ""))
    return found


def _is_place(value: str) -> bool:
    """Whether a value is a path and no package's name, as in `--from .` and `--from ./saasus-mcp`."""
    return value in {".", ".."} or "/" in value.partition("://")[0] or "\\" in value
