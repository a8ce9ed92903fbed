"""The policy language: rules over operations, people and profiles, with conditions over the call and live state.

Deny beats approve beats confirm beats allow; no rule, no call; a condition that cannot be told denies. Of the rules that
say what was decided, the first in the file names the decision. All of it is pure: nothing is read here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import translate
from functools import cache
from typing import Literal

from saasus_mcp.catalog.model import TYPED_LEVELS, Effects, Operation
from saasus_mcp.permissions.policy import conditions
from saasus_mcp.permissions.policy.conditions import ConditionResult
from saasus_mcp.permissions.policy.model import (
    Ceiling,
    Decision,
    DecisionOutcome,
    LiveState,
    PolicyInput,
    Principal,
    RuleTrace,
)

__all__ = ["Decision", "PolicyInput", "Rule", "RulePolicy", "RuleTrace", "effect_words", "matches_glob"]

STRICTNESS: Mapping[DecisionOutcome, int] = {"allow": 0, "confirm": 1, "approve": 2, "deny": 3}
NO_RULE = "none"
"""The name of a decision that no rule made. No rule may be called so."""

MAX_CACHED = 4096
"""Which rules concern which calls is remembered for so many combinations of operation, caller and profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. At most one of tools, module, levels and effects is given; what is left out concerns everything.

    Attributes:
        who: ids of principals, globs of such ids, or names of groups.
        tools: names of tools or keys of operations, or globs of either.
        effects: words of the table of effects (see `words`).
        when: a sound condition (permissions.condition).
        reason: for whoever is told of the decision, without a full stop.
    """

    name: str
    then: DecisionOutcome
    who: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    module: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()
    when: str | None = None
    reason: str = ""

    def selects(self, operation: Operation) -> bool:
        """Whether it speaks of this operation."""
        if self.tools:
            return any(matches_glob(tool, operation.tool) or matches_glob(tool, operation.key) for tool in self.tools)
        if self.module:
            return operation.module in self.module
        if self.levels:
            return operation.level in self.levels
        return not self.effects or not effect_words(operation.effects).isdisjoint(self.effects)

    def applies_to_profile(self, profile: str) -> bool:
        """Whether it speaks of this profile. Where the profile is not known, only what forbids does."""
        return not self.profile or profile in self.profile or (not profile and self.then == "deny")


@dataclass(frozen=True, slots=True)
class _Concern:
    """The rules that concern one operation, caller and profile, in the order of the file, and their conditions.

    `groups`: those that the caller is in, as the conditions see them.
    """

    rules: tuple[Rule, ...]
    conditions: tuple[str, ...]
    groups: frozenset[str]

    def verdicts(self, case: PolicyInput) -> Iterator[ConditionResult]:
        """Of every rule whether it holds: without a condition it does."""
        if self.conditions and case.principal.groups != self.groups:
            case = replace(case, principal=replace(case.principal, groups=self.groups))
        told = iter(conditions.evaluate_conditions(self.conditions, case) if self.conditions else ())
        return (True if rule.when is None else next(told) for rule in self.rules)


@dataclass(frozen=True, eq=False)
class RulePolicy:
    """The policy of a file.

    Attributes:
        groups: members of the file's own groups, by name: ids of principals or globs of such ids. They are closed: a caller
            who brings a group of such a name from elsewhere is not in it.
        confirm_via: `approval` turns every confirm into approve.
        two_person: whether the one who approves must be another than the one who asked.
        ceilings: see case.CasePolicy.
    """

    name: str
    rules: tuple[Rule, ...]
    announcement: str = ""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    confirm_via: Literal["client", "approval"] = "client"
    two_person: bool = False
    ceilings: Mapping[Ceiling, int] | None = field(default_factory=dict)
    _selecting: dict[str, tuple[Rule, ...]] = field(default_factory=dict, init=False, repr=False)
    _concerning: dict[tuple[object, ...], _Concern] = field(default_factory=dict, init=False, repr=False)

    def required_state(self, operation: Operation, principal: Principal, profile: str) -> frozenset[LiveState]:
        """The live state that the conditions of the rules concerning such a call speak of."""
        concern = self._concern(operation, principal, profile)
        return frozenset(state for text in concern.conditions for state in conditions.used_states(text))

    def decide(self, case: PolicyInput) -> Decision:
        """The decision on this case."""
        typed = case.operation.level in TYPED_LEVELS
        concern = self._concern(case.operation, case.principal, case.profile)
        won = self._winner(concern.rules, concern.verdicts(case))
        if won is None:
            return Decision("deny", NO_RULE, "no rule of the policy allows it", typed)
        rule, verdict = won
        if isinstance(verdict, str):
            said = f"the condition of the rule {rule.name!r} cannot be evaluated: {verdict}"
            return Decision("deny", rule.name, said, typed)
        outcome = self._hardened(rule.then)
        return Decision(outcome, rule.name, rule.reason or _REASONS[outcome].format(rule=rule.name), typed)

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Whether some arguments, in some state of things, could lead to anything but deny."""
        possible, concern = False, self._concern(operation, principal, profile)
        who = replace(principal, groups=concern.groups)
        for rule in concern.rules:
            verdict = _beforehand(rule, operation, who, profile)
            if isinstance(verdict, str) or (verdict is True and rule.then == "deny"):
                return False
            possible = possible or (verdict is not False and rule.then != "deny")
        return possible

    def explain(self, case: PolicyInput) -> tuple[RuleTrace, ...]:
        """Every rule, in the order of the file, and what became of it in this case."""
        concern = self._concern(case.operation, case.principal, case.profile)
        given = dict(zip((rule.name for rule in concern.rules), concern.verdicts(case), strict=True))
        won = self._winner(concern.rules, given.values())
        return tuple(
            self._considered(rule, case, given.get(rule.name), won=won is not None and rule is won[0])
            for rule in self.rules
        )

    def _winner(self, rules: Sequence[Rule], given: Iterable[ConditionResult]) -> tuple[Rule, ConditionResult] | None:
        """The rule of the decision, and its verdict; None where none holds. Nothing is asked after the first that denies."""
        won, best = None, -1
        for rule, verdict in zip(rules, given, strict=False):
            if verdict is False:
                continue
            rank = STRICTNESS[self._hardened(rule.then)] if verdict is True else STRICTNESS["deny"]
            if rank > best:
                won, best = (rule, verdict), rank
            if rank == STRICTNESS["deny"]:
                break
        return won

    def _considered(self, rule: Rule, case: PolicyInput, verdict: ConditionResult | None, *, won: bool) -> RuleTrace:
        outcome = self._hardened(rule.then)
        if verdict is None:
            passed_over: Literal["tool", "who", "profile"] = "who"
            if not rule.selects(case.operation):
                passed_over = "tool"
            elif not rule.applies_to_profile(case.profile):
                passed_over = "profile"
            return RuleTrace(rule.name, outcome, rule.when, passed_over)
        if isinstance(verdict, str):
            return RuleTrace(rule.name, "deny", rule.when, error=verdict, won=won)
        return RuleTrace(rule.name, outcome, rule.when, value=verdict, won=won)

    def _hardened(self, outcome: DecisionOutcome) -> DecisionOutcome:
        return "approve" if outcome == "confirm" and self.confirm_via == "approval" else outcome

    def _concern(self, operation: Operation, principal: Principal, profile: str) -> _Concern:
        """The rules that speak of this operation, caller and profile, in the order of the file."""
        sought = (operation.key, principal.id, principal.groups, profile)
        found = self._concerning.get(sought)
        if found is None:
            mine = self.groups_of(principal)
            rules = tuple(
                rule
                for rule in self._select(operation)
                if rule.applies_to_profile(profile) and (not rule.who or self._means(rule.who, principal, mine))
            )
            found = _Concern(rules, tuple(rule.when for rule in rules if rule.when is not None), mine)
            if len(self._concerning) >= MAX_CACHED:
                self._concerning.clear()
            self._concerning[sought] = found
        return found

    def _select(self, operation: Operation) -> tuple[Rule, ...]:
        found = self._selecting.get(operation.key)
        if found is None:
            found = self._selecting[operation.key] = tuple(rule for rule in self.rules if rule.selects(operation))
        return found

    def groups_of(self, principal: Principal) -> frozenset[str]:
        """The groups of a caller: those of the file that list them, and those they bring that the file does not define."""
        own = {
            name
            for name, members in self.groups.items()
            if any(matches_glob(member, principal.id) for member in members)
        }
        closed = {fold_name(name) for name in self.groups}
        return frozenset(own | {name for name in principal.groups if fold_name(name) not in closed})

    def _means(self, who: Sequence[str], principal: Principal, mine: frozenset[str]) -> bool:
        """Whether one of them is the caller. The name of a group of the file never means a person who is called so."""
        return any(name in mine or (name not in self.groups and matches_glob(name, principal.id)) for name in who)


_REASONS: Mapping[DecisionOutcome, str] = {
    "allow": "the rule {rule!r} allows it",
    "confirm": "the rule {rule!r} requires a person's confirmation",
    "approve": "the rule {rule!r} requires a person's approval outside the client",
    "deny": "the rule {rule!r} denies it",
}


def effect_words(effects: Effects) -> frozenset[str]:
    """What a rule's `effects` can call an operation: its effect, its reversibility, its reach and what it touches."""
    found = {effects.effect, effects.reversibility, *effects.blast}
    touched = {
        "email": effects.email != "no",
        "money": effects.money != "no",
        "outside": bool(effects.outside),
        "personal_data": effects.personal_data,
    }
    return frozenset(found | {word for word, does in touched.items() if does})


def fold_name(name: str) -> str:
    """A group's name without the differences that a reader overlooks: case, and forms of the same characters."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def matches_glob(pattern: str, text: str) -> bool:
    """Whether a name is meant by a glob: `*` stands for any characters, `?` for one, everything else for itself."""
    return pattern == text or (("*" in pattern or "?" in pattern) and _glob(pattern).match(text) is not None)


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern.replace("[", "[[]")))


def _beforehand(rule: Rule, operation: Operation, principal: Principal, profile: str) -> ConditionResult | None:
    """The verdict on a rule whatever the arguments and the state; None where it hangs on those."""
    if rule.when is None:
        return True
    if conditions.used_variables(rule.when) <= {"principal"}:
        return next(iter(conditions.evaluate_conditions((rule.when,), PolicyInput(operation, {}, principal, profile))))
    return None
