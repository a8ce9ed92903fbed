"""The page of the policy in force: its rules as a table, its groups, and the text of its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from saasus_mcp.common.messages import Message, one_of
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.hosting.console.views import PageContent, PageRequest
from saasus_mcp.permissions.policy.model import DecisionOutcome, Policy
from saasus_mcp.permissions.policy.presets import PresetPolicy, ReadOnlyPolicy
from saasus_mcp.permissions.policy.wrappers import PolicyWrapper

EVERY_TOOL = ("*",)
"""The tools of a rule for all of them."""
_EFFECT_MESSAGES: Mapping[str, str] = {
    **dict.fromkeys(("read", "create", "update", "delete", "action"), "cli_tools.value_effect"),
    **dict.fromkeys(("reversible", "recreate", "irreversible"), "cli_tools.value_reversibility"),
    **dict.fromkeys(("record", "user", "tenant", "saas", "external"), "cli_tools.value_blast"),
    **dict.fromkeys(("email", "money", "outside", "personal_data"), "cli_tools.effect"),
}
"""The group of messages that names a word of the table of effects."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule for the template. Empty fields restrict nothing.

    Attributes:
        levels: the calls that the rule is about.
        effects: the same, in words.
        modules, tools: the same, as the rule names them. Without any of these, the rule is about every call.
    """

    name: str
    outcome: DecisionOutcome
    levels: tuple[str, ...] = ()
    effects: tuple[Message, ...] = ()
    modules: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    who: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    condition: str = ""
    reason: str = ""


def view_policy(service: ConsoleService, page: PageRequest) -> PageContent:
    """Return the rules of the policy in force, and the text of its file."""
    written, (*_, inner) = service.read_policy(), _layers(service.policy)
    rows = list(_rule_rows(inner))
    values = {
        "name": service.policy.name,
        "rows": rows,
        "titles": {
            each: operation.title.text(page.language)
            for row in rows
            for each in row.tools
            if (operation := service.find_operation(each))
        },
        "columns": {
            name for name in ("who", "profiles", "condition", "reason") if any(getattr(row, name) for row in rows)
        },
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


def _rule_rows(policy: Policy) -> Iterator[RuleRow]:
    """Yield the rules in the order of the file; none for a policy without rules."""
    if isinstance(policy, PresetPolicy):
        for level, outcome in policy.by_level.items():
            yield RuleRow(f"{policy.name}/{level}", outcome, (level,))
        return
    from saasus_mcp.permissions.policy.rules import RulePolicy  # noqa: PLC0415 - only for the policy of a file

    if not isinstance(policy, RulePolicy):
        return
    for rule in policy.rules:
        yield RuleRow(
            rule.name,
            policy.final_outcome(rule.then),
            rule.levels,
            tuple(one_of(_EFFECT_MESSAGES[each], each) for each in rule.effects),
            rule.module,
            () if rule.tools == EVERY_TOOL else rule.tools,
            rule.who,
            rule.profile,
            rule.when or "",
            rule.reason,
        )
