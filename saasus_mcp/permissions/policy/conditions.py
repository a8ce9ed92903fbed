"""Conditions of rules: CEL over `args`, `principal`, `target` and `impact`. A result is true, false, or unknown.

A condition sees only the given values and cannot run without end, because the runtime counts its steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, get_args

from saasus_mcp.catalog.expressions import cel_environment
from saasus_mcp.common.messages import Message, message
from saasus_mcp.permissions.policy.field_uses import FieldUses, find_field_uses
from saasus_mcp.permissions.policy.model import LiveState, PolicyInput

if TYPE_CHECKING:
    from cel_expr_python import cel

VARIABLES = ("args", "principal", "target", "impact")
_MAPS = frozenset(VARIABLES) - {"target"}
LIVE_STATES: tuple[LiveState, ...] = get_args(LiveState)
MAX_SEPARATE = 8
"""Up to this number, conditions are evaluated one by one as fast as together."""

MAX_COMBINED = 512
"""Combinations of conditions that are kept compiled."""

MAX_ERROR_LENGTH = 160

ConditionResult = bool | Message
"""The value of a condition, or why it could not be evaluated. The message repeats no value of the call."""


class ConditionSyntaxError(Exception):
    """A condition is not CEL, or uses unknown variables. The text is the compiler's."""


def check_condition(text: str) -> tuple[int, int, Message | str] | None:
    """Return the fault of a condition as line, column and cause; None for a valid condition."""
    try:
        given = _compiled(text).return_type().name()
    except ConditionSyntaxError as error:
        found = re.search(r"<input>:(\d+):(\d+): (.*)", str(error), re.DOTALL)
        return (
            (int(found[1]), int(found[2]), _compiler_error(found[3])) if found else (1, 1, _compiler_error(str(error)))
        )
    return None if given in ("BOOL", "DYN") else (1, 1, message("policy.condition.not_boolean", type=given.lower()))


@cache
def used_variables(text: str) -> frozenset[str]:
    """Return the variables of a valid condition: those without which it does not compile."""
    return frozenset(
        name for name in VARIABLES if re.search(rf"\b{name}\b", text) and not _compiles_without(text, name)
    )


@cache
def used_fields(text: str) -> FieldUses:
    """Return the fields of the variables that a valid condition uses."""
    return find_field_uses(_compiled(text).serialize(), VARIABLES)


@cache
def used_states(text: str) -> frozenset[LiveState]:
    """Return the live state that a valid condition uses."""
    used = used_variables(text)
    return frozenset(state for state in LIVE_STATES if state in used)


def evaluate_conditions(texts: tuple[str, ...], call: PolicyInput) -> Iterable[ConditionResult]:
    """Return the result of each valid condition, in order. An error is a result too."""
    unread = frozenset(state for state in LIVE_STATES if getattr(call, state) is None)
    if not unread or unread.isdisjoint(_states(texts)):
        return _evaluate_readable(texts, call, unread)
    missing = [used_states(text) & unread for text in texts]
    left = tuple(text for text, state in zip(texts, missing, strict=True) if not state)
    results = iter(_evaluate_readable(left, call, unread))
    return (_unreadable(state) if state else next(results) for state in missing)


@lru_cache(maxsize=MAX_COMBINED)
def _states(texts: tuple[str, ...]) -> frozenset[LiveState]:
    return frozenset().union(*map(used_states, texts))


def _evaluate_readable(
    texts: tuple[str, ...], call: PolicyInput, unread: frozenset[LiveState]
) -> Iterable[ConditionResult]:
    """Return the results: many conditions at once, few one by one on demand."""
    try:
        facts = cel_environment(VARIABLES, _MAPS).Activation(data=_activation_data(call, unread))
    except Exception as error:  # noqa: BLE001 - whatever the runtime raises, no condition could be evaluated
        return [_failure(str(error), "")] * len(texts)
    values = _evaluate_combined(texts, facts) if len(texts) > MAX_SEPARATE else None
    return values if values is not None else (_evaluate_one(text, facts) for text in texts)


def _evaluate_combined(texts: tuple[str, ...], facts: cel.Activation) -> list[ConditionResult] | None:
    """Evaluate all conditions at once; None if one fails, which evaluation one by one then shows."""
    try:
        combined = _combined_expression(texts)
        values = combined.eval(activation=facts).plain_value() if combined is not None else None
    except Exception:  # noqa: BLE001 - as above
        return None
    complete = isinstance(values, list) and len(values) == len(texts) and set(map(type, values)) == {bool}
    return values if complete else None


def _evaluate_one(text: str, facts: cel.Activation) -> ConditionResult:
    try:
        value = _compiled(text).eval(activation=facts)
        kind = value.type().name()
        if kind == "BOOL":
            return value.value() is True
        return (
            _failure(str(value), text)
            if kind == "ERROR"
            else message("policy.condition.not_boolean", type=kind.lower())
        )
    except Exception as error:  # noqa: BLE001 - as above
        return _failure(str(error), text)


@cache
def _compiled(text: str, names: tuple[str, ...] = VARIABLES) -> cel.Expression:
    try:
        return cel_environment(names, _MAPS).compile(text)
    except RuntimeError as error:
        raise ConditionSyntaxError(str(error)) from None
    except TypeError:
        raise ConditionSyntaxError(str(message("policy.condition.half_character"))) from None


@cache
def _compiles_without(text: str, name: str) -> bool:
    try:
        _compiled(text, tuple(variable for variable in VARIABLES if variable != name))
    except ConditionSyntaxError:
        return False
    return True


@lru_cache(maxsize=MAX_COMBINED)
def _combined_expression(texts: tuple[str, ...]) -> cel.Expression | None:
    """Return one expression for the list of all conditions, or None if it is too large."""
    combined = "[" + ",".join(f"({text}\n)" for text in texts) + "]"  # a condition may end in a comment
    try:
        return cel_environment(VARIABLES, _MAPS).compile(combined)
    except RuntimeError:
        return None


def _activation_data(call: PolicyInput, unread: frozenset[LiveState]) -> dict[str, Any]:
    who = call.principal
    known = {"id": who.id, "groups": sorted(who.groups), "claims": _json(who.claims)}
    facts = {"args": dict(call.arguments), "principal": known, "target": call.target, "impact": _json(call.impact)}
    for state in unread:
        del facts[state]
    return facts


def _json(value: Any) -> Any:
    """Return the value as plain lists and dicts, which the runtime requires."""
    if isinstance(value, Mapping):
        return {str(name): _json(item) for name, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(_json(item) for item in value)
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value


def _unreadable(missing: frozenset[LiveState]) -> Message:
    first, *others = (f"`{state}`" for state in sorted(missing))
    if others:
        return message("policy.condition.unread_both", first=first, second=others[0])
    return message("policy.condition.unread", state=first)


def _failure(said: str, text: str) -> Message:
    """Return the runtime's error in our words. Its own text repeats values, which may be secrets."""
    _, missing, rest = said.partition('Key not found in map : "')
    if missing:
        name = rest.rpartition('"')[0]
        known = name and name in text
        return message("policy.condition.missing", name=name) if known else message("policy.condition.missing_field")
    return next((cause for part, cause in _CAUSES.items() if part in said), message("policy.condition.failed"))


_CAUSES = {
    "SELECT to non-message": message("policy.condition.no_fields"),
    "verload": message("policy.condition.types"),
    "by zero": message("policy.condition.zero"),
    "Iteration budget": message("policy.condition.steps"),
    "out of range": message("policy.condition.too_large"),
}


def _compiler_error(said: str) -> Message | str:
    """Return the compiler's first complaint on one line, without its list of accepted tokens."""
    if not said:
        return message("policy.condition.not_an_expression")
    line = said.splitlines()[0].removesuffix(" [INVALID_ARGUMENT]").replace("Syntax error: ", "")
    line = re.sub(r" expecting .*", "", line.replace(" (in container '')", ""))
    if line.startswith("mismatched input '<EOF>'"):
        return message("policy.condition.incomplete")
    return line if len(line) <= MAX_ERROR_LENGTH else line[:MAX_ERROR_LENGTH] + "…"
