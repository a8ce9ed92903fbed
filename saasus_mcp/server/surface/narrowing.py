"""The narrowing of a connection by headers, URL or options. It is parsed strictly: a misread list would offer too much."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from saasus_mcp.catalog.jobs import JOBS_TOOLSET as JOBS
from saasus_mcp.catalog.jobs import load_jobs
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import MAX_SHOWN_NAME, nearest_names, read_switch, visible_text
from saasus_mcp.permissions.policy.wrappers import NARROWED_HINT
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.server.surface.toolsets import TOOLSETS

if TYPE_CHECKING:
    from saasus_mcp.catalog import Catalogue
    from saasus_mcp.permissions.policy.model import Principal
    from saasus_mcp.server.surface.builtin_tool import BuiltinTool

HELPER_TOOLS = frozenset(
    {
        "search_operations",
        "describe_operation",
        "call_read",
        "call_write",
        "call_destructive",
        "job_run",
        "job_status",
        "job_control",
        "select_from_result",
        "read_and_select",
        "time_now",
        "time_convert",
    }
)
"""Built-in tools that give no access of their own. They are listed unless they are excluded by name."""
JOB_HELPER_TOOLS = frozenset({"job_run", "job_status", "job_control"})
"""Helper tools that are listed only with a job."""
CHANGING_TOOLS = frozenset({"job_control"})
"""Helper tools that change something."""
FORMER_NAMES = {"job_cancel": "job_control"}
"""The present names of helper tools, by former name."""
ALL_TOOLSETS = "all"
"""Stands for every toolset in a list."""
MAX_LIST_LENGTH = 16_384
"""Characters of a list: enough for the names of all tools."""
MAX_GLOBS, MAX_ASTERISKS, MAX_GLOB_LENGTH = 32, 4, 80
"""Limits that keep the cost of globs below a few milliseconds."""
CACHE_SIZE = 128
"""Resolved lists in the cache. A client sends the same list with each request."""


class NarrowingError(SaasusMcpError):
    """A list or a switch cannot be read. The error names its source, the fault and the nearest valid name."""


def parse_toolsets(text: str, source: str) -> frozenset[str] | None:
    """Return the toolsets of a comma-separated list, or None if it names `all`.

    Raises:
        NarrowingError: the list is empty or too long, or names an unknown toolset.
    """
    names = frozenset(_items(text, source))
    unknown = min(names - TOOLSETS.keys() - {ALL_TOOLSETS}, default=None)
    if unknown is not None:
        hint = _nearest(unknown.casefold().replace("-", "_"), TOOLSETS) or message(
            "server_narrowing.toolsets_hint", names=tuple(sorted(TOOLSETS))
        )
        raise NarrowingError(message("server_narrowing.unknown_toolset", source=source, name=_shown(unknown)), hint)
    return None if ALL_TOOLSETS in names else names


def parse_switch(text: str, source: str) -> bool:
    """Return the value of a switch. Raise NarrowingError if the text is neither true nor false."""
    switch = read_switch(text)
    if switch is None:
        raise NarrowingError.of("server_narrowing.not_a_switch", source=source, name=_shown(text))
    return switch


class ToolNames:
    """The names of all tools: operations, jobs and built-in tools."""

    def __init__(self, catalogue: Catalogue) -> None:
        jobs = {spec.name for spec in load_jobs()}
        present = {operation.tool for operation in catalogue} | jobs | HELPER_TOOLS
        self._catalogue = catalogue
        self._current = {**catalogue.former_names, **FORMER_NAMES, **{name: name for name in sorted(present)}}
        self._cached = lru_cache(CACHE_SIZE)(self._resolve)

    def resolve(self, text: str, source: str) -> frozenset[str]:
        """Return the current names of the tools in a comma-separated list of names, former names and globs.

        Raises:
            NarrowingError: the list is empty or too long, an item names no tool, or its globs cost too much.
        """
        return self._cached(text, source)

    def _resolve(self, text: str, source: str) -> frozenset[str]:
        items = _items(text, source)
        if sum("*" in item for item in items) > MAX_GLOBS:
            fault = message("server_narrowing.too_many_globs", source=source, count=MAX_GLOBS)
            raise NarrowingError(fault, message("server_narrowing.simpler_globs_hint"))
        found: set[str] = set()
        for item in items:
            matches = self._matches(item, source) if "*" in item else {self._current.get(item, "")} - {""}
            if not matches:
                near = _nearest(item.casefold().replace("*", "").replace("-", "_"), self._current)
                fault = message(
                    "server_narrowing.no_match" if "*" in item else "server_narrowing.unknown_tool",
                    source=source,
                    name=_shown(item),
                )
                raise NarrowingError(fault, near or message("server_narrowing.list_hint"))
            found |= matches
        return frozenset(found)

    def _matches(self, glob: str, source: str) -> set[str]:
        if len(glob) > MAX_GLOB_LENGTH or glob.count("*") > MAX_ASTERISKS:
            fault = message(
                "server_narrowing.glob_too_complex",
                source=source,
                name=_shown(glob),
                length=MAX_GLOB_LENGTH,
                asterisks=MAX_ASTERISKS,
            )
            raise NarrowingError(fault, message("server_narrowing.simpler_globs_hint"))
        return {current for name, current in self._current.items() if matches_asterisks(name, glob)}


def matches_asterisks(name: str, glob: str) -> bool:
    """Return whether a name matches a glob, in which `*` stands for any characters. It takes one pass over the name."""
    first, *between, last = glob.split("*")
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for part in between:
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def exclusion_reason(tool: BuiltinTool, principal: Principal) -> Message | None:
    """Return why the connection does not offer a built-in tool, or None."""
    narrowing, name = principal.narrowing, tool.present_name or tool.name
    if narrowing.read_only and name in CHANGING_TOOLS:
        return message("policy.narrowed.read_only")
    return narrowing.exclusion_reason_by_name(name, "" if name in HELPER_TOOLS else JOBS)


def require_not_excluded(tool: BuiltinTool, principal: Principal) -> None:
    """Raise CallRefused unless the connection offers a built-in tool."""
    reason = exclusion_reason(tool, principal)
    if reason:
        raise CallRefused(Reason.NARROWED, message("policy.not_allowed", tool=tool.name, reason=reason), NARROWED_HINT)


def _items(text: str, source: str) -> list[str]:
    if len(text) > MAX_LIST_LENGTH:
        fault = message("server_narrowing.too_long", source=source, count=MAX_LIST_LENGTH)
        raise NarrowingError(fault, message("server_narrowing.too_long_hint"))
    items = list(dict.fromkeys(item for part in text.split(",") if (item := part.strip())))
    if not items:
        fault = message("server_narrowing.empty", source=source)
        raise NarrowingError(fault, message("server_narrowing.empty_hint"))
    return items


def _nearest(name: str, known: Mapping[str, object]) -> Message | None:
    near = nearest_names(name, known)
    return message("server_narrowing.nearest_hint", names=near) if near else None


def _shown(name: str) -> str:
    """Return a name from outside in a form that a message can contain."""
    return repr(visible_text(name[:MAX_SHOWN_NAME]))
