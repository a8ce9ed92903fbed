"""The precomputed answers, which scripts/ready.py takes from the real server.

They hold for one version of this package, its catalogue and the SDK, and for the shipped presets only.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saasus_mcp import __version__, catalog
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.server.apps.extension import with_extension, with_ui
from saasus_mcp.server.surface.instructions import server_instructions
from saasus_mcp.server.surface.narrowing import CHANGING_TOOLS, HELPER_TOOLS, JOB_HELPER_TOOLS
from saasus_mcp.server.surface.toolsets import CALL_TOOL_LEVELS, READ_AND_SELECT, SurfaceKind

if TYPE_CHECKING:
    from saasus_mcp.settings.environment import Mode

PRECOMPUTED_FILE = Path(__file__).with_name("ready.json")
CATALOGUE = Path(catalog.__file__).with_name("catalogue.json")
INSTRUCTIONS_MARK, VERSION_MARK, TOOLS_MARK = '"{instructions}"', '"{version}"', '"{tools}"'
"""Marks in the templates for values that depend on settings."""
SCHEMA_KEYS, FIRST_SCHEMA_KEYS = frozenset({"inputSchema", "outputSchema"}), ("properties", "required", "type")


@dataclass(frozen=True, slots=True)
class PrecomputedResponses:
    """The results of one server, as JSON text, with additions for clients that show apps.

    Attributes:
        versions: the protocol versions with an answer to `initialize`.
        initialize_template, discover_template: of `initialize`, and of `server/discover` in protocol 2026-07-28.
        list_template, earlier_list_template: of `tools/list` in protocol 2026-07-28, and in earlier ones.
        tools: the listed tools in protocol 2026-07-28.
        uis: `_meta.ui` of each listed tool, by name.
    """

    versions: frozenset[str]
    initialize_template: str
    discover_template: str
    list_template: str
    earlier_list_template: str
    tools: Sequence[dict[str, Any]]
    uis: Mapping[str, dict[str, Any]]

    def initialize_result(self, protocol: str, *, apps: bool = False) -> str:
        return _named(self.initialize_template.replace(VERSION_MARK, json.dumps(protocol)), apps=apps)

    def discover_result(self, *, apps: bool = False) -> str:
        return _named(self.discover_template, apps=apps)

    def list_result(self, *, earlier: bool = False, apps: bool = False) -> str:
        tools = self.tools if not earlier else [earlier_protocol_tool(tool) for tool in self.tools]
        shown = tools if not apps else [with_ui(tool, self.uis[tool["name"]]) for tool in tools]
        return (self.earlier_list_template if earlier else self.list_template).replace(TOOLS_MARK, sdk_json(shown))


def precomputed_key() -> list[str]:
    """Return the versions that the answers hold for: this package, its catalogue, and the SDK without its patch level."""
    return [
        __version__,
        hashlib.sha256(CATALOGUE.read_bytes()).hexdigest(),
        ".".join(_sdk_version().split(".")[:2]),
    ]


def _sdk_version() -> str:
    """Return the version of the installed SDK, or an empty text. importlib.metadata would take a tenth of the time to start."""
    folders = (Path(place) for place in sys.path if Path(place).is_dir())
    found = chain.from_iterable(sorted(folder.glob("mcp-*.dist-info")) for folder in folders)
    return next((folder.name.removeprefix("mcp-").removesuffix(".dist-info") for folder in found), "")


def load_precomputed(
    destination: Destination,
    mode: Mode,
    *,
    kind: SurfaceKind,
    toolsets: frozenset[str],
    language: Language,
    narrowing: Narrowing = NO_NARROWING,
) -> PrecomputedResponses | None:
    """Return the answers of a server with these settings, or None if the key does not match."""
    data = json.loads(PRECOMPUTED_FILE.read_bytes())
    if data["key"] != precomputed_key():
        return None
    rows = {row["tool"]["name"]: row for row in data["tools"]}
    ordered = (rows[name] for name in data["orders"][kind])
    shown = [row for row in ordered if _is_listed(row, mode, kind, toolsets)]
    if narrowing != NO_NARROWING:
        remaining = _narrowed(rows.values(), mode, narrowing)
        shown = [row for row in shown if row["tool"]["name"] in remaining]
    tools = [_titled(row, language) for row in shown]
    text = sdk_json(server_instructions(destination, PRESETS[mode], kind))
    return PrecomputedResponses(
        frozenset(data["versions"]),
        data["initialized"].replace(INSTRUCTIONS_MARK, text),
        data["discovered"].replace(INSTRUCTIONS_MARK, text),
        data["listed"],
        data["listed_before"],
        tools,
        {row["tool"]["name"]: row["ui"] for row in shown},
    )


def _named(result: str, *, apps: bool) -> str:
    """Return a result that names the capabilities of the server, with the extension for clients that declare it."""
    if not apps:
        return result
    value = json.loads(result)
    return sdk_json({**value, "capabilities": with_extension(value["capabilities"])})


def sdk_json(value: Any) -> str:
    """Return JSON as the SDK writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def earlier_protocol_tool(tool: dict[str, Any]) -> dict[str, Any]:
    """Return a tool of protocol 2026-07-28 as the SDK writes it in earlier protocols: with another order in its schemas."""
    return {name: _reordered(value) if name in SCHEMA_KEYS else value for name, value in tool.items()}


def _reordered(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: schema[name] for name in (*FIRST_SCHEMA_KEYS, *schema) if name in schema}


def _is_listed(row: dict[str, Any], mode: Mode, kind: SurfaceKind, toolsets: frozenset[str]) -> bool:
    """Return whether a tool is listed (see `ToolSurface`)."""
    toolset = row["toolsets"].get(kind, next(iter(row["toolsets"].values())))
    listed = toolset in toolsets if toolsets and toolset else kind in row["kinds"]
    return mode in row["modes"] and listed


def _narrowed(rows: Iterable[dict[str, Any]], mode: Mode, narrowing: Narrowing) -> set[str]:
    """Return the tools that a narrowing leaves (see `ToolSurface`)."""
    from saasus_mcp.catalog import jobs, load_catalogue  # noqa: PLC0415 - only where something is narrowed

    allowed = {row["tool"]["name"] for row in rows if mode in row["modes"]}
    operations = {each.key: each for each in load_catalogue() if each.tool in allowed}
    left = [each for each in operations.values() if not narrowing.exclusion_reason(each)]

    def is_left(job: jobs.JobSpec) -> bool:
        if job.writes_any:
            excluded = narrowing.exclusion_reason_by_name(job.name, jobs.JOBS_TOOLSET)
            return not excluded and not all(each.reads for each in left)
        reach = narrowing.for_job(job.name)
        keys = (*job.reads, *job.writes)
        return all(key in operations and not reach.exclusion_reason(operations[key]) for key in keys)

    of_jobs = {job.name for job in jobs.load_jobs() if is_left(job)}
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
