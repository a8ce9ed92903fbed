"""Preconditions, checked before a person is asked: the target exists, the row's requirements are met, the call changes something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any

from saasus_mcp.catalog.model import Operation, Requirement
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import Quoted
from saasus_mcp.permissions.inspection.difference import FieldChange, compare_fields
from saasus_mcp.permissions.inspection.inspect import CallInspection
from saasus_mcp.permissions.inspection.inverse_calls import was_applied
from saasus_mcp.permissions.inspection.target import OWNER_ARGUMENTS, ApiReader, ReadResult, TargetSnapshot
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.saasus.secret_paths import top_level_names

MAX_EXAMINED_ITEMS, MAX_NAMED_ITEMS = 20, 3
"""Items that are examined one by one, which takes milliseconds each, and items that a refusal names."""


class NoChange(CallRefused):
    """The call would change nothing. `text`: why not."""

    def __init__(self, text: Message | None = None) -> None:
        super().__init__(
            Reason.NO_CHANGE, text or message("permissions.no_change"), message("permissions.no_change_hint")
        )


def check_argument_requirements(call: OperationCall, now: float) -> None:
    """Check the requirements that concern arguments only.

    Raises:
        CallRefused: a requirement is not met.
    """
    operation = call.operation
    required = operation.input_schema.get("required", ())
    for name in operation.secret_inputs:
        if name in required and call.arguments.get(name) == "":
            cause = message("permissions.empty_secret", name=name)
            raise CallRefused(Reason.PRECONDITION, cause, _empty_secret_hint(operation))
    for requirement in operation.effects.requires:
        if not requirement.live:
            _check(requirement, call, _variables(now))


def _empty_secret_hint(operation: Operation) -> Message:
    alternative = operation.effects.user_token
    if alternative is None:
        return message("permissions.empty_secret_hint")
    return message("permissions.empty_user_token_hint", alternative=alternative)


async def check_target_requirements(
    call: OperationCall, inspection: CallInspection, read: ApiReader, now: float
) -> None:
    """Check the target, the requirements and the difference.

    Raises:
        CallRefused: the target does not exist, or a requirement is not met.
        NoChange: the call would change nothing.
    """
    require_target_exists(call, inspection.snapshot)
    for requirement in call.operation.effects.requires:
        variables = _variables(now, inspection.snapshot)
        if requirement.live and _applies(requirement, call, variables):
            seen = await _read(requirement, call, inspection.snapshot, read)
            _check(requirement, call, {**variables, "result": seen.answer, "status": seen.status})
    if inspection.snapshot.missing and call.operation.effects.effect == "delete":
        raise NoChange  # settings of the SaaS that were never saved, or are gone: a target with a name was required above
    changes = compare_fields(call, inspection.before)
    if _changes_nothing(call, changes) or _is_done_already(call, inspection.before, changes):
        raise NoChange


def require_target_exists(call: OperationCall, snapshot: TargetSnapshot) -> None:
    """Check that the target of a call exists.

    Raises:
        CallRefused: a read answered that it does not.
    """
    if not snapshot.missing or not _must_exist(call.operation):
        return
    identifying = _identifying(call.operation) or frozenset(call.operation.path_parameters)
    ids = tuple(
        message("permissions.id", name=Quoted(name, bare=True), value=Quoted(str(value)))
        for name, value in call.redacted_arguments().items()
        if name in identifying
    )
    tools = call.operation.lookup_tools
    hint = message("permissions.not_found_hint", tools=tools) if tools else message("permissions.not_asked_hint")
    raise CallRefused(Reason.NOT_FOUND, message("permissions.not_found", ids=ids), hint)


def _changes_nothing(call: OperationCall, changes: Sequence[FieldChange] | None) -> bool:
    """Return whether an update would store exactly the present values, as far as a read shows all sent and omitted fields."""
    operation, effects = call.operation, call.operation.effects
    if effects.effect != "update" or not effects.idempotent or effects.email != "no" or effects.diff is None:
        return False
    sent = call.arguments.keys() - set(operation.addressing) - _identifying(operation)
    if not sent or _sends_secret(call) or not sent <= effects.diff.now.keys():
        return False
    return changes is not None and not changes


def _is_done_already(call: OperationCall, before: Any, changes: Sequence[FieldChange] | None) -> bool:
    """Return whether the state shows the effect of a call before it: a role is held, a vote does not exist.

    Only calls without effect when repeated have such a state. It must come from the read that would verify the call. Of
    updates, `_changes_nothing` examines those that a comparison shows; here are those that mark or switch off.
    """
    effects = call.operation.effects
    recipe = effects.diff if effects.diff is not None and effects.diff.read is not None else effects.target
    verify = effects.verify
    if effects.effect == "action" or not effects.idempotent or effects.email != "no":
        return False
    if verify is None or recipe is None or before is None or (verify.read, verify.args) != (recipe.read, recipe.args):
        return False
    if effects.effect == "update" and not (_only_switches(call) and not changes):
        return False
    return was_applied(call, HTTPStatus.OK, before, before) is True


def _only_switches(call: OperationCall) -> bool:
    diff = call.operation.effects.diff
    return (diff is None or diff.omitted == "resets") and not _sends_secret(call)


def _sends_secret(call: OperationCall) -> bool:
    return not call.arguments.keys().isdisjoint(top_level_names(call.operation.secret_inputs))


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
    recipes = (operation.effects.target, operation.effects.diff)
    return frozenset(name for recipe in recipes if recipe is not None for name in recipe.identifying)


def _variables(now: float, snapshot: TargetSnapshot | None = None) -> dict[str, Any]:
    """Return the values that the expressions of a requirement can use beside the arguments, before its own read."""
    target, status = (snapshot.target, snapshot.status) if snapshot is not None else (None, None)
    return {"now": int(now), "result": None, "status": status, "target": target}


def _applies(requirement: Requirement, call: OperationCall, variables: Mapping[str, Any]) -> bool:
    return not requirement.when or call.evaluate(requirement.when, **variables) is True


async def _read(requirement: Requirement, call: OperationCall, snapshot: TargetSnapshot, read: ApiReader) -> ReadResult:
    """Make the read of a requirement. Without one, the result is empty."""
    if requirement.read is None:
        return ReadResult(status=snapshot.status)
    wanted = call.evaluate_each(requirement.args, target=snapshot.target)
    if any(each in (None, "") for each in wanted.values()):
        return ReadResult()
    return await read(requirement.read, wanted)


def _check(requirement: Requirement, call: OperationCall, variables: Mapping[str, Any]) -> None:
    """Check one requirement. If it cannot be evaluated, the person and the API decide.

    Raises:
        CallRefused: it is not met.
        NoChange: it is not met, which means that the call would change nothing.
    """
    if not _applies(requirement, call, variables) or call.evaluate(requirement.that, **variables) is not False:
        return
    field, text = requirement.field, requirement.text
    if requirement.no_change:
        raise NoChange(message("permissions.no_change_because", text=text))
    if requirement.each_item and (items := _failing_items(requirement, call, variables)):
        cause = message("permissions.items_requirement", field=field, text=text, items=items)
    elif field:
        cause = message("permissions.field_requirement", field=field, text=text)
    else:
        cause = message("permissions.requirement", text=text)
    raise CallRefused(Reason.PRECONDITION, cause, message("permissions.not_asked_hint"))


def _failing_items(requirement: Requirement, call: OperationCall, variables: Mapping[str, Any]) -> tuple[Quoted, ...]:
    """Return the first different items of a list, or keys of an object, that do not meet a requirement for each of them."""
    field = requirement.field
    value = call.arguments[field]
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
        if OperationCall(call.operation, {**call.arguments, field: item}).evaluate(requirement.that, **variables)
        is False
    )
    return tuple(islice(failing, MAX_NAMED_ITEMS))
