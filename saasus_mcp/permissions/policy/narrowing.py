"""Limits that a connection or a server puts on top of its policy: toolsets, tools, exclusions, reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from saasus_mcp.catalog.jobs import JOBS_TOOLSET as JOBS
from saasus_mcp.common.messages import Message, message

if TYPE_CHECKING:
    from saasus_mcp.catalog.model import Operation

MAX_AUDIT_NAMES = 20
"""Names of one kind in an audit record."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Conditions that a tool must all meet to be listed and called. A narrowing never allows anything.

    Attributes:
        toolsets: only tools of these toolsets; None for any.
        tools: only tools of these names; None for any.
        exclude: no tools of these names.
        read_only: only operations that read.
    """

    toolsets: frozenset[str] | None = None
    tools: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()
    read_only: bool = False

    def __and__(self, other: Narrowing) -> Narrowing:
        """Return the conditions of both."""
        if self == NO_NARROWING:
            return other
        return Narrowing(
            _both(self.toolsets, other.toolsets),
            _both(self.tools, other.tools),
            self.exclude | other.exclude,
            self.read_only or other.read_only,
        )

    def exclusion_reason(self, operation: Operation) -> Message | None:
        """Return why an operation is excluded, as the end of a sentence; None if it is not."""
        if self.read_only and not operation.reads:
            return message("policy.narrowed.read_only")
        return self.exclusion_reason_by_name(operation.tool, operation.toolset)

    def exclusion_reason_by_name(self, name: str, toolset: str) -> Message | None:
        """Return why the tool of this name is excluded; None if it is not.

        Args:
            toolset: empty for a tool that only searches, describes or dispatches. Such a tool stays unless it is excluded by name.
        """
        if name in self.exclude:
            return message("policy.narrowed.excluded")
        if toolset and self.toolsets is not None and toolset not in self.toolsets:
            return message("policy.narrowed.toolsets")
        if toolset and self.tools is not None and name not in self.tools:
            return message("policy.narrowed.tools")
        return None

    def for_job(self, name: str) -> Narrowing:
        """Return the narrowing of a job's own calls: a selected job includes its calls, but exclusions stay."""
        if self == NO_NARROWING:
            return self
        return (
            EXCLUDE_ALL
            if self.exclusion_reason_by_name(name, JOBS)
            else Narrowing(exclude=self.exclude, read_only=self.read_only)
        )

    def to_json(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in ("toolsets", "tools")}
        return {
            **{name: sorted(value) for name, value in found.items() if value is not None},
            **({"exclude": sorted(self.exclude)} if self.exclude else {}),
            **({"read_only": True} if self.read_only else {}),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        found = {name: frozenset(kept[name]) for name in ("toolsets", "tools", "exclude") if name in kept}
        return cls(read_only=kept.get("read_only", False), **found)

    def to_audit(self) -> dict[str, Any]:
        """Return the conditions for the audit log: of very many names, the first ones and their count."""
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
