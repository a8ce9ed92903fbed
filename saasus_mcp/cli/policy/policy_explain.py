"""How one call is decided, told rule by rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from saasus_mcp.catalog import Operation, load_catalogue
from saasus_mcp.cli.call import find_operation, parse_arguments_json
from saasus_mcp.cli.policy_wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy.model import Decision, Policy, PolicyInput, Principal, RuleTrace
from saasus_mcp.permissions.policy.presets import unwrap_policy
from saasus_mcp.permissions.policy.rules import RulePolicy
from saasus_mcp.saasus import arguments
from saasus_mcp.settings import Settings


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """The call that is asked about. `target` and `impact`: the live state to go by, None where none is given."""

    tool: str
    arguments: str
    principal: Principal
    target: Any
    impact: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer, for people and as JSON, and what must be said besides."""

    text: str
    json: dict[str, Any]
    warning: str


def explain_call(asked: ExplainRequest, policy: Policy, chosen: Settings) -> Explanation:
    """How a policy decides the call that is asked about.

    Raises:
        SaasusMcpError: there is no such tool, or the arguments are no JSON object.
    """
    operation = find_operation(load_catalogue(), asked.tool, chosen.lang)
    args, warning = _arguments(operation, parse_object("JSON", asked.arguments, chosen.lang), chosen.lang)
    case = PolicyInput(operation, args, asked.principal, chosen.profile, asked.target, asked.impact)
    decision, considered = policy.decide(case), policy.explain(case)
    needs = policy.required_state(operation, asked.principal, chosen.profile)
    missing = [state for state in sorted(needs) if getattr(case, state) is None]
    record = {
        "tool": operation.tool,
        "operation": operation.key,
        "principal": asked.principal.id,
        "groups": sorted(groups_of_principal(policy, asked.principal)),
        "profile": chosen.profile,
        "policy": policy.name,
        "decision": asdict(decision),
        "rules": [asdict(rule) for rule in considered],
        "missing_state": missing,
    }
    groups = groups_of_principal(policy, asked.principal)
    lines = [*_head(case, policy.name, groups, chosen.lang), "", *_rules(considered, chosen.lang), ""]
    lines += _end(decision, considered, missing, chosen.lang)
    return Explanation("\n".join(lines), record, warning)


def parse_object(flag: str, text: str, lang: Language) -> dict[str, Any]:
    """A JSON object that was given on the command line.

    Raises:
        SaasusMcpError: it is none.
    """
    value = parse_arguments_json(text, lang)
    if not isinstance(value, dict):
        words = WORDS[lang]
        raise SaasusMcpError(words["not_object"].format(flag=flag), words["not_object_mend"])
    return value


def _arguments(operation: Operation, raw: dict[str, Any], lang: Language) -> tuple[dict[str, Any], str]:
    """The arguments as the policy would see them, and why a real call with them would not get that far."""
    try:
        return dict(arguments.parse_arguments(operation, raw).values), ""
    except SaasusMcpError as error:
        return raw, WORDS[lang]["invalid"].format(why=error)


def groups_of_principal(policy: Policy, principal: Principal) -> frozenset[str]:
    """The groups of a caller as the policy's rules see them."""
    under = unwrap_policy(policy)
    return under.groups_of(principal) if isinstance(under, RulePolicy) else principal.groups


def _head(case: PolicyInput, policy: str, groups: frozenset[str], lang: Language) -> list[str]:
    words, operation, who = WORDS[lang], case.operation, case.principal
    about = {"tool": operation.tool, "key": operation.key, "level": operation.level, "who": who.id}
    lines = [words["call"].format(**about, profile=case.profile, policy=policy)]
    ignored = who.groups - groups
    for key, names in (("groups", groups), ("ignored_groups", ignored)):
        if names:
            lines.append(words[key].format(groups=", ".join(sorted(names))))
    return lines


def _rules(considered: Sequence[RuleTrace], lang: Language) -> list[str]:
    width = max((len(rule.rule) for rule in considered), default=0)
    return [_line(rule, width, lang) for rule in considered]


def _end(decision: Decision, considered: Sequence[RuleTrace], missing: Sequence[str], lang: Language) -> list[str]:
    words = WORDS[lang]
    lines = [] if any(rule.won for rule in considered) else [words["no_rule"]]
    typed = f" ({words['typed']})" if decision.typed and decision.outcome in ("confirm", "approve") else ""
    lines.append(f"=> {decision.outcome}{typed}: {decision.reason}")
    flags = ", ".join(f"--{state}" for state in missing)
    return lines + ([words["state"].format(flags=flags)] if missing else [])


def _line(rule: RuleTrace, width: int, lang: Language) -> str:
    words, when = WORDS[lang], " ".join((rule.when or "").split())
    mark = "=>" if rule.won else "  "
    if rule.skipped_by is not None:
        said = words[f"other_{rule.skipped_by}"]
    elif rule.error:
        said = words["error"].format(why=rule.error, when=when)
    else:
        said = words["true" if rule.value else "false"].format(when=when) if when else words["always"]
    return f"{mark} {rule.rule:<{width}}  {rule.outcome:<7}  {said}"
