"""Decide the calls of the audit log again, under another policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog import Catalogue, UnknownTool
from saasus_mcp.cli.terminal import utc_timestamp
from saasus_mcp.common.messages import Message, message
from saasus_mcp.permissions.policy.model import Policy, PolicyInput, Principal
from saasus_mcp.permissions.refusal import Reason
from saasus_mcp.store.audit.excerpts import contains_excerpt


@dataclass(frozen=True, slots=True)
class ReplayDifference:
    """A call whose decision would change, or may change (`after` is then None)."""

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
    """The decisions that a policy would change.

    Attributes:
        calls: how many calls were decided again.
        groupless: how many of them have no groups of the caller in the audit log.
        unknown: calls of tools that no longer exist.
    """

    policy: str
    calls: int
    others: tuple[ReplayDifference, ...]
    groupless: int
    unknown: int


def replay_calls(records: Iterable[Mapping[str, Any]], policy: Policy, catalogue: Catalogue) -> ReplayReport:
    """Decide every call of the audit log again."""
    calls = groupless = unknown = 0
    differences: list[ReplayDifference] = []
    for record in records:
        if record.get("event") not in ("begun", "refused") or "decision" not in record:
            continue
        if record.get("refused") == Reason.NARROWED:  # decided by the caller's connection, not by a policy
            continue
        if "plan" in record:  # a job: each of its calls has a separate record
            continue
        try:
            call = _policy_input(record, catalogue)
        except UnknownTool:
            unknown += 1
            continue
        calls += 1
        groupless += "groups" not in record
        difference = _difference(record, call, policy)
        if difference is not None:
            differences.append(difference)
    differences.sort(key=lambda each: each.at)
    return ReplayReport(policy.name, calls, tuple(differences), groupless, unknown)


def report_lines(report: ReplayReport) -> Iterator[Message]:
    """Yield the differences and the totals."""
    if not report.calls and not report.unknown:
        yield message("cli_policy.no_calls")
        return
    for each in report.others:
        facts = {"at": utc_timestamp(each.at), "tool": each.tool, "principal": each.who, "before": each.before}
        if each.after is None:
            yield message("cli_policy.decision_undetermined", **facts, reason=each.reason)
        else:
            yield message("cli_policy.decision_changed", **facts, after=each.after, reason=each.reason)
    undetermined = sum(each.after is None for each in report.others)
    yield message(
        "cli_policy.replay_summary",
        calls=report.calls,
        changed=len(report.others) - undetermined,
        undetermined=undetermined,
        policy=report.policy,
    )
    if report.groupless:
        yield message("cli_policy.calls_without_groups", count=report.groupless)
    if report.unknown:
        yield message("cli_policy.calls_of_unknown_tools", count=report.unknown)


def _policy_input(record: Mapping[str, Any], catalogue: Catalogue) -> PolicyInput:
    """Return what the audit log has of a call: no claims, no secrets, and of live state only the counts."""
    principal = Principal(str(record.get("principal", "")), frozenset(record.get("groups", ())))
    arguments, profile = dict(record.get("arguments") or {}), str(record.get("profile", ""))
    operation = catalogue.find(str(record.get("operation", "")))
    return PolicyInput(operation, arguments, principal, profile, impact=record.get("impact"))


def _difference(record: Mapping[str, Any], call: PolicyInput, policy: Policy) -> ReplayDifference | None:
    decision, before = policy.decide(call), str(record["decision"])
    rules = [rule for rule in policy.explain(call) if rule.skipped_by is None]
    certain = not any(rule.error for rule in rules) or any(rule.value and rule.outcome == "deny" for rule in rules)
    certain = certain and not contains_excerpt(record.get("arguments"))  # the audit log truncates a long argument
    if certain and decision.outcome == before:
        return None
    return ReplayDifference(
        at=float(record["at"]),
        call=str(record["call"]),
        tool=call.operation.tool,
        who=call.principal.id,
        before=before,
        after=decision.outcome if certain else None,
        rule=decision.rule,
        reason=str(decision.reason),
    )
