"""What a job would do: the steps that change something, and what a person is asked of it. Plain data, kept while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog.model import Text
from saasus_mcp.permissions.proof import digest
from saasus_mcp.permissions.question.model import Change, Detail, Fact, Notice
from saasus_mcp.server.call import Part

if TYPE_CHECKING:
    from pydantic import TypeAdapter


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
    """What a job would do, and what a person is asked before it.

    Attributes:
        rows: what changes something; empty for a job that only reads.
        data: what else the job wants to know when it runs.
        counts: the numbers of the plan, for its report where nothing is to be done.
        headline: what is done to whom; the title of the job where there is none.
        facts, changes, reach, warnings, undo, details: as in a question (permissions.question.model).
        momentary: facts that may change while a person thinks: other ones make no other plan.
        target: the one person or thing that it is about; empty for bulk work.
        typed: what is typed to agree to bulk work: how many of what.
        ordinary: names of facts of bulk work that hold nothing out of the ordinary: where no more than these is not shown
            whole, typing how many there are is enough.
    """

    rows: tuple[Row, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    headline: Text | None = None
    facts: tuple[Fact, ...] = ()
    changes: tuple[Change, ...] = ()
    momentary: tuple[Fact, ...] = ()
    reach: tuple[Fact, ...] = ()
    warnings: tuple[Notice, ...] = ()
    undo: Text | None = None
    details: tuple[Detail, ...] = ()
    target: str = ""
    typed: Text | None = None
    ordinary: tuple[str, ...] = ()

    @property
    def entries(self) -> list[Entry]:
        return [entry for row in self.rows for entry in row.entries]

    def digest(self) -> str:
        """SHA-256 over all of it that is not momentary."""
        return digest(asdict(replace(self, momentary=())))

    def kept(self) -> dict[str, Any]:
        """The plan as JSON."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Plan:
        """The plan that was kept as JSON."""
        return _adapter().validate_python(kept)


@cache
def _adapter() -> TypeAdapter[Plan]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - not on the way to the list of tools

    return TypeAdapter(Plan)
