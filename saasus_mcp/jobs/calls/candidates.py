"""The calls of a list on their way into a plan: their order, and what one changes for another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.messages import Message
from saasus_mcp.jobs.calls.entries import CallEntry
from saasus_mcp.jobs.calls.listed_call import ListedCall
from saasus_mcp.jobs.plan import AnswerLookup, PlanStep, StepGroup
from saasus_mcp.permissions.inspection.target import NAME_ARGUMENTS
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.refusal import CallRefused


@dataclass(slots=True)
class Candidate:
    """An entry on its way into the plan.

    Attributes:
        state_changes: whether earlier calls change what this one builds on.
        takes_freed_name: whether it takes a name, such as an address, that an earlier call frees.
        listed: set once the call is reviewed, if it would change something.
        refused: set once the call is reviewed, if it may not be made.
        unchanged: set once the call is reviewed, if it would change nothing: why not.
    """

    entry: CallEntry
    operation: Operation
    step: PlanStep
    target: str
    state_changes: bool = False
    takes_freed_name: bool = False
    listed: ListedCall | None = None
    refused: CallRefused | None = None
    unchanged: Message | None = None


class StateChanges:
    """The state that the calls before one in a list change."""

    def __init__(self) -> None:
        self._reads: set[str] = set()
        self._anything = False

    def add(self, candidate: Candidate) -> None:
        """Add a call that will be made."""
        self._reads |= _state_reads(candidate)
        self._anything = self._anything or "saas" in candidate.operation.effects.blast

    def concern(self, candidate: Candidate) -> bool:
        """Return whether one of them is about the state from which a call was reviewed."""
        return not self._reads.isdisjoint(_state_reads(candidate))

    def may_concern(self, candidate: Candidate) -> bool:
        """Return whether one of them is about that state, or about the whole SaaS."""
        return self._anything or self.concern(candidate)


def _state_reads(candidate: Candidate) -> frozenset[str]:
    """Return the reads that show the state before a call, with their arguments."""
    effects, call = candidate.operation.effects, OperationCall(candidate.operation, candidate.step.args)
    return frozenset(
        compact_json([recipe.read, call.evaluate_each({**recipe.args, **(recipe.pick.where if recipe.pick else {})})])
        for recipe in (effects.target, effects.diff)
        if recipe is not None and recipe.read is not None
    )


def order_groups(
    candidates: Sequence[Candidate],
) -> tuple[list[StepGroup], list[int], dict[str, list[str]]]:
    """Return the groups, the sizes of the phases, and the groups that each group needs.

    Calls of one row are one group. Rows of a table run at the same time, as do neighbours of one operation in a list. A call
    about a target of this phase, with a value from a call of this phase, or with a name that was freed, begins a new phase.
    """
    group_of: dict[str, str] = {}
    groups: list[StepGroup] = []
    needs: dict[str, list[str]] = {}
    sizes: list[int] = []
    targets: set[str] = set()
    tools: set[str] = set()
    names: set[str] = set()
    by_row: dict[int, list[Candidate]] = defaultdict(list)
    for each in candidates:
        by_row[each.entry.group].append(each)
    for own in by_row.values():
        name = f"row {own[0].entry.group}"
        sources = {group_of[step] for each in own for step, _ in each.step.from_steps.values() if step in group_of}
        group_of |= {each.step.step: name for each in own}
        own_targets = {each.target for each in own if each.operation.effects.effect != "create"}
        own_tools = {each.operation.key for each in own}
        follows = sources - {name}
        breaks = not own_targets.isdisjoint(targets) or not follows.isdisjoint(names)
        breaks = breaks or any(each.takes_freed_name for each in own)
        if not sizes or breaks or (not own[0].entry.tabular and tools and own_tools != tools):
            sizes.append(0)
            targets, names = set(), set()
        tools = own_tools
        targets |= own_targets
        names.add(name)
        sizes[-1] += 1
        groups.append(StepGroup(name, tuple(_with_lookup(each) for each in own)))
        if follows:
            needs[name] = sorted(follows)
    return groups, sizes, needs


def frees_name(candidate: Candidate, name: str) -> bool:
    """Return whether a call deletes the item with a name, or names it otherwise."""
    operation, names = candidate.operation, names_in(candidate.step.args)
    if operation.effects.effect == "delete":
        return operation.path.endswith("}")  # the item, not a part of it
    return operation.effects.effect == "update" and bool(names) and name not in names


def collection(candidate: Candidate) -> str:
    """Return the path of the items among which a name is unique."""
    operation = candidate.operation
    path = operation.path if operation.effects.effect == "create" else operation.path.rpartition("/{")[0]
    return path.format_map(candidate.step.args)


def names_in(args: Mapping[str, Any]) -> set[str]:
    return {str(args[name]) for name in NAME_ARGUMENTS if args.get(name)}


def _with_lookup(candidate: Candidate) -> PlanStep:
    """Return the step, with a read that finds a created account if its answer was lost."""
    if candidate.operation.key != "auth.CreateSaasUser":
        return candidate.step
    known = {name: candidate.step.args[name] for name in ("email", "sign_in_id") if candidate.step.args.get(name)}
    lookup = AnswerLookup("auth.SearchSaasUsers", {**known, "limit": 100}, "users", known)
    return replace(candidate.step, lookup=lookup)
