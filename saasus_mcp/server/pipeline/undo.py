"""The undo of a call: the inverse calls, and who may make them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.model import UndoRecipe
from saasus_mcp.catalog.question_texts import load_question_texts
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.impact import assess_unread
from saasus_mcp.permissions.inspection.inspect import CallInspection
from saasus_mcp.permissions.inspection.inverse_calls import (
    InverseCall,
    can_undo,
    find_inverse_calls,
    is_redacted,
    loses_nothing,
    removes_created_item,
)
from saasus_mcp.permissions.inspection.target import TargetSnapshot, clean_name
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.question.change_description import ChangeDescription, describe_call
from saasus_mcp.permissions.question.facts import QuestionInput
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.server.pipeline.call import Call, UndoRef
from saasus_mcp.server.pipeline.deletions import Deletions
from saasus_mcp.store.records import UndoEntry

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
"""Fields that name an item for people."""


@dataclass(frozen=True, slots=True)
class Undoer:
    """The person who undoes a change. An approver may undo the changes of others."""

    principal: Principal
    is_approver: bool = False


@dataclass(frozen=True, slots=True)
class UndoStep:
    """One inverse call.

    Attributes:
        missing_paths: the arguments that are not in the undo log, such as secrets. A person enters them.
        is_done: whether the call was already made.
    """

    number: int
    operation: Operation
    args: Mapping[str, Any]
    missing_paths: tuple[str, ...]
    is_done: bool

    @property
    def ids(self) -> list[tuple[str, str]]:
        """The ids among the arguments, which stand beside the names."""
        path = self.operation.path_parameters
        return [(name, str(id_)) for name, id_ in self.args.items() if name in path or name.endswith("_id")]


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """The inverse calls that undo one change."""

    entry: UndoEntry
    operation: Operation
    steps: tuple[UndoStep, ...]

    def call_for(self, step: UndoStep, supplied: Mapping[str, Any], principal: Principal) -> Call:
        """Return the call of a step, with the values that a person entered for the missing paths."""
        args: dict[str, Any] = copy.deepcopy(dict(step.args))
        for path, value in supplied.items():
            *parents, name = path.split(".")
            place = args
            for parent in parents:
                place = place.setdefault(parent, {})
            place[name] = value
        return Call(step.operation.tool, args, principal, undo_ref=UndoRef(self.entry, step.number))


UndoExtent = Literal["undone", "begun", "whole", "again", "partly", "never", "gone"]


@dataclass(frozen=True, slots=True)
class UndoPreview:
    """The result that an undo would have.

    Attributes:
        extent: `undone` already, `begun` if undone in part; else `whole` if everything returns, `again` if the item is
            created again with another id, `partly` if something returns, or `never`; `gone` if a later change deleted the item.
        needs_approval: whether a remaining step needs an approval, unless the policy says otherwise.
        subject: the name of the person or item. Empty if the undo log does not tell.
        note: what does not return, if anything is known.
    """

    extent: UndoExtent
    needs_approval: bool
    subject: str
    note: Text | None


def preview_undo(catalogue: Catalogue, entry: UndoEntry, deletions: Deletions | None = None) -> UndoPreview | None:
    """Return the result that an undo would have, as far as the undo log tells; None if another version made the call.

    Args:
        deletions: of the log of the entry, if it is to be known whether the item is still there.
    """
    operation = catalogue.get(entry.operation)
    if operation is None:
        return None
    call, undo = OperationCall(operation, entry.arguments), operation.effects.undo
    inverses = list(find_inverse_calls(call, entry.before, entry.result, entry.at))
    left = [each for number, each in enumerate(inverses) if number not in entry.undone]
    needs_approval = any(catalogue.find(each.call).level == "critical" for each in left)
    extent = _extent(undo, inverses, left)
    if extent == "partly" and can_undo(call, entry.before, entry.at):
        extent = "whole"
    if left and deletions and all(deletions.include(catalogue.find(e.call), e.args, entry) for e in left):
        extent, needs_approval = "gone", False
    unfit = extent == "gone" or (undo and undo.kind == "undoable" and extent == "never")
    note = None if undo is None or unfit or loses_nothing(call, entry.before, entry.at) else undo.note
    return UndoPreview(extent, needs_approval, _subject(call, entry), note)


def _extent(undo: UndoRecipe | None, inverses: Sequence[InverseCall], left: Sequence[InverseCall]) -> UndoExtent:
    if undo is None or not inverses:
        return "never"
    if len(left) < len(inverses):
        return "begun" if left else "undone"
    extents: Mapping[str, UndoExtent] = {"undoable": "whole", "recreatable": "again", "lost": "partly"}
    return extents[undo.kind]


def describe_change(catalogue: Catalogue, entry: UndoEntry) -> ChangeDescription | None:
    """Return what a change did, in the words of its question; None if another version made the call."""
    operation = catalogue.get(entry.operation)
    if operation is None:
        return None
    call, diff = OperationCall(operation, entry.arguments), operation.effects.diff
    target = entry.before if diff is None or diff.read is None else None
    ids = (str(entry.arguments[name]) for name in operation.path_parameters if name in entry.arguments)
    name = _target_name(call, entry) or next(ids, "") or _subject(call, entry)
    return _describe(call, entry, TargetSnapshot(name, target=target), entry.before).in_past()


def describe_step(plan: UndoPlan, step: UndoStep) -> ChangeDescription:
    """Return what an inverse call does, in the words of its question."""
    return _describe(OperationCall(step.operation, step.args), plan.entry, TargetSnapshot(_step_target(plan, step)))


def _step_target(plan: UndoPlan, step: UndoStep) -> str:
    """Return the name of what an inverse call is made to: an item with a name, the target of the change, or what it created."""
    done, undone = step.operation.effects.target, plan.operation.effects.target
    call = OperationCall(plan.operation, plan.entry.arguments)
    if done is not None:
        id_ = str(step.args.get(next(iter(done.identifying[-1:]), "")))
        kinds = (kind for kind, source in load_question_texts().kinds.items() if source.read == done.read)
        known = next((plan.entry.names[key] for kind in kinds if (key := f"{kind} {id_}") in plan.entry.names), "")
        if known:
            return known
        if undone is not None and (undone.read, undone.args) == (done.read, done.args):
            return _target_name(call, plan.entry)
        if undone is not None and undone.read is not None and _removes_created_item(plan.operation):
            return _naming_field(plan.entry.result, plan.entry.arguments)  # the target is what it was created in
    return _subject(call, plan.entry)


def _describe(call: OperationCall, entry: UndoEntry, target: TargetSnapshot, before: Any = None) -> ChangeDescription:
    """Return what a call changes, with the names in the undo log."""
    inspection = CallInspection(target, assess_unread(call, target.target), before)
    place = Destination(entry.profile, "")
    asked = QuestionInput(call.operation, call.arguments, place, entry.principal, inspection, entry.at)
    return describe_call(asked, entry.names)


def _removes_created_item(operation: Operation) -> bool:
    undo = operation.effects.undo
    return undo is not None and removes_created_item(undo)


def _target_name(call: OperationCall, entry: UndoEntry) -> str:
    """Return the target's name as it was read before the call, or by the recipe in the effects; empty if neither knows it."""
    target = call.operation.effects.target
    if target is None or not target.name:
        return ""
    return entry.target or clean_name(call.evaluate(target.name, target=entry.before) or "")


def _subject(call: OperationCall, entry: UndoEntry) -> str:
    """Return the target's name, or else the first naming field."""
    return _target_name(call, entry) or _naming_field(entry.before, entry.result, entry.arguments)


def _naming_field(*sources: Any) -> str:
    """Return the first field that names an item for people; empty without one."""
    known = [each for each in sources if isinstance(each, Mapping)]
    names = [source.get(field) for source in known for field in NAMING_FIELDS]
    return clean_name(next((each for each in names if isinstance(each, str) and each), ""))


def plan_undo(catalogue: Catalogue, entry: UndoEntry, undoer: Undoer, destination: Destination) -> UndoPlan:
    """Return the inverse calls that undo a change.

    Raises:
        CallRefused: the change cannot be undone, was undone already, or this person may not undo it here.
    """
    if entry.profile != destination.profile:
        raise CallRefused(
            Reason.UNDO_ELSEWHERE,
            message("server.undo_other_profile", profile=repr(entry.profile)),
            message("server.undo_other_profile_hint", profile=entry.profile),
        )
    if entry.principal != undoer.principal.id and not undoer.is_approver:
        raise CallRefused.because(Reason.UNDO_OTHERS, "server.undo_other_principal", principal=entry.principal)
    operation = catalogue.find(entry.operation)
    inverses = list(find_inverse_calls(OperationCall(operation, entry.arguments), entry.before, entry.result, entry.at))
    if not inverses:
        preview = preview_undo(catalogue, entry)
        why = message("server.undo_impossible")
        if preview is not None and preview.note is not None:
            why = message("server.undo_impossible_because", note=preview.note)
        raise CallRefused(Reason.UNDO_NONE, why)
    steps = tuple(
        UndoStep(
            number=number,
            operation=catalogue.find(each.call),
            args=_without_redacted(each.args),
            missing_paths=tuple(dict.fromkeys((*each.supply, *_redacted_paths(each.args, "")))),
            is_done=number in entry.undone,
        )
        for number, each in enumerate(inverses)
    )
    if all(step.is_done for step in steps):
        raise CallRefused(Reason.UNDONE, message("server.undone_already"))
    return UndoPlan(entry, operation, steps)


def _redacted_paths(value: Any, path: str) -> list[str]:
    """Return the paths of the secrets that are not in the undo log."""
    if is_redacted(value):
        return [path]
    if isinstance(value, Mapping):
        return [each for name, item in value.items() for each in _redacted_paths(item, f"{path}.{name}".lstrip("."))]
    return []


def _without_redacted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_redacted(item) for name, item in value.items() if not is_redacted(item)}
    return value
