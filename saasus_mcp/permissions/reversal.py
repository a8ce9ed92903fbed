"""After a call: whether it was done, by what reads back; and which calls would put back what was there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog.expressions import value
from saasus_mcp.catalog.model import Operation
from saasus_mcp.permissions.target import picked

SUCCESS, NOT_FOUND = 2, 404


@dataclass(frozen=True, slots=True)
class Inverse:
    """A call that would put something back.

    Attributes:
        call: operation key.
        args: its arguments as far as they are known.
        supply: paths of arguments that were never kept; a person gives them anew.
    """

    call: str
    args: Mapping[str, Any]
    supply: tuple[str, ...] = ()


def read_back(operation: Operation, args: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The read that shows whether a call was done, with its arguments; None where nothing shows it."""
    recipe = operation.effects.verify
    if recipe is None:
        return None
    wanted = {name: value(text, {"args": dict(args)}) for name, text in recipe.args.items()}
    return recipe.read, {name: item for name, item in wanted.items() if item is not None}


def applied(operation: Operation, args: Mapping[str, Any], status: int, result: Any, before: Any = None) -> bool | None:
    """Whether a call was done, by the answer of its read back; None where that does not tell.

    Args:
        before: what was there before the call; without it, less can be told.
    """
    recipe = operation.effects.verify
    if recipe is None or (status // 100 != SUCCESS and status != NOT_FOUND):
        return None
    if recipe.pick is not None and status != NOT_FOUND:
        result, why_not = picked(result, recipe.pick, args)
        if why_not:
            return None
    given = {"args": dict(args), "before": before, "result": result, "status": status}
    found = value(recipe.applied, given)
    return found if isinstance(found, bool) else None


def inverses(operation: Operation, args: Mapping[str, Any], before: Any, result: Any) -> list[Inverse]:
    """The calls that would undo a call; none where there are none, or where what they need is not known.

    Args:
        before: what was there before the call.
        result: the call's own answer.
    """
    recipe = operation.effects.undo
    if recipe is None or recipe.call is None:
        return []
    given = {"args": dict(args), "before": before, "result": result}
    rounds = [given]
    if recipe.each:
        rounds = [{**given, "item": item} for item in value(recipe.each, given) or ()]
    found = []
    for names in rounds:
        named = {name: value(text, names) for name, text in recipe.args.items()}
        known = {name: item for name, item in named.items() if item is not None}
        if all(name in known for name in recipe.needs):
            found.append(Inverse(recipe.call, known, recipe.supply))
    return found
