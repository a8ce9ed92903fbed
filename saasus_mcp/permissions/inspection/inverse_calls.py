"""After a call: verify whether it was applied, and find the calls that undo it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog.model import UndoRecipe
from saasus_mcp.permissions.inspection.inspect import pick_result
from saasus_mcp.permissions.inspection.target import STATUS_NOT_FOUND, ReadResult
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.saasus.secret_paths import HANDLE_SCHEME, HIDDEN_SECRET, REMOVED

STATUS_CLASS_SUCCESS = 2
RESULT_REFERENCE = re.compile(r"(?<![\w.])result\.")
BEFORE_REFERENCE = re.compile(r"(?<![\w.])before\b")


@dataclass(frozen=True, slots=True)
class InverseCall:
    """A call that undoes a change.

    Attributes:
        call: operation key.
        args: its arguments, as far as they are known.
        supply: paths of arguments that were never stored, and that a person enters again.
    """

    call: str
    args: Mapping[str, Any]
    supply: tuple[str, ...] = ()


def verification_read(call: OperationCall) -> tuple[str, dict[str, Any]] | None:
    """Return the read that shows whether a call was applied, with its arguments; None if no read does."""
    recipe = call.operation.effects.verify
    if recipe is None:
        return None
    wanted = call.evaluate_each(recipe.args)
    return recipe.read, {name: item for name, item in wanted.items() if item is not None}


def was_applied(call: OperationCall, status: int, result: Any, before: Any = None) -> bool | None:
    """Return whether a call was applied, by the answer of its verification read; None if the answer does not tell.

    Args:
        before: the state before the call, without which less can be decided.
    """
    recipe = call.operation.effects.verify
    if recipe is None or (status // 100 != STATUS_CLASS_SUCCESS and status != STATUS_NOT_FOUND):
        return None
    if recipe.pick is not None and status != STATUS_NOT_FOUND:
        seen = pick_result(ReadResult(result), recipe.pick, call)
        if seen.read_error:
            return None
        result = seen.answer
    found = call.evaluate(recipe.applied, before=before, result=result, status=status)
    return found if isinstance(found, bool) else None


def find_inverse_calls(call: OperationCall, before: Any, result: Any, at: float = 0) -> Iterator[InverseCall]:
    """Yield the calls that undo a call, in order, each when it is asked for; none if none exist, or their arguments are unknown.

    Args:
        before: the state before the call.
        result: the answer of the call.
        at: when the call was made. What was to start later then was a reservation.
    """
    undo = call.operation.effects.undo
    if undo is not None and undo.call is not None:
        for recipe in (undo, *undo.also):
            yield from _made(call, recipe, {"before": before, "result": result}, at)


def _made(call: OperationCall, recipe: UndoRecipe, known: dict[str, Any], at: float) -> Iterator[InverseCall]:
    if recipe.call is None or _lacks_state(recipe, known["before"]):
        return
    if recipe.when and call.evaluate(recipe.when, **known, now=int(at)) is not True:
        return
    rounds: list[dict[str, Any]] = [known]
    if recipe.each:
        rounds = [{**known, "item": item} for item in call.evaluate(recipe.each, **known) or ()]
    for variables in rounds:
        named = call.evaluate_each(recipe.args, **variables)
        args = {name: item for name, item in named.items() if item is not None}
        if all(name in args for name in recipe.needs):
            yield InverseCall(recipe.call, args, _supplied(call, recipe, args))


def _lacks_state(recipe: UndoRecipe, before: Any) -> bool:
    """Return whether the inverse call puts a state back that was not read."""
    return before is None and any(BEFORE_REFERENCE.search(text) for text in (recipe.each, *recipe.args.values()))


def _supplied(call: OperationCall, recipe: UndoRecipe, known: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the arguments that a person must enter again: not those that the call left unchanged, nor parts of an omitted one."""
    again = recipe.call == call.operation.key
    required = call.operation.input_schema.get("required", ())

    def wanted(path: str) -> bool:
        root, _, below = path.partition(".")
        return root in known if below else not again or root in required or root in call.arguments

    return tuple(path for path in recipe.supply if wanted(path))


def can_undo(call: OperationCall, before: Any, at: float = 0) -> bool:
    """Return whether a call could be undone after it: by its class, if a way has no condition and its state was read, or by a condition."""
    undo = call.operation.effects.undo
    if undo is None:
        return False
    ways = [each for each in (undo, *undo.also) if not _lacks_state(each, before)]
    if undo.kind == "undoable" and not all(each.when for each in ways):
        return True
    return any(_ways_that_hold(call, ways, before, at))


def loses_nothing(call: OperationCall, before: Any, at: float) -> bool:
    """Return whether a call can be undone as a whole though others of its operation cannot, and no secret must be entered again."""
    undo = call.operation.effects.undo
    if undo is None or undo.kind != "lost":
        return False
    ways = [each for each in (undo, *undo.also) if not _lacks_state(each, before)]
    holding = list(_ways_that_hold(call, ways, before, at))
    return bool(holding) and not any(each.supply for each in holding)


def _ways_that_hold(call: OperationCall, ways: Iterable[UndoRecipe], before: Any, at: float) -> Iterator[UndoRecipe]:
    """Yield the ways whose condition is met."""
    for each in ways:
        if each.when and call.evaluate(each.when, before=before, result=None, now=int(at)) is True:
            yield each


def undo_class(call: OperationCall, before: Any, at: float) -> str:
    """Return what a person is promised before a call: `undoable`, `partly`, `recreatable` or `lost`.

    What a person can do elsewhere is no promise: without an inverse call, the change is `lost`.
    """
    undo = call.operation.effects.undo
    if undo is None:
        return "lost"
    if can_undo(call, before, at):
        return "undoable"
    known = (each for each in (undo, *undo.also) if each.call is not None and not _lacks_state(each, before))
    if undo.kind == "undoable" or all(each.when for each in known):
        return "lost"
    return "recreatable" if undo.kind == "recreatable" else "partly"


def removes_created_item(undo: UndoRecipe) -> bool:
    """Return whether the inverse call removes the item that the call's answer names."""
    return any(RESULT_REFERENCE.search(text) for text in undo.args.values())


def changed_fields(answer: Any, now: Any) -> list[str]:
    """Return the fields of a created item that differ from the call's answer: an empty name for what has no fields. Hidden fields are not compared."""
    if not isinstance(answer, Mapping) or not isinstance(now, Mapping):
        return [] if answer == now else [""]
    return [name for name, item in answer.items() if name in now and not is_redacted(item) and now[name] != item]


def is_redacted(value: Any) -> bool:
    """Return whether the value stands in place of a secret."""
    return isinstance(value, str) and (value in (HIDDEN_SECRET, REMOVED) or value.startswith(HANDLE_SCHEME))
