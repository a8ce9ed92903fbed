"""What a job would do: the steps that change something, and what a person reads of it. Plain data, kept while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from saasus_mcp.catalog.model import Text
from saasus_mcp.permissions.proof import digest
from saasus_mcp.server.call import Part


@dataclass(frozen=True, slots=True)
class Find:
    """How to find what a step made, where it is known to be done and its answer was lost.

    Attributes:
        read: operation key, called with `args`.
        items: the list in its answer.
        where: what the one item sought holds.
    """

    read: str
    args: Mapping[str, Any]
    items: str
    where: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One call that changes something.

    Attributes:
        step: its name in the plan: unique, the same whenever the plan is run.
        operation: operation key.
        args: its arguments, without those that come later; in a list that one comes into, anything holds its place.
        later: arguments that an earlier step's answer gives, by place (server.filling): which step's, and which field of it.
        bound: filled in when it is weighed (permissions.bound).
    """

    step: str
    operation: str
    args: Mapping[str, Any]
    later: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    find: Find | None = None
    bound: str = ""

    def part(self, of: Part) -> Part:
        """The entry as the part of a job that it is."""
        return replace(of, step=self.step, later=self.later, bound=self.bound)


@dataclass(frozen=True, slots=True)
class Row:
    """Steps that belong together and go one after the other: those of one user, say. Rows do not wait for each other."""

    name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job would do.

    Attributes:
        rows: what changes something; empty for a job that only reads.
        data: what else the job wants to know when it runs.
        counts: the numbers that a person decides by, shown one a line.
        lines: what else they read.
        passing: what they read besides, and what may change while they think: another one of it makes no other plan.
        target: the name they type where one must be typed; empty for the SaaS id.
    """

    rows: tuple[Row, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    lines: tuple[Text, ...] = ()
    passing: tuple[Text, ...] = ()
    target: str = ""

    @property
    def entries(self) -> list[Entry]:
        return [entry for row in self.rows for entry in row.entries]

    def digest(self) -> str:
        """SHA-256 over all of it that does not pass."""
        return digest(asdict(replace(self, passing=())))

    def kept(self) -> dict[str, Any]:
        """The plan as JSON."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """The plan that was kept as JSON."""
        rows = tuple(Row(row["name"], tuple(_entry(entry) for entry in row["entries"])) for row in kept["rows"])
        texts = {name: tuple(Text(**line) for line in kept[name]) for name in ("lines", "passing")}
        return cls(**{**kept, "rows": rows, **texts})


def _entry(kept: Mapping[str, Any]) -> Entry:
    find = Find(**kept["find"]) if kept["find"] else None
    later = {name: (step, wanted) for name, (step, wanted) in kept["later"].items()}
    return Entry(**{**kept, "find": find, "later": later})
