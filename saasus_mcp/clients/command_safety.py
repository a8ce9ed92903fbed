"""Command lines in clients' files that run code from the client's working directory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

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
