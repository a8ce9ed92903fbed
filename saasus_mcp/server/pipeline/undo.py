"""Undoing a call of the journal: which calls would put back what was there, who may make them, and making them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.expressions import evaluate_expression
from saasus_mcp.catalog.model import UndoRecipe
from saasus_mcp.common.language import Text
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.inverse_calls import InverseCall, find_inverse_calls, is_redacted
from saasus_mcp.permissions.inspection.target import clean_name
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.server.pipeline.call import Call, UndoRef
from saasus_mcp.store import UndoEntry

NAMING_FIELDS = (
    "email",
    "sign_in_id",
    "name",
    "role_name",
    "attribute_name",
    "unit_name",
    "metering_unit_name",
    "feedback_title",
    "display_name",
)
"""Fields by which people know a thing."""


@dataclass(frozen=True, slots=True)
class Undoer:
    """Who undoes. `approver`: whether they may undo what others did."""

    principal: Principal
    is_approver: bool = False


@dataclass(frozen=True, slots=True)
class UndoStep:
    """One call that undoes another, or a part of it.

    Attributes:
        supply: paths of arguments that were never kept, and that a person enters again.
        done: whether it was made already.
    """

    number: int
    operation: Operation
    args: Mapping[str, Any]
    missing_paths: tuple[str, ...]
    is_done: bool


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """How one call would be undone."""

    entry: UndoEntry
    operation: Operation
    steps: tuple[UndoStep, ...]

    def call_for(self, part: UndoStep, supplied: Mapping[str, Any], principal: Principal) -> Call:
        """The call that makes one part, with what a person entered again put in its place."""
        args: dict[str, Any] = _copied(part.args)
        for path, value in supplied.items():
            _put(args, path.split("."), value)
        return Call(part.operation.tool, args, principal, undo_ref=UndoRef(self.entry, part.number))


UndoExtent = Literal["undone", "begun", "whole", "again", "partly", "never"]


@dataclass(frozen=True, slots=True)
class UndoPreview:
    """What undoing an entry of the journal would come to.

    Attributes:
        extent: undone already, or in part (`begun`); else whether all of it comes back (`whole`), it is created again (`again`),
            something comes back (`partly`), or nothing does.
        approval: whether what is left takes an approval, unless the policy says otherwise.
        concerns: what people call the person or thing concerned; empty where the journal does not know.
        note: what does not come back; None where all does, or nothing is known.
    """

    extent: UndoExtent
    needs_approval: bool
    subject: str
    note: Text | None


def preview_undo(catalogue: Catalogue, entry: UndoEntry) -> UndoPreview:
    """What undoing an entry would come to, by what the journal keeps.

    Raises:
        UnknownTool: another version made that call.
    """
    operation = catalogue.find(entry.operation)
    undo = operation.effects.undo
    found = find_inverse_calls(operation, entry.arguments, entry.before, entry.result)
    left = [each for number, each in enumerate(found) if number not in entry.undone]
    approval = any(catalogue.find(each.call).level == "critical" for each in left)
    return UndoPreview(_extent(undo, found, left), approval, _concerned(operation, entry), undo.note if undo else None)


def _extent(undo: UndoRecipe | None, found: Sequence[InverseCall], left: Sequence[InverseCall]) -> UndoExtent:
    if undo is None or not found:
        return "never"
    if len(left) < len(found):
        return "begun" if left else "undone"
    extents: Mapping[str, UndoExtent] = {"undoable": "whole", "recreatable": "again", "lost": "partly"}
    return extents[undo.kind]


def _concerned(operation: Operation, entry: UndoEntry) -> str:
    """By the row's own recipe for the name, else by the first field that names something."""
    target = operation.effects.target
    name = (
        evaluate_expression(target.name, entry.arguments, entry.before) if target is not None and target.name else None
    )
    sources = [each for each in (entry.before, entry.result, entry.arguments) if isinstance(each, Mapping)]
    names = [source.get(field) for source in sources for field in NAMING_FIELDS]
    return clean_name(name or next((each for each in names if isinstance(each, str) and each), ""))


def plan_undo(catalogue: Catalogue, entry: UndoEntry, undoer: Undoer, place: Destination) -> UndoPlan:
    """How a call can be undone by this person, here.

    Raises:
        Refused: not by this person, not here, not any more, or not at all.
    """
    if entry.profile != place.profile:
        raise CallRefused(
            Reason.UNDO_ELSEWHERE,
            f"That was done in the profile {entry.profile!r}.",
            f"Use `--profile {entry.profile}`.",
        )
    if entry.principal != undoer.principal.id and not undoer.is_approver:
        raise CallRefused(
            Reason.UNDO_OTHERS, f"That was done by {entry.principal}.", "They or an approver can undo it."
        )
    operation = catalogue.find(entry.operation)
    found = find_inverse_calls(operation, entry.arguments, entry.before, entry.result)
    if not found:
        raise CallRefused(
            Reason.UNDO_NONE, "That cannot be undone: no call puts it back, or what it needs is not known."
        )
    parts = tuple(
        UndoStep(
            number,
            catalogue.find(each.call),
            _without_hidden(each.args),
            tuple(dict.fromkeys((*each.supply, *_hidden(each.args, "")))),
            number in entry.undone,
        )
        for number, each in enumerate(found)
    )
    if all(part.is_done for part in parts):
        raise CallRefused(Reason.UNDONE, "This change was already undone.")
    return UndoPlan(entry, operation, parts)


def _hidden(value: Any, path: str) -> list[str]:
    """The paths of what the journal left out as secret."""
    if is_redacted(value):
        return [path]
    if isinstance(value, Mapping):
        return [each for name, item in value.items() for each in _hidden(item, f"{path}.{name}".lstrip("."))]
    return []


def _without_hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_hidden(item) for name, item in value.items() if not is_redacted(item)}
    return value


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _put(args: dict[str, Any], steps: list[str], value: Any) -> None:
    for step in steps[:-1]:
        args = args.setdefault(step, {})
    args[steps[-1]] = value
