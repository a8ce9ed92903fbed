"""What is seen before a person is asked and before a call goes: the target, how far the call reaches, what is there now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.catalog import Language, Operation
from saasus_mcp.permissions.difference import difference
from saasus_mcp.permissions.impact import Impact, assess
from saasus_mcp.permissions.preview import previews
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.target import Read, Sight, look, present


@dataclass(frozen=True, slots=True)
class Survey:
    """What was seen.

    Attributes:
        before: what is there now, as a read answered; None where nothing shows it or it could not be read.
    """

    sight: Sight
    impact: Impact
    before: Any = None

    def previews(self, operation: Operation, args: Mapping[str, Any], place: Place) -> dict[Language, str]:
        """The preview that a person reads, in each language."""
        changes = difference(operation, args, self.before)
        return previews(operation, args, self.sight, place, impact=self.impact, changes=changes)


NOT_SURVEYED = Survey(Sight(""), Impact())


async def survey(operation: Operation, args: Mapping[str, Any], saas_id: str, read: Read) -> Survey:
    """See everything that the row of effects has a recipe for."""
    seen = await glance(operation, args, saas_id, read)
    return replace(seen, impact=await assess(operation, args, seen.sight.target, read))


async def glance(operation: Operation, args: Mapping[str, Any], saas_id: str, read: Read) -> Survey:
    """See the target and what is there now, without how far the call reaches."""
    sight = await look(operation, args, saas_id, read)
    there = await present(operation, args, sight, read)
    return Survey(sight, Impact(), there.answer)


def worth_a_glance(operation: Operation) -> bool:
    """Whether a call that nobody is asked about still needs to know what was there: for the journal or a read back."""
    undo, diff, target = operation.effects.undo, operation.effects.diff, operation.effects.target
    shown = diff is not None or (target is not None and target.read is not None)
    return not operation.reads and shown and undo is not None and undo.call is not None
