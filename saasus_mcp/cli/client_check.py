"""The check of `doctor` that looks at the clients on this computer."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from saasus_mcp.cli.doctor.checks import Finding
from saasus_mcp.cli.doctor_wording import WORDS
from saasus_mcp.clients.detection import DetectedServer, detect_servers
from saasus_mcp.clients.known_clients import Machine
from saasus_mcp.common.language import Language
from saasus_mcp.common.text import plain_text
from saasus_mcp.settings import Settings


def check_clients(settings: Settings) -> Finding:
    """Which clients start this server, and whether they can."""
    words = WORDS[settings.lang]
    found = list(detect_servers(Machine(platform.system(), Path.home(), os.environ)))
    if not found:
        return Finding("clients", "note", words["clients_none"], words["clients_none_mend"])
    said = "; ".join(_said(one, settings.lang) for one in found)
    flaws = {one.flaw for one in found} - {""}
    mend = " ".join(words[f"clients_{flaw}_mend"] for flaw in sorted(flaws))
    if flaws & {"unreadable", "refused", "no_command", "working_directory", "open_folder"}:
        return Finding("clients", "problem", said, mend)
    return Finding("clients", "note" if flaws else "ok", said, mend)


def _said(one: DetectedServer, lang: Language) -> str:
    name = f"{one.client.title} ({plain_text(one.name)})" if one.name else f"{one.client.title} ({one.file})"
    return name + (
        WORDS[lang][f"clients_{one.flaw}"].format(
            detail=plain_text(one.detail if isinstance(one.detail, str) else one.detail.text(lang))
        )
        if one.flaw
        else ""
    )
