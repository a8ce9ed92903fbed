"""Undoing a call of the journal: which calls would put back what was there, who may make them, and making them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.reversal import inverses, is_hidden
from saasus_mcp.server.call import Call, Undoes
from saasus_mcp.store import Entry


@dataclass(frozen=True, slots=True)
class Undoer:
    """Who undoes. `approver`: whether they may undo what others did."""

    principal: Principal
    approver: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One call that undoes another, or a part of it.

    Attributes:
        supply: paths of arguments that were never kept, and that a person gives anew.
        done: whether it was made already.
    """

    number: int
    operation: Operation
    args: Mapping[str, Any]
    supply: tuple[str, ...]
    done: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """How one call would be undone."""

    entry: Entry
    operation: Operation
    parts: tuple[Part, ...]

    def call(self, part: Part, supplied: Mapping[str, Any], principal: Principal) -> Call:
        """The call that makes one part, with what a person gave anew put in its place."""
        args: dict[str, Any] = _copied(part.args)
        for path, value in supplied.items():
            _put(args, path.split("."), value)
        return Call(part.operation.tool, args, principal, undoes=Undoes(self.entry, part.number))


def plan(catalogue: Catalogue, entry: Entry, undoer: Undoer, place: Place) -> Plan:
    """How a call can be undone by this person, here.

    Raises:
        Refused: not by this person, not here, not any more, or not at all.
    """
    if entry.profile != place.profile:
        raise Refused("undo", f"That was done in the profile {entry.profile!r}.", f"Use `--profile {entry.profile}`.")
    if entry.principal != undoer.principal.id and not undoer.approver:
        raise Refused("undo", f"That was done by {entry.principal}.", "They or an approver can undo it.")
    operation = catalogue.find(entry.operation)
    found = inverses(operation, entry.arguments, entry.before, entry.result)
    if not found:
        raise Refused("undo_none", "That cannot be undone: no call puts it back, or what it needs is not known.")
    parts = tuple(
        Part(
            number,
            catalogue.find(each.call),
            _without_hidden(each.args),
            tuple(dict.fromkeys((*each.supply, *_hidden(each.args, "")))),
            number in entry.undone,
        )
        for number, each in enumerate(found)
    )
    if all(part.done for part in parts):
        raise Refused("undo", "That was undone already.", "What undid it is in the journal too.")
    return Plan(entry, operation, parts)


def _hidden(value: Any, path: str) -> list[str]:
    """The paths of what the journal left out as secret."""
    if is_hidden(value):
        return [path]
    if isinstance(value, Mapping):
        return [each for name, item in value.items() for each in _hidden(item, f"{path}.{name}".lstrip("."))]
    return []


def _without_hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_hidden(item) for name, item in value.items() if not is_hidden(item)}
    return value


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _put(args: dict[str, Any], steps: list[str], value: Any) -> None:
    for step in steps[:-1]:
        args = args.setdefault(step, {})
    args[steps[-1]] = value
