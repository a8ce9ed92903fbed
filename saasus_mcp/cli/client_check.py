"""The check of `doctor` that looks at the clients on this computer."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from saasus_mcp.catalog import Language
from saasus_mcp.cli.checks import Finding
from saasus_mcp.cli.doctor_wording import WORDS
from saasus_mcp.clients.finding import Found, find
from saasus_mcp.clients.known import Machine
from saasus_mcp.saasus.words import plain
from saasus_mcp.settings import Settings


def check(settings: Settings) -> Finding:
    """Which clients start this server, and whether they can."""
    words = WORDS[settings.lang]
    found = list(find(Machine(platform.system(), Path.home(), os.environ)))
    if not found:
        return Finding("clients", "note", words["clients_none"], words["clients_none_mend"])
    said = "; ".join(_said(one, settings.lang) for one in found)
    flaws = {one.flaw for one in found} - {""}
    mend = " ".join(words[f"clients_{flaw}_mend"] for flaw in sorted(flaws))
    if flaws & {"unreadable", "refused", "no_command", "working_directory", "open_folder"}:
        return Finding("clients", "problem", said, mend)
    return Finding("clients", "note" if flaws else "ok", said, mend)


def _said(one: Found, lang: Language) -> str:
    name = f"{one.client.title} ({plain(one.name)})" if one.name else f"{one.client.title} ({one.file})"
    return name + (WORDS[lang][f"clients_{one.flaw}"].format(detail=plain(one.detail)) if one.flaw else "")
