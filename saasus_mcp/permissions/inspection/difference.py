"""The difference that an update would make, field by field, including fields that are not sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.catalog.question_texts import FieldText
from saasus_mcp.permissions.operation_call import OperationCall

CONTEXT_LENGTH = 20
"""Characters of context on each side of a difference between two long texts."""
LONG_TEXT = 120
MAX_WHOLE_LIST = 8
"""Up to this number of items, a question shows a list whole on both sides."""
WHOLE_KINDS = frozenset({"tiers", "prices"})
"""Kinds of value that are never cut: a tier left out because it is equal would look like a removed one."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that would change, or may.

    Attributes:
        field: the argument, dotted for a field within it.
        before: the present value; of lists only the removed items, of long texts the part that differs.
        after: the same of the sent value; None if the field is not sent.
        effect: `change` for a sent value; else the effect of leaving the field out, `resets` or `unknown`; `unshown` if the
            values differ only beyond the part that is shown.
    """

    field: str
    before: Any
    after: Any
    effect: Literal["change", "resets", "unknown", "unshown"] = "change"


def compare_fields(call: OperationCall, before: Any) -> list[FieldChange] | None:
    """Return the changes that a call would make, without secrets; None if there is no comparison."""
    recipe, secret = call.operation.effects.diff, call.operation.secret_inputs
    if recipe is None or not recipe.now or before is None:
        return None
    changes: list[FieldChange] = []
    for name, present in call.evaluate_each(recipe.now, result=before).items():
        if name in call.arguments:
            changes += _between(name, present, call.arguments[name])
        elif recipe.omitted != "keeps" and present not in (None, "", [], {}):
            changes.append(FieldChange(name, _open(present, name, secret), None, recipe.omitted))
    return [change for change in changes if change.field not in secret]


def _between(place: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if before == after:
        return
    if isinstance(after, dict) and isinstance(before, dict | None):
        was = before or {}
        for name in {**after, **was}:  # in the order of the arguments, then the fields that are left out, sorted
            if name in after:
                yield from _between(f"{place}.{name}", was.get(name), after[name])
            elif was[name] not in (None, "", [], {}):
                yield FieldChange(f"{place}.{name}", was[name], None, "unknown")
    else:
        yield FieldChange(place, before, after)


def differing_values(before: Any, after: Any, field: FieldText) -> tuple[Any, Any]:
    """Return the parts of two values of a field that differ. Short lists are shown whole."""
    return (before, after) if field.kind in WHOLE_KINDS else differing_parts(before, after, MAX_WHOLE_LIST)


def differing_parts(before: Any, after: Any, whole_list: int = 0) -> tuple[Any, Any]:
    """Return the parts of two values that differ, so that a difference late in a long text is visible.

    Args:
        whole_list: up to this number of items, a list is returned whole.
    """
    if isinstance(before, list) and isinstance(after, list) and max(len(before), len(after)) > whole_list:
        gone, come = _without(before, after), _without(after, before)
        return (gone, come) if gone or come else (before, after)
    if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > LONG_TEXT:
        return _differing_text(before, after)
    return before, after


def _without(items: list[Any], others: list[Any]) -> list[Any]:
    """Return the items that are not among the others, in linear time."""
    found = {_hashable(each) for each in others}
    return [each for each in items if _hashable(each) not in found]


def _hashable(value: Any) -> Any:
    """Return what is equal for equal values: 1 and 1.0 are."""
    if isinstance(value, dict):
        return frozenset((name, _hashable(item)) for name, item in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _differing_text(before: str, after: str) -> tuple[str, str]:
    """Return the parts of two texts from their first to their last difference, with context."""
    start = _common(before, after)
    rest = min(len(before), len(after)) - start
    end = min(_common(before[::-1], after[::-1]), rest)
    return _part(before, start, end), _part(after, start, end)


def _common(one: str, other: str) -> int:
    """Return the length of the common beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (mine, its) in pairs if mine != its), min(len(one), len(other)))


def _part(text: str, start: int, end: int) -> str:
    first, last = max(0, start - CONTEXT_LENGTH), min(len(text), len(text) - end + CONTEXT_LENGTH)
    return ("…" if first else "") + text[first:last] + ("…" if last < len(text) else "")


def _open(present: Any, name: str, secret: Collection[str]) -> Any:
    """Return the present value without secret fields."""
    if not isinstance(present, dict):
        return present
    return {key: item for key, item in present.items() if f"{name}.{key}" not in secret}
