"""The difference that an update would make, field by field, including fields that are not sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.catalog.expressions import evaluate_over
from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.text import strip_nul

CONTEXT_LENGTH = 20
"""Characters shown before the place where two long texts part."""
LONG_TEXT = 120


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


def compare_fields(operation: Operation, arguments: Mapping[str, Any], before: Any) -> list[FieldChange] | None:
    """Return the changes that a call would make, without secrets; None if there is no comparison."""
    recipe = operation.effects.diff
    if recipe is None or not recipe.now or before is None:
        return None
    variables = {"args": dict(arguments), "result": strip_nul(before)}
    changes: list[FieldChange] = []
    for name, text in recipe.now.items():
        present = evaluate_over(text, variables)
        if name in arguments:
            changes += _between(name, present, arguments[name])
        elif recipe.omitted != "keeps" and present not in (None, "", [], {}):
            changes.append(FieldChange(name, _open(present, name, operation), None, recipe.omitted))
    return [change for change in changes if change.field not in operation.secret_inputs]


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


def differing_parts(before: Any, after: Any) -> tuple[Any, Any]:
    """Return the parts of two values that differ, so that a difference late in a long text is visible."""
    if isinstance(before, list) and isinstance(after, list):
        gone, come = [item for item in before if item not in after], [item for item in after if item not in before]
        return (gone, come) if gone or come else (before, after)
    if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > LONG_TEXT:
        pairs = enumerate(zip(before, after, strict=False))
        start = (
            next((at for at, (mine, other) in pairs if mine != other), min(len(before), len(after))) - CONTEXT_LENGTH
        )
        return (f"…{before[start:]}", f"…{after[start:]}") if start > 0 else (before, after)
    return before, after


def _open(present: Any, name: str, operation: Operation) -> Any:
    """Return the present value without secret fields."""
    if not isinstance(present, dict):
        return present
    return {key: item for key, item in present.items() if f"{name}.{key}" not in operation.secret_inputs}
