"""What a connection or a server gives up of what its policy allows: other toolsets, other tools, some tools, every write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from saasus_mcp.catalog.jobs import JOBS_TOOLSET as JOBS
from saasus_mcp.catalog.model import Operation

MAX_AUDIT_NAMES = 20
"""Names of one kind in an audit record."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Conditions that a tool must meet to be listed and called, every one of them. It never allows anything by itself.

    Attributes:
        toolsets: only tools of these; None for tools of any.
        tools: only tools of these names; None for tools of any name.
        exclude: no tool of these names.
        read_only: only operations that read.
    """

    toolsets: frozenset[str] | None = None
    tools: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()
    read_only: bool = False

    def __and__(self, other: Narrowing) -> Narrowing:
        """The conditions of both."""
        if self == NO_NARROWING:
            return other
        return Narrowing(
            _both(self.toolsets, other.toolsets),
            _both(self.tools, other.tools),
            self.exclude | other.exclude,
            self.read_only or other.read_only,
        )

    def exclusion_reason(self, operation: Operation) -> str:
        """Why an operation is left out, as the end of a sentence; empty where it is not."""
        if self.read_only and not operation.reads:
            return "this connection is limited to reads"
        return self.exclusion_reason_by_name(operation.tool, operation.toolset)

    def exclusion_reason_by_name(self, name: str, toolset: str) -> str:
        """Why the tool of this name is left out; empty where it is not.

        Args:
            toolset: empty for a tool that only finds, describes or passes on what other tools may do. It stays unless it
                is excluded by name.
        """
        if name in self.exclude:
            return "this connection excludes it"
        if toolset and self.toolsets is not None and toolset not in self.toolsets:
            return "this connection is limited to other toolsets"
        if toolset and self.tools is not None and name not in self.tools:
            return "this connection is limited to other tools"
        return ""

    def for_job(self, name: str) -> Narrowing:
        """The narrowing of a job's own calls: whoever selects a job selects what it calls, and no exclusion is lifted."""
        if self == NO_NARROWING:
            return self
        return (
            EXCLUDE_ALL
            if self.exclusion_reason_by_name(name, JOBS)
            else Narrowing(exclude=self.exclude, read_only=self.read_only)
        )

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON, without the conditions that it does not set."""
        found = {name: getattr(self, name) for name in ("toolsets", "tools")}
        return {
            **{name: sorted(value) for name, value in found.items() if value is not None},
            **({"exclude": sorted(self.exclude)} if self.exclude else {}),
            **({"read_only": True} if self.read_only else {}),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """The narrowing that was kept as JSON."""
        found = {name: frozenset(kept[name]) for name in ("toolsets", "tools", "exclude") if name in kept}
        return cls(read_only=kept.get("read_only", False), **found)

    def to_audit(self) -> dict[str, Any]:
        """What the audit says of it: as `kept`, of very many names the first and their count."""
        return {name: _short(value) if isinstance(value, list) else value for name, value in self.to_json().items()}


NO_NARROWING = Narrowing()
"""No narrowing."""
EXCLUDE_ALL = Narrowing(toolsets=frozenset(), tools=frozenset(), read_only=True)
"""Leaves out every operation."""


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _short(names: list[str]) -> list[str]:
    more = len(names) - MAX_AUDIT_NAMES
    return names if more <= 0 else [*names[:MAX_AUDIT_NAMES], f"and {more} more"]
