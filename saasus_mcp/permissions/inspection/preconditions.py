"""Preconditions, checked before a person is asked: the target exists, the row's requirements are met, the call changes something."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any

from saasus_mcp.catalog.expressions import evaluate_each, evaluate_over
from saasus_mcp.catalog.model import ARGUMENT_REFERENCE, Operation, Requirement
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import Quoted
from saasus_mcp.permissions.inspection.difference import compare_fields
from saasus_mcp.permissions.inspection.inspect import CallInspection
from saasus_mcp.permissions.inspection.inverse_calls import was_applied
from saasus_mcp.permissions.inspection.target import (
    OWNER_ARGUMENTS,
    ApiReader,
    ReadResult,
    TargetSnapshot,
)
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.saasus.secret_paths import redact_arguments, top_level_names

MAX_EXAMINED_ITEMS, MAX_NAMED_ITEMS = 20, 3
"""Items that are examined one by one, which takes milliseconds each, and items that a refusal names."""


class NoChange(CallRefused):
    """The call would change nothing."""

    def __init__(self) -> None:
        super().__init__(Reason.NO_CHANGE, message("permissions.no_change"))


def check_argument_requirements(operation: Operation, arguments: Mapping[str, Any], now: float) -> None:
    """Check the requirements that concern arguments only.

    Raises:
        CallRefused: a requirement is not met.
    """
    required = operation.input_schema.get("required", ())
    for name in operation.secret_inputs:
        if name in required and arguments.get(name) == "":
            raise CallRefused(
                Reason.PRECONDITION,
                message("permissions.empty_secret", name=name),
                _empty_secret_hint(operation),
            )
    for requirement in operation.effects.requires:
        if not requirement.live:
            _hold(requirement, _variables(arguments, now))


def _empty_secret_hint(operation: Operation) -> Message:
    alternative = operation.effects.user_token
    if alternative is None:
        return message("permissions.empty_secret_hint")
    return message("permissions.empty_user_token_hint", alternative=alternative)


async def check_target_requirements(
    operation: Operation,
    arguments: Mapping[str, Any],
    seen: CallInspection,
    read: ApiReader,
    *,
    now: float,
) -> None:
    """Check the target, the requirements and the difference.

    Raises:
        CallRefused: the target does not exist, or a requirement is not met.
        NoChange: the call would change nothing.
    """
    require_target_exists(operation, arguments, seen.snapshot)
    for requirement in operation.effects.requires:
        variables = _variables(arguments, now, seen.snapshot)
        if requirement.live and _applies(requirement, variables):
            found = await _look(requirement, variables, read)
            _hold(requirement, {**variables, "result": found.answer, "status": found.status})
    if changes_nothing(operation, arguments, seen.before) or _is_done_already(operation, arguments, seen):
        raise NoChange


def require_target_exists(operation: Operation, arguments: Mapping[str, Any], snapshot: TargetSnapshot) -> None:
    """Check that the target of a call exists.

    Raises:
        CallRefused: a read answered that it does not.
    """
    if not snapshot.missing or not _must_exist(operation):
        return
    shown = redact_arguments(operation, arguments)
    identifying = _identifying(operation) or frozenset(operation.path_parameters)
    wanted = [name for name in arguments if name in identifying]
    ids = tuple(
        message("permissions.id", name=Quoted(name, bare=True), value=Quoted(str(shown.get(name)))) for name in wanted
    )
    raise CallRefused.because(Reason.NOT_FOUND, "permissions.not_found", ids=ids)


def changes_nothing(operation: Operation, arguments: Mapping[str, Any], before: Any) -> bool:
    """Return whether an update would store exactly the present values, as far as a read shows all sent and omitted fields."""
    effects = operation.effects
    if effects.effect != "update" or not effects.idempotent or effects.email != "no" or effects.diff is None:
        return False
    secret = top_level_names(operation.secret_inputs)
    sent = arguments.keys() - set(operation.addressing) - _identifying(operation)
    if not sent or sent & secret or not sent <= effects.diff.now.keys():
        return False
    return compare_fields(operation, arguments, before) == []


def _is_done_already(operation: Operation, arguments: Mapping[str, Any], seen: CallInspection) -> bool:
    """Return whether the state shows the effect of a call before it: a role is held, a vote does not exist.

    Only calls without effect when repeated have such a state. It must come from the read that would verify the call.
    """
    effects = operation.effects
    recipe = effects.diff if effects.diff is not None and effects.diff.read is not None else effects.target
    verify = effects.verify
    if effects.effect not in ("create", "delete") or not effects.idempotent or effects.email != "no":
        return False
    if (
        verify is None
        or recipe is None
        or seen.before is None
        or (verify.read, verify.args) != (recipe.read, recipe.args)
    ):
        return False
    return was_applied(operation, arguments, HTTPStatus.OK, seen.before, before=seen.before) is True


def _must_exist(operation: Operation) -> bool:
    """Return whether a missing target makes the call pointless.

    Settings of the whole SaaS may exist only after they were saved, and a create call may look for the item that it creates.
    """
    recipe = operation.effects.target
    if recipe is None or not recipe.name:
        return False
    owned = _identifying(operation) <= {*operation.path_parameters, *OWNER_ARGUMENTS}
    return owned or operation.effects.effect != "create"


def _identifying(operation: Operation) -> frozenset[str]:
    """Return the arguments that identify the target, or the state before the call."""
    recipes = [each for each in (operation.effects.target, operation.effects.diff) if each is not None]
    texts = [text for each in recipes for text in each.args.values()]
    texts += [text for each in recipes if each.pick is not None for text in each.pick.where.values()]
    return frozenset(name for text in texts for name in ARGUMENT_REFERENCE.findall(text))


def _variables(arguments: Mapping[str, Any], now: float, snapshot: TargetSnapshot | None = None) -> dict[str, Any]:
    """Return the values that the expressions of a requirement can use, before its own read."""
    target, status = (snapshot.target, snapshot.status) if snapshot is not None else (None, None)
    return {"args": dict(arguments), "now": int(now), "result": None, "status": status, "target": target}


def _applies(requirement: Requirement, variables: Mapping[str, Any]) -> bool:
    return not requirement.when or evaluate_over(requirement.when, variables) is True


async def _look(requirement: Requirement, variables: Mapping[str, Any], read: ApiReader) -> ReadResult:
    """Make the read of a requirement. Without one, the result is empty."""
    if requirement.read is None:
        return ReadResult(status=variables["status"])
    known = {"args": variables["args"], "target": variables["target"]}
    wanted = evaluate_each(requirement.args, known)
    if any(each in (None, "") for each in wanted.values()):
        return ReadResult()
    return await read(requirement.read, wanted)


def _hold(requirement: Requirement, variables: Mapping[str, Any]) -> None:
    """Check one requirement. If it cannot be evaluated, the person and the API decide.

    Raises:
        CallRefused: it is not met.
    """
    if _applies(requirement, variables) and evaluate_over(requirement.that, variables) is False:
        field, text, items = requirement.field, requirement.text, _failing_items(requirement, variables)
        if items:
            cause = message("permissions.items_requirement", field=field, text=text, items=items)
        elif field:
            cause = message("permissions.field_requirement", field=field, text=text)
        else:
            cause = message("permissions.requirement", text=text)
        raise CallRefused(Reason.PRECONDITION, cause, message("permissions.not_asked_hint"))


def _failing_items(requirement: Requirement, variables: Mapping[str, Any]) -> tuple[Quoted, ...]:
    """Return the first different items of a list, or keys of an object, that do not meet a requirement for all of them."""
    field, arguments = requirement.field, variables["args"]
    if not requirement.that.startswith(f"args.{field}.all("):
        return ()
    value = arguments[field]
    items: dict[str, Any] = {}
    if isinstance(value, Mapping):
        items = {str(key): {key: item} for key, item in islice(value.items(), MAX_EXAMINED_ITEMS)}
    else:
        for at, item in enumerate(value):
            items.setdefault(f"{field}[{at}]" if isinstance(item, dict) else str(item), [item])
            if len(items) == MAX_EXAMINED_ITEMS:
                break
    failing = (
        Quoted(name)
        for name, item in items.items()
        if evaluate_over(requirement.that, {**variables, "args": {**arguments, field: item}}) is False
    )
    return tuple(islice(failing, MAX_NAMED_ITEMS))
