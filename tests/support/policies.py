"""Builders of rules, policies and cases."""

from __future__ import annotations

from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.permissions.policy.model import DecisionOutcome, Policy, PolicyInput, Principal
from saasus_mcp.permissions.policy.rules import Rule, RulePolicy
from saasus_mcp.server.pipeline.call_pipeline import Pipeline

PRINCIPAL = Principal("local:me", frozenset({"support"}), {"tenants": ["t1", "t2"], "nested": {"set": {"b", "a"}}})
EVERYTHING = ("*",)


def replace_policy(pipeline: Pipeline, policy: Policy) -> None:
    """Replace the policy of a pipeline for all its parts, as the reload of a policy file does."""
    object.__setattr__(pipeline.policy, "inner", policy)


def build_rule(name: str = "r", then: DecisionOutcome = "allow", **given: Any) -> Rule:
    return Rule(**{"name": name, "then": then, "tools": EVERYTHING, **given})


def build_policy(*rules: Rule, **given: Any) -> RulePolicy:
    return RulePolicy("under-test", rules, **given)


def build_case(operation: Operation, args: dict[str, Any] | None = None, **given: Any) -> PolicyInput:
    return PolicyInput(
        **{"operation": operation, "arguments": args or {}, "principal": PRINCIPAL, "profile": "default", **given}
    )


def decide_case(decided: Policy, of: PolicyInput) -> tuple[str, str]:
    decision = decided.decide(of)
    return decision.outcome, decision.rule


CONSOLE_OPERATOR = """\
version: 1
name: desk
groups: {support: ["local:*"]}
rules:
  - name: reads
    levels: [read, read_sensitive]
    then: allow
  - name: off-board
    who: support
    tools: [auth_delete_tenant]
    then: approve
    reason: a second look
  - name: big
    tools: [auth_delete_tenant]
    when: impact.users > 50
    then: deny
  - name: clerks
    who: clerks
    tools: [auth_update_tenant_user]
    when: args.tenant_id in principal.claims.tenants
    then: confirm
  - name: staging
    profile: staging
    tools: ["*"]
    then: allow
"""
