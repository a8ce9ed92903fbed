"""Decide the calls of the audit log again, under another policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from saasus_mcp.catalog import Catalogue, UnknownTool
from saasus_mcp.cli.output import format_time, json_times
from saasus_mcp.common.messages import Message, message
from saasus_mcp.permissions.policy.model import Policy, PolicyInput, Principal
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import Reason
from saasus_mcp.store.audit.excerpts import contains_excerpt


@dataclass(frozen=True, slots=True)
class ReplayDifference:
    """A call whose decision would change, or may change (`after` is then None)."""

    at: float
    call: str
    tool: str
    principal: str
    before: str
    after: str | None
    rule: str
    reason: Message | str


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The decisions that a policy would change.

    Attributes:
        calls: how many calls were decided again.
        without_groups: how many of them have no groups of the caller in the audit log.
        unknown_tools: calls of tools that no longer exist.
    """

    policy: str
    calls: int
    differences: tuple[ReplayDifference, ...]
    without_groups: int
    unknown_tools: int

    def to_json(self) -> dict[str, Any]:
        """Return the report for programs, its times as text."""
        differences = [json_times({**asdict(each), "reason": str(each.reason)}) for each in self.differences]
        return {**asdict(self), "differences": differences}


def replay_calls(records: Iterable[Mapping[str, Any]], policy: Policy, catalogue: Catalogue) -> ReplayReport:
    calls = without_groups = unknown_tools = 0
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
            unknown_tools += 1
            continue
        calls += 1
        without_groups += "groups" not in record
        difference = _difference(record, call, policy)
        if difference is not None:
            differences.append(difference)
    differences.sort(key=lambda each: each.at)
    return ReplayReport(policy.name, calls, tuple(differences), without_groups, unknown_tools)


def report_lines(report: ReplayReport, now: float, reader: Reader) -> Iterator[Message]:
    if not report.calls and not report.unknown_tools:
        yield message("cli_policy.no_calls")
        return
    for each in report.differences:
        facts = {
            "at": format_time(each.at, now, reader),
            "tool": each.tool,
            "principal": each.principal,
            "before": each.before,
        }
        if each.after is None:
            yield message("cli_policy.decision_undetermined", **facts, reason=each.reason)
        else:
            yield message("cli_policy.decision_changed", **facts, after=each.after, reason=each.reason)
    undetermined = sum(each.after is None for each in report.differences)
    yield message(
        "cli_policy.replay_summary",
        calls=report.calls,
        changed=len(report.differences) - undetermined,
        undetermined=undetermined,
        policy=report.policy,
    )
    if report.without_groups:
        yield message("cli_policy.calls_without_groups", count=report.without_groups)
    if report.unknown_tools:
        yield message("cli_policy.calls_of_unknown_tools", count=report.unknown_tools)


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
        principal=call.principal.id,
        before=before,
        after=decision.outcome if certain else None,
        rule=decision.rule,
        reason=decision.reason,
    )
