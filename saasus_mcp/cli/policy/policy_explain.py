"""Explain how a policy decides one call, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from saasus_mcp.catalog import Operation, load_catalogue
from saasus_mcp.cli.call import find_operation
from saasus_mcp.cli.session import InvalidJson, parse_json
from saasus_mcp.cli.terminal import render
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.permissions.policy.model import Decision, ListConsent, Policy, PolicyInput, Principal, RuleTrace
from saasus_mcp.permissions.policy.presets import unwrap_policy
from saasus_mcp.permissions.policy.rules import RulePolicy
from saasus_mcp.saasus.arguments import parse_arguments


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation for people and as JSON, with a warning if a real call would fail before the policy."""

    text: str
    json: dict[str, Any]
    warning: Message | None


def explain_call(
    policy: Policy,
    tool: str,
    arguments: str,
    *,
    principal: Principal,
    profile: str,
    target: Any,
    impact: dict[str, Any] | None,
) -> Explanation:
    """Return how the policy decides a call.

    Args:
        arguments: JSON.
        target: the current state of the target, or None if it is not given.
        impact: counts by metric, or None if they are not given.

    Raises:
        SaasusMcpError: the tool does not exist, or the arguments are not a JSON object.
    """
    operation = find_operation(load_catalogue(), tool)
    values, warning = _parse_arguments(operation, parse_object("JSON", arguments))
    call = PolicyInput(operation, values, principal, profile, target, impact)
    decision, rules, groups = policy.decide(call), policy.explain(call), principal_groups(policy, principal)
    required = policy.required_state(operation, principal, profile)
    missing = [name for name in sorted(required) if getattr(call, name) is None]
    in_list = _in_list(policy, operation, decision)
    document = {
        "tool": operation.tool,
        "operation": operation.key,
        "principal": principal.id,
        "groups": sorted(groups),
        "profile": profile,
        "policy": policy.name,
        "decision": {**asdict(decision), "reason": str(decision.reason)},
        "rules": [{**asdict(rule), "error": rule.error and str(rule.error)} for rule in rules],
        "missing_state": missing,
        "in_list": in_list,
    }
    lines = [*_heading(call, policy.name, groups), "", *_rule_lines(rules), "", *_result(decision, rules, missing)]
    if not operation.reads and decision.outcome != "deny":
        lines.append(render(_list_text(in_list, operation.level)))
    return Explanation("\n".join(lines), document, warning)


def _in_list(policy: Policy, operation: Operation, decision: Decision) -> dict[str, Any] | None:
    """Return what a list of calls may cover of this operation, or None if it may have none of its calls."""
    consent = list_consent(policy, operation, decision)
    if consent == "never":
        return None
    return {"consent": consent, "max_calls": policy.bulk.most_calls(operation.level)}


def list_consent(policy: Policy, operation: Operation, decision: Decision, count: int = 1) -> ListConsent:
    """Return how a person agrees to a list with so many calls of this operation."""
    if operation.reads or decision.outcome == "deny":
        return "never"
    return policy.bulk.consent(operation.level, count)


def _list_text(in_list: dict[str, Any] | None, level: str) -> Message:
    if in_list is None:
        return message("cli_policy.in_list.never", level=level)
    if in_list["consent"] == "each":
        return message("cli_policy.in_list.each")
    if level == "critical":
        return message("cli_policy.in_list.once", count=in_list["max_calls"])
    return message("cli_policy.in_list.write", count=in_list["max_calls"])


def parse_object(option: str, text: str) -> dict[str, Any]:
    """Return a JSON object from the command line. Raise SaasusMcpError if it is something else."""
    try:
        value = parse_json(text)
    except InvalidJson as error:
        raise SaasusMcpError(message("cli.option_not_json", option=option, why=error), error.hint) from None
    if not isinstance(value, dict):
        raise SaasusMcpError.of("cli.not_an_object", option=option)
    return value


def principal_groups(policy: Policy, principal: Principal) -> frozenset[str]:
    """Return the groups of a principal as the policy's rules see them."""
    inner = unwrap_policy(policy)
    return inner.groups_of(principal) if isinstance(inner, RulePolicy) else principal.groups


def _parse_arguments(operation: Operation, given: dict[str, Any]) -> tuple[dict[str, Any], Message | None]:
    """Return the arguments as the policy sees them, and a warning if they are not valid."""
    try:
        return dict(parse_arguments(operation, given)), None
    except SaasusMcpError as error:
        return given, message("cli_policy.ends_before_policy", reason=error)


def _heading(call: PolicyInput, policy: str, groups: frozenset[str]) -> Iterator[str]:
    operation, principal = call.operation, call.principal
    yield render(
        message(
            "cli_policy.explained_call",
            tool=operation.tool,
            key=operation.key,
            level=operation.level,
            principal=principal.id,
            profile=call.profile,
            policy=policy,
        )
    )
    if groups:
        yield render(message("cli_policy.groups", groups=", ".join(sorted(groups))))
    if ignored := principal.groups - groups:
        yield render(message("cli_policy.ignored_groups", groups=", ".join(sorted(ignored))))


def _rule_lines(rules: Sequence[RuleTrace]) -> Iterator[str]:
    width = max((len(rule.rule) for rule in rules), default=0)
    for rule in rules:
        mark = "=>" if rule.won else "  "
        yield f"{mark} {rule.rule:<{width}}  {rule.outcome:<7}  {render(_rule_text(rule))}"


def _rule_text(rule: RuleTrace) -> Message:
    when = " ".join((rule.when or "").split())
    if rule.skipped_by is not None:
        return one_of("cli_policy.rule_skipped", rule.skipped_by)
    if rule.error:
        return message("cli_policy.condition_error", reason=rule.error, when=when)
    if not when:
        return message("cli_policy.no_condition")
    return message("cli_policy.condition_true" if rule.value else "cli_policy.condition_false", when=when)


def _result(decision: Decision, rules: Sequence[RuleTrace], missing: Sequence[str]) -> Iterator[str]:
    if not any(rule.won for rule in rules):
        yield render(message("cli_policy.no_rule"))
    typed = decision.typed and decision.outcome in ("confirm", "approve")
    note = f" ({render(message('cli_policy.typed_name'))})" if typed else ""
    yield f"=> {decision.outcome}{note}: {render(decision.reason)}"
    if missing:
        yield render(message("cli_policy.needs_state", flags=", ".join(f"--{name}" for name in missing)))
