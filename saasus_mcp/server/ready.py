"""What a server answers before anything is called, as ready JSON: made from the real server by scripts/ready.py.

It holds for one version of this package and its catalogue under one version of the SDK, and for the shipped presets alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from saasus_mcp import __version__
from saasus_mcp.catalog.catalogue import FILE as CATALOGUE
from saasus_mcp.catalog.model import Language
from saasus_mcp.permissions.narrowing import EVERYTHING, Narrowing
from saasus_mcp.permissions.policy import PRESETS, Mode
from saasus_mcp.permissions.proof import Place
from saasus_mcp.server.instructions import instructions
from saasus_mcp.server.narrowing import CHANGING, HELPERS, OF_JOBS
from saasus_mcp.server.toolsets import CALLS, READ_AND_SELECT, Kind

FILE = Path(__file__).with_name("ready.json")
INSTRUCTIONS, VERSION, TOOLS = '"{instructions}"', '"{version}"', '"{tools}"'
"""What stands in the templates for what depends on settings."""
SCHEMAS, FIRST = frozenset({"inputSchema", "outputSchema"}), ("properties", "required", "type")


@dataclass(frozen=True, slots=True)
class Ready:
    """The results of one server, as JSON text.

    Attributes:
        versions: the protocol versions of which `initialize` can be answered.
        discovered, listed: of `server/discover`, and of `tools/list`, in protocol 2026-07-28.
        listed_before: of `tools/list`, in the protocols before.
    """

    versions: frozenset[str]
    initialized_as: str
    discovered: str
    listed: str
    listed_before: str

    def initialized(self, protocol: str) -> str:
        """Of `initialize`, in a protocol version."""
        return self.initialized_as.replace(VERSION, json.dumps(protocol))


def key() -> list[str]:
    """What ready answers hold for: this version, this catalogue, and the SDK up to its patches."""
    return [
        __version__,
        hashlib.sha256(CATALOGUE.read_bytes()).hexdigest(),
        ".".join(version("mcp").split(".")[:2]),
    ]


def load(  # noqa: PLR0917 - the settings that decide what is listed
    place: Place,
    mode: Mode,
    kind: Kind,
    toolsets: frozenset[str],
    language: Language,
    narrowing: Narrowing = EVERYTHING,
) -> Ready | None:
    """The answers of a server with these settings; None where there are none for what is installed."""
    made = json.loads(FILE.read_bytes())
    if made["key"] != key():
        return None
    rows = {row["tool"]["name"]: row for row in made["tools"]}
    ordered = (rows[name] for name in made["orders"][kind])
    shown = [row for row in ordered if _shown(row, mode, kind, toolsets)]
    if narrowing != EVERYTHING:
        left = _left(rows.values(), mode, narrowing)
        shown = [row for row in shown if row["tool"]["name"] in left]
    tools = [_titled(row, language) for row in shown]
    told = compact(instructions(place, PRESETS[mode], kind))
    return Ready(
        frozenset(made["versions"]),
        made["initialized"].replace(INSTRUCTIONS, told),
        made["discovered"].replace(INSTRUCTIONS, told),
        made["listed"].replace(TOOLS, compact(tools)),
        made["listed_before"].replace(TOOLS, compact([before(tool) for tool in tools])),
    )


def compact(value: Any) -> str:
    """JSON as the SDK writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def before(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool of protocol 2026-07-28 as the SDK writes it in the protocols before: its schemas in another order."""
    return {name: _reordered(value) if name in SCHEMAS else value for name, value in tool.items()}


def _reordered(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: schema[name] for name in (*FIRST, *schema) if name in schema}


def _shown(row: dict[str, Any], mode: Mode, kind: Kind, toolsets: frozenset[str]) -> bool:
    """Whether a tool is listed, as server.surface has it."""
    toolset = row["toolsets"].get(kind, next(iter(row["toolsets"].values())))
    listed = toolset in toolsets if toolsets and toolset else kind in row["kinds"]
    return mode in row["modes"] and listed


def _left(rows: Iterable[dict[str, Any]], mode: Mode, narrowing: Narrowing) -> set[str]:
    """The tools that a narrowing leaves, as server.surface has it."""
    from saasus_mcp.catalog import jobs, load  # noqa: PLC0415 - only where something is narrowed

    allowed = {row["tool"]["name"] for row in rows if mode in row["modes"]}
    operations = {each.key: each for each in load() if each.tool in allowed}
    left = [each for each in operations.values() if not narrowing.why_not(each)]
    of_jobs = {
        job.name
        for job in jobs.load()
        for reach in [narrowing.of_job(job.name)]
        if all(key in operations and not reach.why_not(operations[key]) for key in (*job.reads, *job.writes))
    }
    levels = {each.level for each in left}
    reaching = {**CALLS, READ_AND_SELECT: CALLS["call_read"]}
    calls = {name for name, each in reaching.items() if levels.intersection(each)}
    follows = HELPERS - reaching.keys() - (set() if of_jobs else OF_JOBS) - (CHANGING if narrowing.read_only else set())
    return {each.tool for each in left} | ((of_jobs | calls | follows) - narrowing.exclude)


def _titled(row: dict[str, Any], language: Language) -> dict[str, Any]:
    tool: dict[str, Any] = row["tool"]
    tool["title"] = tool["annotations"]["title"] = row["titles"][language]
    return tool
