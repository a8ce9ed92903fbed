"""Inspection before a question and before a send: the target, the impact, and the present values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import anyio

from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.expressions import evaluate_each, evaluate_expression
from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.catalog.model import ListSelector
from saasus_mcp.common.json_path import value_at
from saasus_mcp.common.text import strip_nul
from saasus_mcp.permissions.approval.proof import json_digest
from saasus_mcp.permissions.inspection.impact import READ_DEADLINE, READ_TIMED_OUT, Impact, assess_impact
from saasus_mcp.permissions.inspection.target import (
    STATUS_NOT_FOUND,
    ApiReader,
    ReadFailure,
    ReadResult,
    TargetSnapshot,
    is_whole_name,
    target_name,
)


@dataclass(frozen=True, slots=True)
class CallInspection:
    """The result of an inspection.

    Attributes:
        before: the present values as a read answered; None if no read shows them, or the read failed.
    """

    snapshot: TargetSnapshot
    impact: Impact
    before: Any = None


NOT_INSPECTED = CallInspection(TargetSnapshot(""), Impact())


def cache_reads(read: ApiReader) -> ApiReader:
    """Return a reader for one inspection. It makes each read once, and gives up on slow ones."""
    known: dict[str, ReadResult] = {}
    under_way: dict[str, anyio.Lock] = {}

    async def made(key: str, arguments: Mapping[str, Any]) -> ReadResult:
        wanted = json_digest({"read": key, "args": dict(arguments)})
        async with under_way.setdefault(wanted, anyio.Lock()):
            if wanted not in known:
                known[wanted] = READ_TIMED_OUT
                with anyio.move_on_after(READ_DEADLINE):
                    known[wanted] = await read(key, arguments)
            return known[wanted]

    return made


async def read_target(
    operation: Operation, arguments: Mapping[str, Any], saas_id: str, read: ApiReader
) -> TargetSnapshot:
    """Read the target of a call, by the recipe in its row of effects."""
    recipe = operation.effects.target
    if recipe is None:
        return TargetSnapshot(target_name(operation, arguments, saas_id, None))
    seen = ReadResult()
    if recipe.read is not None:
        seen = await read(recipe.read, evaluate_each(recipe.args, {"args": dict(arguments)}))
        seen = pick_result(replace(seen, answer=strip_nul(seen.answer)), recipe.pick, arguments)
    name = evaluate_expression(recipe.name, arguments, seen.answer) if recipe.name else saas_id
    shown = target_name(operation, arguments, saas_id, name)
    return TargetSnapshot(
        shown,
        {text: evaluate_expression(text, arguments, seen.answer) for text in operation.effects.bind},
        seen.read_error,
        seen.answer,
        seen.status,
        missing=seen.status == STATUS_NOT_FOUND or seen.read_error == ReadFailure.NOT_FOUND,
        long_name="" if is_whole_name(shown) else str(name),
    )


async def read_current_state(
    operation: Operation, arguments: Mapping[str, Any], snapshot: TargetSnapshot, read: ApiReader
) -> ReadResult:
    """Read the state before a call, for a difference and the undo log: by the row's diff, or the target."""
    recipe = operation.effects.diff
    if recipe is None or recipe.read is None:
        return ReadResult(snapshot.target, snapshot.read_error)
    wanted = evaluate_each(recipe.args, {"args": dict(arguments)})
    seen = await read(recipe.read, {name: item for name, item in wanted.items() if item is not None})
    return pick_result(seen, recipe.pick, arguments)


def pick_result(seen: ReadResult, pick: ListSelector | None, arguments: Mapping[str, Any]) -> ReadResult:
    """Return a read's result with the one matching item of the list as its answer, or why that is missing."""
    if pick is None or seen.read_error:
        return seen
    items = value_at(seen.answer, pick.source)
    if not isinstance(items, list):
        return replace(seen, answer=None, read_error=ReadFailure.NOT_IN_ANSWER)
    wanted = evaluate_each(pick.where, {"args": dict(arguments)})
    found = [
        item
        for item in items
        if isinstance(item, dict) and all(item.get(name) == value for name, value in wanted.items())
    ]
    if len(found) == 1:
        return replace(seen, answer=found[0])
    return replace(seen, answer=None, read_error=f"{len(found)} items match" if found else ReadFailure.NOT_FOUND)


async def inspect_call(
    operation: Operation, arguments: Mapping[str, Any], saas_id: str, read: ApiReader, *, today: date | None = None
) -> CallInspection:
    """Read everything that the row of effects has a recipe for: the target, then the rest in parallel.

    Args:
        today: the day whose month's usage is read; today in UTC by default.
    """
    snapshot = await read_target(operation, arguments, saas_id, read)
    reached: list[Impact] = []

    async def reach() -> None:
        reached.append(await assess_impact(operation, arguments, snapshot.target, read, today=today))

    async with anyio.create_task_group() as group:
        group.start_soon(reach)
        there = await read_current_state(operation, arguments, snapshot, read)
    return CallInspection(snapshot, reached[0], there.answer)


async def inspect_target(
    operation: Operation, arguments: Mapping[str, Any], saas_id: str, read: ApiReader
) -> CallInspection:
    """Read the target and the present values, without the impact."""
    snapshot = await read_target(operation, arguments, saas_id, read)
    there = await read_current_state(operation, arguments, snapshot, read)
    return CallInspection(snapshot, Impact(), there.answer)


async def inspect_without_question(
    operation: Operation, arguments: Mapping[str, Any], saas_id: str, read: ApiReader, *, count_users: bool
) -> CallInspection:
    """Read what a call needs without a question: the present values, for the undo log and the verification.

    Args:
        count_users: whether affected users count against a budget.
    """
    if count_users and operation.level in TYPED_LEVELS and isinstance(operation.effects.affects_users, str):
        return await inspect_call(operation, arguments, saas_id, read)
    return await inspect_target(operation, arguments, saas_id, read) if _worth_a_glance(operation) else NOT_INSPECTED


def _worth_a_glance(operation: Operation) -> bool:
    undo, diff, target = operation.effects.undo, operation.effects.diff, operation.effects.target
    there = target is not None and target.read is not None and operation.effects.effect != "create"
    shown = diff is not None or there
    return not operation.reads and shown and undo is not None and undo.call is not None
