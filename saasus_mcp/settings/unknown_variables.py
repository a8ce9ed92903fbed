"""Environment variables that look like settings of this program and are not: a misspelt safeguard must not be silently off."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator

from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import nearest_names
from saasus_mcp.settings.validation import SettingsError

LIKE_OURS = re.compile(r"SAASUS_MCP(?:_|$)|S[AUS]{2,8}[-_. ]*(?:MCP|MPC|CMP)[-_. ]*[A-Z]", re.IGNORECASE)
"""Names that begin nearly like a setting: SASUS_MCP_MODE, SAASUS_MPC_MODE, SAASUSMCP_MODE."""
OTHER_VARIABLES = frozenset(
    {
        "SAASUS_MCP_SURFACE",
        "SAASUS_MCP_TOOLSETS",
        "SAASUS_MCP_TOOLS",
        "SAASUS_MCP_EXCLUDE_TOOLS",
        "SAASUS_MCP_TOKEN",
    }
)
"""Variables that command-line options or clients read, as with `install --token-env SAASUS_MCP_TOKEN`."""
SERVICE_LINK = re.compile(
    r"_SERVICE_HOST\Z|_SERVICE_PORT(?:\Z|_)|_PORT_\d{1,5}_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?\Z"
)
SERVICE_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://[^\s/]+:\d+")
"""Kubernetes sets these variables in every container for a Service named saasus-mcp."""
MAX_SHOWN, MAX_NAME_CHARACTERS, MAX_COMPARED = 3, 60, 100
MIN_SIMILARITY = 0.7
"""difflib's ratio from which a similar name is suggested."""


def is_service_link(name: str, value: str) -> bool:
    """Return True if Kubernetes set this variable for a Service whose name begins like this program's."""
    return name.startswith("SAASUS_MCP") and (
        SERVICE_LINK.search(name) is not None
        or (name.endswith("_PORT") and SERVICE_ADDRESS.fullmatch(value) is not None)
    )


def find_unknown_variables(known: Collection[str]) -> list[str]:
    """Return the names of variables that look like settings and are not in `known`. An empty variable is not set."""
    return sorted(name for name, value in os.environ.items() if value and _is_unknown(name, value, known))


def unknown_variables_error(names: list[str], known: Collection[str]) -> SettingsError:
    """Return the error for unknown variables, each with the most similar known name."""
    shown = tuple(_labels(names[:MAX_SHOWN], known))
    hint = message("settings.unknown_setting_hint")
    if (more := len(names) - MAX_SHOWN) > 0:
        return SettingsError(message("settings.unknown_settings_more", names=shown, more=more), hint)
    return SettingsError(message("settings.unknown_setting", names=shown), hint)


def refuse_duplicate_variables() -> None:
    """Refuse a variable that is set in two spellings with different values.

    Raises:
        SettingsError: the spellings differ in letter case only, and their values differ.
    """
    by_name: dict[str, dict[str, str]] = {}
    for name, value in os.environ.items():
        if value and name.upper().startswith("SAASUS_"):
            by_name.setdefault(name.upper(), {})[name] = value
    for spellings in by_name.values():
        if len(set(spellings.values())) > 1:
            names = tuple(printable_name(name) for name in sorted(spellings)[:MAX_SHOWN])
            raise SettingsError.of("settings.set_twice", names=names)


def nearest_name(name: str, known: Collection[str]) -> str | None:
    """Return the known name that is most similar to `name`, or None."""
    return next(iter(nearest_names(name, known, 1, MIN_SIMILARITY)), None)


def find_similar_variables(missing: Collection[str], known: Collection[str]) -> list[str]:
    """Return the unknown variables that are spelt nearly like a missing one. Other programs may have set them."""
    candidates = [
        name
        for name, value in os.environ.items()
        if value and name.upper().startswith("SAAS") and len(name) <= MAX_NAME_CHARACTERS
    ]
    unknown = {name.upper(): name for name in sorted(candidates)[:MAX_COMPARED] if name.upper() not in known}
    similar = (nearest_name(name, unknown) for name in missing)
    return sorted({unknown[name] for name in similar if name is not None})


def printable_name(name: str) -> str:
    """Return a name that is safe in a terminal: shortened, with ASCII characters only."""
    short = name if len(name) <= MAX_NAME_CHARACTERS else name[:MAX_NAME_CHARACTERS] + "..."
    return "".join(character if character.isascii() and character.isprintable() else "?" for character in short)


def _is_unknown(name: str, value: str, known: Collection[str]) -> bool:
    if LIKE_OURS.match(name) is None or is_service_link(name, value):
        return False
    return name not in OTHER_VARIABLES and name.upper() not in known


def _labels(names: list[str], known: Collection[str]) -> Iterator[str | Message]:
    for name in names:
        shown, similar = printable_name(name), nearest_name(name.upper(), known)
        yield message("settings.similar_setting", name=shown, similar=similar) if similar else shown
