"""What is seen before a person is asked and before a call goes: the target, how far the call reaches, what is there now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import anyio

from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.model import TYPED_LEVELS
from saasus_mcp.permissions.approval.proof import json_digest
from saasus_mcp.permissions.inspection.impact import READ_DEADLINE, READ_TIMED_OUT, Impact, assess_impact
from saasus_mcp.permissions.inspection.target import (
    ApiReader,
    ReadResult,
    TargetSnapshot,
    read_current_state,
    read_target,
)


@dataclass(frozen=True, slots=True)
class CallInspection:
    """What was seen.

    Attributes:
        before: what is there now, as a read answered; None where nothing shows it or it could not be read.
    """

    snapshot: TargetSnapshot
    impact: Impact
    before: Any = None


NOT_INSPECTED = CallInspection(TargetSnapshot(""), Impact())


def cache_reads(read: ApiReader) -> ApiReader:
    """The reads of one look at things: each is made once, however often it is wanted, and given up where it takes long."""
    known: dict[str, ReadResult] = {}
    under_way: dict[str, anyio.Lock] = {}

    async def made(key: str, args: Mapping[str, Any]) -> ReadResult:
        wanted = json_digest({"read": key, "args": dict(args)})
        async with under_way.setdefault(wanted, anyio.Lock()):
            if wanted not in known:
                known[wanted] = READ_TIMED_OUT
                with anyio.move_on_after(READ_DEADLINE):
                    known[wanted] = await read(key, args)
            return known[wanted]

    return made


async def inspect_call(
    operation: Operation, args: Mapping[str, Any], saas_id: str, read: ApiReader, *, today: date | None = None
) -> CallInspection:
    """See everything that the row of effects has a recipe for: the target, and then all the rest at once.

    Args:
        today: the day of which the month's usage is read, if not the present one in UTC.
    """
    sight = await read_target(operation, args, saas_id, read)
    reached: list[Impact] = []

    async def reach() -> None:
        reached.append(await assess_impact(operation, args, sight.target, read, today=today))

    async with anyio.create_task_group() as group:
        group.start_soon(reach)
        there = await read_current_state(operation, args, sight, read)
    return CallInspection(sight, reached[0], there.answer)


async def inspect_target(
    operation: Operation, args: Mapping[str, Any], saas_id: str, read: ApiReader
) -> CallInspection:
    """See the target and what is there now, without how far the call reaches."""
    sight = await read_target(operation, args, saas_id, read)
    there = await read_current_state(operation, args, sight, read)
    return CallInspection(sight, Impact(), there.answer)


async def inspect_without_question(
    operation: Operation, args: Mapping[str, Any], saas_id: str, read: ApiReader, *, count_users: bool
) -> CallInspection:
    """See what is needed of a call that nobody is asked about: what was there, for the journal or a read back.

    Args:
        counted: whether the users that it hits count against a budget, and so are looked for.
    """
    if count_users and operation.level in TYPED_LEVELS and isinstance(operation.effects.affects_users, str):
        return await inspect_call(operation, args, saas_id, read)
    return await inspect_target(operation, args, saas_id, read) if _worth_a_glance(operation) else NOT_INSPECTED


def _worth_a_glance(operation: Operation) -> bool:
    undo, diff, target = operation.effects.undo, operation.effects.diff, operation.effects.target
    there = target is not None and target.read is not None and operation.effects.effect != "create"
    shown = diff is not None or there
    return not operation.reads and shown and undo is not None and undo.call is not None
