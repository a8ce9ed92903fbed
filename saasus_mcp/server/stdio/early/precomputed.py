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
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.permissions.policy.presets import PRESETS, Mode
from saasus_mcp.server.surface.instructions import server_instructions
from saasus_mcp.server.surface.narrowing import CHANGING_TOOLS, HELPER_TOOLS, JOB_HELPER_TOOLS
from saasus_mcp.server.surface.toolsets import CALL_TOOL_LEVELS, READ_AND_SELECT, SurfaceKind

PRECOMPUTED_FILE = Path(__file__).with_name("ready.json")
INSTRUCTIONS_MARK, VERSION_MARK, TOOLS_MARK = '"{instructions}"', '"{version}"', '"{tools}"'
"""What stands in the templates for what depends on settings."""
SCHEMA_KEYS, FIRST_SCHEMA_KEYS = frozenset({"inputSchema", "outputSchema"}), ("properties", "required", "type")


@dataclass(frozen=True, slots=True)
class PrecomputedResponses:
    """The results of one server, as JSON text.

    Attributes:
        versions: the protocol versions of which `initialize` can be answered.
        discovered, listed: of `server/discover`, and of `tools/list`, in protocol 2026-07-28.
        listed_before: of `tools/list`, in the protocols before.
    """

    versions: frozenset[str]
    initialize_template: str
    discover_result: str
    list_result: str
    earlier_list_result: str

    def initialize_result(self, protocol: str) -> str:
        """Of `initialize`, in a protocol version."""
        return self.initialize_template.replace(VERSION_MARK, json.dumps(protocol))


def precomputed_key() -> list[str]:
    """What ready answers hold for: this version, this catalogue, and the SDK up to its patches."""
    return [
        __version__,
        hashlib.sha256(CATALOGUE.read_bytes()).hexdigest(),
        ".".join(version("mcp").split(".")[:2]),
    ]


def load_precomputed(  # noqa: PLR0917 - the settings that decide what is listed
    place: Destination,
    mode: Mode,
    kind: SurfaceKind,
    toolsets: frozenset[str],
    language: Language,
    narrowing: Narrowing = NO_NARROWING,
) -> PrecomputedResponses | None:
    """The answers of a server with these settings; None where there are none for what is installed."""
    made = json.loads(PRECOMPUTED_FILE.read_bytes())
    if made["key"] != precomputed_key():
        return None
    rows = {row["tool"]["name"]: row for row in made["tools"]}
    ordered = (rows[name] for name in made["orders"][kind])
    shown = [row for row in ordered if _shown(row, mode, kind, toolsets)]
    if narrowing != NO_NARROWING:
        left = _left(rows.values(), mode, narrowing)
        shown = [row for row in shown if row["tool"]["name"] in left]
    tools = [_titled(row, language) for row in shown]
    told = sdk_json(server_instructions(place, PRESETS[mode], kind))
    return PrecomputedResponses(
        frozenset(made["versions"]),
        made["initialized"].replace(INSTRUCTIONS_MARK, told),
        made["discovered"].replace(INSTRUCTIONS_MARK, told),
        made["listed"].replace(TOOLS_MARK, sdk_json(tools)),
        made["listed_before"].replace(TOOLS_MARK, sdk_json([earlier_protocol_tool(tool) for tool in tools])),
    )


def sdk_json(value: Any) -> str:
    """JSON as the SDK writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def earlier_protocol_tool(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool of protocol 2026-07-28 as the SDK writes it in the protocols before: its schemas in another order."""
    return {name: _reordered(value) if name in SCHEMA_KEYS else value for name, value in tool.items()}


def _reordered(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: schema[name] for name in (*FIRST_SCHEMA_KEYS, *schema) if name in schema}


def _shown(row: dict[str, Any], mode: Mode, kind: SurfaceKind, toolsets: frozenset[str]) -> bool:
    """Whether a tool is listed, as server.surface has it."""
    toolset = row["toolsets"].get(kind, next(iter(row["toolsets"].values())))
    listed = toolset in toolsets if toolsets and toolset else kind in row["kinds"]
    return mode in row["modes"] and listed


def _left(rows: Iterable[dict[str, Any]], mode: Mode, narrowing: Narrowing) -> set[str]:
    """The tools that a narrowing leaves, as server.surface has it."""
    from saasus_mcp.catalog import jobs, load_catalogue  # noqa: PLC0415 - only where something is narrowed

    allowed = {row["tool"]["name"] for row in rows if mode in row["modes"]}
    operations = {each.key: each for each in load_catalogue() if each.tool in allowed}
    left = [each for each in operations.values() if not narrowing.exclusion_reason(each)]
    of_jobs = {
        job.name
        for job in jobs.load_jobs()
        for reach in [narrowing.for_job(job.name)]
        if all(key in operations and not reach.exclusion_reason(operations[key]) for key in (*job.reads, *job.writes))
    }
    levels = {each.level for each in left}
    reaching = {**CALL_TOOL_LEVELS, READ_AND_SELECT: CALL_TOOL_LEVELS["call_read"]}
    calls = {name for name, each in reaching.items() if levels.intersection(each)}
    follows = (
        HELPER_TOOLS
        - reaching.keys()
        - (set() if of_jobs else JOB_HELPER_TOOLS)
        - (CHANGING_TOOLS if narrowing.read_only else set())
    )
    return {each.tool for each in left} | ((of_jobs | calls | follows) - narrowing.exclude)


def _titled(row: dict[str, Any], language: Language) -> dict[str, Any]:
    tool: dict[str, Any] = row["tool"]
    tool["title"] = tool["annotations"]["title"] = row["titles"][language]
    return tool
