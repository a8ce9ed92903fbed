"""What is seen before a person is asked and before a call goes: the target, how far the call reaches, what is there now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import anyio

from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.model import TYPED_LEVELS
from saasus_mcp.permissions.impact import DEADLINE, LATE, Impact, assess
from saasus_mcp.permissions.proof import digest
from saasus_mcp.permissions.target import Read, Seen, Sight, look, present


@dataclass(frozen=True, slots=True)
class Survey:
    """What was seen.

    Attributes:
        before: what is there now, as a read answered; None where nothing shows it or it could not be read.
    """

    sight: Sight
    impact: Impact
    before: Any = None


NOT_SURVEYED = Survey(Sight(""), Impact())


def sights(read: Read) -> Read:
    """The reads of one look at things: each is made once, however often it is wanted, and given up where it takes long."""
    known: dict[str, Seen] = {}
    under_way: dict[str, anyio.Lock] = {}

    async def made(key: str, args: Mapping[str, Any]) -> Seen:
        wanted = digest({"read": key, "args": dict(args)})
        async with under_way.setdefault(wanted, anyio.Lock()):
            if wanted not in known:
                known[wanted] = LATE
                with anyio.move_on_after(DEADLINE):
                    known[wanted] = await read(key, args)
            return known[wanted]

    return made


async def survey(
    operation: Operation, args: Mapping[str, Any], saas_id: str, read: Read, *, today: date | None = None
) -> Survey:
    """See everything that the row of effects has a recipe for: the target, and then all the rest at once.

    Args:
        today: the day of which the month's usage is read, if not the present one in UTC.
    """
    sight = await look(operation, args, saas_id, read)
    reached: list[Impact] = []

    async def reach() -> None:
        reached.append(await assess(operation, args, sight.target, read, today=today))

    async with anyio.create_task_group() as group:
        group.start_soon(reach)
        there = await present(operation, args, sight, read)
    return Survey(sight, reached[0], there.answer)


async def glance(operation: Operation, args: Mapping[str, Any], saas_id: str, read: Read) -> Survey:
    """See the target and what is there now, without how far the call reaches."""
    sight = await look(operation, args, saas_id, read)
    there = await present(operation, args, sight, read)
    return Survey(sight, Impact(), there.answer)


async def unasked(operation: Operation, args: Mapping[str, Any], saas_id: str, read: Read, *, counted: bool) -> Survey:
    """See what is needed of a call that nobody is asked about: what was there, for the journal or a read back.

    Args:
        counted: whether the users that it hits count against a budget, and so are looked for.
    """
    if counted and operation.level in TYPED_LEVELS and isinstance(operation.effects.affects_users, str):
        return await survey(operation, args, saas_id, read)
    return await glance(operation, args, saas_id, read) if _worth_a_glance(operation) else NOT_SURVEYED


def _worth_a_glance(operation: Operation) -> bool:
    undo, diff, target = operation.effects.undo, operation.effects.diff, operation.effects.target
    there = target is not None and target.read is not None and operation.effects.effect != "create"
    shown = diff is not None or there
    return not operation.reads and shown and undo is not None and undo.call is not None
