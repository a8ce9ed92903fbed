"""What tests of policies build with."""

from __future__ import annotations

from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.permissions.policy import CasePolicy, Outcome, Principal
from saasus_mcp.permissions.rules import Case, Rule, RulePolicy

ME = Principal("local:me", frozenset({"support"}), {"tenants": ["t1", "t2"], "nested": {"set": {"b", "a"}}})
EVERYTHING = ("*",)


def rule(name: str = "r", then: Outcome = "allow", **given: Any) -> Rule:
    return Rule(**{"name": name, "then": then, "tools": EVERYTHING, **given})


def policy(*rules: Rule, **given: Any) -> RulePolicy:
    return RulePolicy("under-test", rules, **given)


def case(operation: Operation, args: dict[str, Any] | None = None, **given: Any) -> Case:
    return Case(**{"operation": operation, "args": args or {}, "principal": ME, "profile": "default", **given})


def outcome(decided: CasePolicy, of: Case) -> tuple[str, str]:
    decision = decided.decide(of)
    return decision.outcome, decision.rule


DESK = """\
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
