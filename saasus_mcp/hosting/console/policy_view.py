"""The page of the policy in force: its rules as a table, its groups, and the text of its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from saasus_mcp.hosting.console.views import PageContent, PageRequest
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import PresetPolicy, ReadOnlyPolicy
from saasus_mcp.permissions.policy.rules import Rule, RulePolicy
from saasus_mcp.permissions.policy.wrappers import PolicyWrapper

EVERY_TOOL = ("*",)
"""The tools of a rule for all of them."""
EFFECT_GROUPS: Mapping[str, str] = {
    **dict.fromkeys(("read", "create", "update", "delete", "action"), "cli_tools.value_effect"),
    **dict.fromkeys(("reversible", "recreate", "irreversible"), "cli_tools.value_reversibility"),
    **dict.fromkeys(("record", "user", "tenant", "saas", "external"), "cli_tools.value_blast"),
    **dict.fromkeys(("email", "money", "outside", "personal_data"), "cli_tools.effect"),
}
"""The group of messages that names a word of the table of effects."""


def view_policy(page: PageRequest) -> PageContent:
    """Return the rules of the policy in force, and the text of its file."""
    service = page.service
    written, (*_, inner) = service.read_policy(), _layers(service.policy)
    rows = _list_rules(inner)
    values = {
        "name": service.policy.name,
        "rows": rows,
        "titles": {
            each: operation.title.text(page.language)
            for row in rows
            for each in row.tools
            if (operation := service.find_operation(each))
        },
        "columns": {name for name in ("who", "profile", "when") if any(getattr(row, name) for row in rows)},
        "effect_groups": EFFECT_GROUPS,
        "groups": sorted(getattr(inner, "groups", {}).items()),
        "read_only": any(isinstance(each, ReadOnlyPolicy) for each in _layers(service.policy)),
        "text": written.text,
        "outdated": written.outdated,
        "loud": service.policy.announcement,
        "two_person": service.policy.two_person,
        "local": service.freeze_all is not None,
        "here": "policy",
    }
    return PageContent("policy", values)


def _layers(policy: Policy) -> Iterator[Policy]:
    """Yield a policy and each policy inside it."""
    yield policy
    while isinstance(policy, PolicyWrapper):
        policy = policy.inner
        yield policy


def _list_rules(policy: Policy) -> list[Rule]:
    """Return the rules in the order of the file, with the outcomes that they have in the end; none for a policy without rules."""
    if isinstance(policy, PresetPolicy):
        return [
            Rule(name=f"{policy.name}/{level}", then=outcome, levels=(level,))
            for level, outcome in policy.by_level.items()
        ]
    if not isinstance(policy, RulePolicy):
        return []
    return [
        replace(rule, then=policy.final_outcome(rule.then), tools=() if rule.tools == EVERY_TOOL else rule.tools)
        for rule in policy.rules
    ]
