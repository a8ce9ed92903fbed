"""Inspection before a question and before a send: the target, the impact, and the present values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import anyio

from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.catalog.model import ListSelector, Operation
from saasus_mcp.common.json_path import value_at
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
from saasus_mcp.permissions.operation_call import OperationCall


@dataclass(frozen=True, slots=True)
class CallInspection:
    """The result of an inspection.

    Attributes:
        before: the present values as a read answered; None if no read shows them, or the read failed.
        names: what people call the items that the arguments refer to, for the undo log (`read_names`).
        is_early: whether earlier calls of a list change what is there, so that `before` is read again before the call is sent.
    """

    snapshot: TargetSnapshot
    impact: Impact
    before: Any = None
    names: Mapping[str, str] = field(default_factory=dict)
    is_early: bool = False


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


def pick_result(seen: ReadResult, pick: ListSelector | None, call: OperationCall) -> ReadResult:
    """Return a read's result with the one matching item of the list as its answer, or why that is missing."""
    if pick is None or seen.read_error:
        return seen
    items = value_at(seen.answer, pick.source)
    if not isinstance(items, list):
        return replace(seen, answer=None, read_error=ReadFailure.NOT_IN_ANSWER)
    wanted = call.evaluate_each(pick.where)
    found = [
        item
        for item in items
        if isinstance(item, dict) and all(item.get(name) == value for name, value in wanted.items())
    ]
    if len(found) == 1:
        return replace(seen, answer=found[0])
    return replace(seen, answer=None, read_error=ReadFailure.SEVERAL if found else ReadFailure.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class CallInspector:
    """Inspects one call, by the recipes in its row of effects.

    Attributes:
        saas_id: names the target if the call has no other.
        today: the day whose month's usage is read; today in UTC by default.
    """

    call: OperationCall
    saas_id: str
    read: ApiReader
    today: date | None = None

    async def inspect(self) -> CallInspection:
        """Read everything that there is a recipe for: the target, then the rest in parallel."""
        snapshot = await self.read_target()
        impacts: list[Impact] = []

        async def assess() -> None:
            impacts.append(await assess_impact(self.call, snapshot.target, self.read, self.today))

        async with anyio.create_task_group() as group:
            group.start_soon(assess)
            before = await self.read_before(snapshot)
        return CallInspection(self._bind_before(snapshot, before.answer), impacts[0], before.answer)

    async def inspect_target(self) -> CallInspection:
        """Read the target and the present values, without the impact."""
        snapshot = await self.read_target()
        before = await self.read_before(snapshot)
        return CallInspection(self._bind_before(snapshot, before.answer), Impact(), before.answer)

    async def inspect_without_question(self, *, count_users: bool) -> CallInspection:
        """Read what a call needs without a question: the present values, for the undo log and the verification.

        Args:
            count_users: whether affected users count against a budget.
        """
        operation = self.call.operation
        if count_users and operation.level in TYPED_LEVELS and isinstance(operation.effects.affects_users, str):
            return await self.inspect()
        return await self.inspect_target() if _worth_a_glance(operation) else NOT_INSPECTED

    async def read_target(self) -> TargetSnapshot:
        call, recipe = self.call, self.call.operation.effects.target
        if recipe is None:
            return TargetSnapshot(target_name(call, self.saas_id, None))
        seen = ReadResult()
        if recipe.read is not None:
            seen = pick_result(await self.read(recipe.read, call.evaluate_each(recipe.args)), recipe.pick, call)
        name = call.evaluate(recipe.name, target=seen.answer) if recipe.name else self.saas_id
        shown = target_name(call, self.saas_id, name)
        return TargetSnapshot(
            shown,
            {
                text: call.evaluate(text, target=seen.answer)
                for text in call.operation.effects.bind
                if not _is_before(text)
            },
            seen.read_error,
            seen.answer,
            seen.status,
            missing=seen.status == STATUS_NOT_FOUND or seen.read_error == ReadFailure.NOT_FOUND,
            long_name="" if is_whole_name(shown) else str(name),
        )

    def _bind_before(self, snapshot: TargetSnapshot, before: Any) -> TargetSnapshot:
        """Return the snapshot with the bound values of the state before the call, which is not the target."""
        texts = [text for text in self.call.operation.effects.bind if _is_before(text)]
        bound = {text: self.call.evaluate(text, target=snapshot.target, before=before) for text in texts}
        return replace(snapshot, fields={**snapshot.fields, **bound}) if bound else snapshot

    async def read_before(self, snapshot: TargetSnapshot) -> ReadResult:
        """Read the state before the call, for a difference and the undo log: by the row's diff, or the target."""
        recipe = self.call.operation.effects.diff
        if recipe is None or recipe.read is None:
            return ReadResult(snapshot.target, snapshot.read_error)
        wanted = self.call.evaluate_each(recipe.args)
        seen = await self.read(recipe.read, {name: item for name, item in wanted.items() if item is not None})
        return pick_result(seen, recipe.pick, self.call)


def _is_before(expression: str) -> bool:
    return expression.startswith("before.")


def _worth_a_glance(operation: Operation) -> bool:
    undo, diff, target = operation.effects.undo, operation.effects.diff, operation.effects.target
    there = target is not None and target.read is not None and operation.effects.effect != "create"
    shown = diff is not None or there
    return not operation.reads and shown and undo is not None and undo.call is not None
