"""Variables in the environment that look like settings of ours and are none: a misspelt safeguard must not be silently off."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from saasus_mcp.settings.errors import SettingsError

OURS = re.compile(r"SAASUS_MCP(?:_|$)|S[AUS]{2,8}[-_. ]*(?:MCP|MPC|CMP)[-_. ]*[A-Z]", re.IGNORECASE)
"""What begins like a setting of ours, or nearly: SASUS_MCP_MODE, SAASUS_MPC_MODE, SAASUSMCP_MODE."""
OTHER_VARIABLES = frozenset(
    {
        "SAASUS_MCP_SURFACE",
        "SAASUS_MCP_TOOLSETS",
        "SAASUS_MCP_TOOLS",
        "SAASUS_MCP_EXCLUDE_TOOLS",
        "SAASUS_MCP_TOKEN",
    }
)
"""Read by the command line's flags, or by a client: `install --token-env SAASUS_MCP_TOKEN`."""
SERVICE_LINK = re.compile(
    r"_SERVICE_HOST\Z|_SERVICE_PORT(?:\Z|_)|_PORT_\d{1,5}_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?\Z"
)
SERVICE_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://[^\s/]+:\d+")
"""What Kubernetes puts into every container for a Service called saasus-mcp; nobody wrote it."""
MOST_SHOWN, LONGEST_SHOWN, MOST_COMPARED = 3, 60, 100

SIMILAR = 0.7
"""Of 1: how alike two names are for one to be told as what the other meant (difflib's ratio)."""

WORDS: Mapping[Literal["en", "ja"], Mapping[str, str]] = {
    "en": {
        "unknown": "{names}: unknown setting.",
        "near": "{name} (did you mean {near}?)",
        "more": " and {count} more",
        "mend": "Nothing was started. Correct or unset it; see docs/configuration.md for all settings.",
        "twice": "{names}: set more than once with different letter case and different values.",
        "twice_mend": "Nothing was started. Keep only one of them.",
    },
    "ja": {
        "unknown": "{names}: このような設定はありません。",
        "near": "{name}({near} の誤りではありませんか)",
        "more": " ほか{count}件",
        "mend": "処理を中止しました。名前を直すか、環境変数から削除してください。設定の一覧は docs/configuration.ja.md にあります。",
        "twice": "{names}: 大文字と小文字だけが異なる名前で、別々の値が設定されています。",
        "twice_mend": "処理を中止しました。どちらか一方だけにしてください。",
    },
}


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes set this variable for a Service whose name begins like this program's."""
    return name.startswith("SAASUS_MCP") and (
        SERVICE_LINK.search(name) is not None
        or (name.endswith("_PORT") and SERVICE_ADDRESS.fullmatch(value) is not None)
    )


def find_unknown_variables(known: Collection[str]) -> list[str]:
    """The variables that are set, look like ours, and are not among those known. Empty is not set."""
    return sorted(name for name, value in os.environ.items() if value and _is_unknown(name, value, known))


def unknown_variables_error(names: list[str], known: Collection[str], lang: Literal["en", "ja"]) -> SettingsError:
    """The error for unknown variables, each with the nearest name there is."""
    words = WORDS[lang]
    shown = ", ".join(_shown(names[:MOST_SHOWN], known, words["near"]))
    if len(names) > MOST_SHOWN:
        shown += words["more"].format(count=len(names) - MOST_SHOWN)
    return SettingsError(words["unknown"].format(names=shown), words["mend"])


def refuse_duplicate_variables(lang: Literal["en", "ja"]) -> None:
    """See that no variable of ours is set in two spellings that say different things.

    Raises:
        SettingsError: one is.
    """
    by_name: dict[str, dict[str, str]] = {}
    for name, value in os.environ.items():
        if value and name.upper().startswith("SAASUS_"):
            by_name.setdefault(name.upper(), {})[name] = value
    for spellings in by_name.values():
        if len(set(spellings.values())) > 1:
            words = WORDS[lang]
            names = ", ".join(printable_name(name) for name in sorted(spellings)[:MOST_SHOWN])
            raise SettingsError(words["twice"].format(names=names), words["twice_mend"])


def nearest_name(name: str, known: Collection[str]) -> str | None:
    """The known name that is most like this one."""
    from difflib import get_close_matches  # noqa: PLC0415 - only on a mistake

    return next(iter(get_close_matches(name[:LONGEST_SHOWN], sorted(known), 1, SIMILAR)), None)


def find_similar_variables(missing: Collection[str], known: Collection[str]) -> list[str]:
    """The variables that are set, unknown, and spelt nearly like one that is missing. They may be somebody else's."""
    others = [
        name
        for name, value in os.environ.items()
        if value and name.upper().startswith("SAAS") and len(name) <= LONGEST_SHOWN
    ]
    strange = {name.upper(): name for name in sorted(others)[:MOST_COMPARED] if name.upper() not in known}
    found = (nearest_name(name, strange) for name in missing)
    return sorted({strange[name] for name in found if name is not None})


def printable_name(name: str) -> str:
    """A name as it can be shown: cut, and with nothing in it that a terminal would act on."""
    cut = name if len(name) <= LONGEST_SHOWN else name[:LONGEST_SHOWN] + "..."
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in cut)


def _is_unknown(name: str, value: str, known: Collection[str]) -> bool:
    if OURS.match(name) is None or is_service_link(name, value):
        return False
    return name not in OTHER_VARIABLES and name.upper() not in known


def _shown(names: list[str], known: Collection[str], near: str) -> Iterator[str]:
    for name in names:
        found = nearest_name(name.upper(), known)
        yield near.format(name=printable_name(name), near=found) if found else printable_name(name)
