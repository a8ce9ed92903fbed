"""The calls of the audit under another policy: what would have been decided otherwise."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from saasus_mcp.catalog import Catalogue, UnknownTool
from saasus_mcp.cli.policy_wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy.model import Policy, PolicyInput, Principal
from saasus_mcp.permissions.refusal import Reason
from saasus_mcp.store.audit.excerpts import contains_excerpt

UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class ReplayDifference:
    """A call that would be decided otherwise, or of which that cannot be told (`after` is then None)."""

    at: float
    call: str
    tool: str
    who: str
    before: str
    after: str | None
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a policy would have changed.

    Attributes:
        calls: how many were decided anew.
        groupless: of how many of them the audit does not say the caller's groups.
        unknown: calls of tools that are no more.
    """

    policy: str
    calls: int
    others: tuple[ReplayDifference, ...]
    groupless: int
    unknown: int


def replay_calls(records: Iterable[Mapping[str, Any]], policy: Policy, catalogue: Catalogue) -> ReplayReport:
    """Decide every call of the audit anew."""
    calls = groupless = unknown = 0
    others: list[ReplayDifference] = []
    for record in records:
        if record.get("event") not in ("begun", "refused") or "decision" not in record:
            continue
        if record.get("refused") == Reason.NARROWED:  # the caller's connection decided it, not a policy
            continue
        if "plan" in record:  # a job: each of its calls has a record, and is decided anew by it
            continue
        try:
            case = _case(record, catalogue)
        except UnknownTool:
            unknown += 1
            continue
        calls += 1
        groupless += "groups" not in record
        other = _otherwise(record, case, policy)
        others += [other] if other is not None else []
    return ReplayReport(policy.name, calls, tuple(sorted(others, key=lambda other: other.at)), groupless, unknown)


def report_lines(replayed: ReplayReport, lang: Language) -> Iterator[str]:
    """What was found, for people."""
    words = WORDS[lang]
    if not replayed.calls and not replayed.unknown:
        yield words["none"]
        return
    for other in replayed.others:
        at = datetime.fromtimestamp(other.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        yield words["untold" if other.after is None else "changed"].format(**{**asdict(other), "at": at})
    untold = sum(other.after is None for other in replayed.others)
    changed = len(replayed.others) - untold
    yield words["replayed"].format(calls=replayed.calls, changed=changed, untold=untold, policy=replayed.policy)
    if replayed.groupless:
        yield words["groupless"].format(count=replayed.groupless)
    if replayed.unknown:
        yield words["unknown"].format(count=replayed.unknown)


def report_json(replayed: ReplayReport) -> dict[str, Any]:
    """What was found, as JSON."""
    return asdict(replayed)


def parse_since(given: str, lang: Language) -> float:
    """The moment that a person means by a date, a time or a span before now, in epoch seconds.

    Raises:
        SaasusMcpError: it is none of these.
    """
    span = re.fullmatch(r"(\d{1,6})([mhd])", given.strip())
    if span:
        return time.time() - int(span[1]) * UNIT_SECONDS[span[2]]
    try:
        return datetime.fromisoformat(given.strip()).timestamp()
    except (ValueError, OverflowError):
        words = WORDS[lang]
        raise SaasusMcpError(words["bad_since"].format(given=given[:40]), words["bad_since_mend"]) from None


def _case(record: Mapping[str, Any], catalogue: Catalogue) -> PolicyInput:
    """The case of a record: as the audit has it, so with no claims, of live state only what was counted, and no secret."""
    principal = Principal(str(record.get("principal", "")), frozenset(record.get("groups", ())))
    arguments, profile = dict(record.get("arguments") or {}), str(record.get("profile", ""))
    operation = catalogue.find(str(record.get("operation", "")))
    return PolicyInput(operation, arguments, principal, profile, impact=record.get("impact"))


def _otherwise(record: Mapping[str, Any], case: PolicyInput, policy: Policy) -> ReplayDifference | None:
    decision, before = policy.decide(case), str(record["decision"])
    concerning = [rule for rule in policy.explain(case) if rule.skipped_by is None]
    doubtful = next((rule for rule in concerning if rule.error), None)
    certain = doubtful is None or any(rule.value and rule.outcome == "deny" for rule in concerning)
    certain = certain and not contains_excerpt(
        record.get("arguments")
    )  # of a long argument, the audit has the beginning
    if certain and decision.outcome == before:
        return None
    return ReplayDifference(
        at=float(record["at"]),
        call=str(record["call"]),
        tool=case.operation.tool,
        who=case.principal.id,
        before=before,
        after=decision.outcome if certain else None,
        rule=decision.rule,
        reason=decision.reason,
    )
