"""How one call is decided, told rule by rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from saasus_mcp.catalog import Language, Operation, load
from saasus_mcp.cli.call import find, parse
from saasus_mcp.cli.policy_wording import WORDS
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.case import Case, CasePolicy, Considered, Decision, Principal
from saasus_mcp.permissions.policy import underlying
from saasus_mcp.permissions.rules import RulePolicy
from saasus_mcp.saasus import arguments
from saasus_mcp.settings import Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """The call that is asked about. `target` and `impact`: the live state to go by, None where none is given."""

    tool: str
    arguments: str
    principal: Principal
    target: Any
    impact: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Told:
    """The answer, for people and as JSON, and what must be said besides."""

    text: str
    record: dict[str, Any]
    warning: str


def told(asked: Asked, policy: CasePolicy, chosen: Settings) -> Told:
    """How a policy decides the call that is asked about.

    Raises:
        SaasusMcpError: there is no such tool, or the arguments are no JSON object.
    """
    operation = find(load(), asked.tool, chosen.lang)
    args, warning = _arguments(operation, parsed("JSON", asked.arguments, chosen.lang), chosen.lang)
    case = Case(operation, args, asked.principal, chosen.profile, asked.target, asked.impact)
    decision, considered = policy.decide(case), policy.explain(case)
    needs = policy.needs(operation, asked.principal, chosen.profile)
    missing = [state for state in sorted(needs) if getattr(case, state) is None]
    record = {
        "tool": operation.tool,
        "operation": operation.key,
        "principal": asked.principal.id,
        "groups": sorted(groups_of(policy, asked.principal)),
        "profile": chosen.profile,
        "policy": policy.name,
        "decision": asdict(decision),
        "rules": [asdict(rule) for rule in considered],
        "missing_state": missing,
    }
    groups = groups_of(policy, asked.principal)
    lines = [*_head(case, policy.name, groups, chosen.lang), "", *_rules(considered, chosen.lang), ""]
    lines += _end(decision, considered, missing, chosen.lang)
    return Told("\n".join(lines), record, warning)


def parsed(flag: str, text: str, lang: Language) -> dict[str, Any]:
    """A JSON object that was given on the command line.

    Raises:
        SaasusMcpError: it is none.
    """
    value = parse(text, lang)
    if not isinstance(value, dict):
        words = WORDS[lang]
        raise SaasusMcpError(words["not_object"].format(flag=flag), words["not_object_mend"])
    return value


def _arguments(operation: Operation, raw: dict[str, Any], lang: Language) -> tuple[dict[str, Any], str]:
    """The arguments as the policy would see them, and why a real call with them would not get that far."""
    try:
        return dict(arguments.understand(operation, raw).values), ""
    except SaasusMcpError as error:
        return raw, WORDS[lang]["invalid"].format(why=error)


def groups_of(policy: CasePolicy, principal: Principal) -> frozenset[str]:
    """The groups of a caller as the policy's rules see them."""
    under = underlying(policy)
    return under.groups_of(principal) if isinstance(under, RulePolicy) else principal.groups


def _head(case: Case, policy: str, groups: frozenset[str], lang: Language) -> list[str]:
    words, operation, who = WORDS[lang], case.operation, case.principal
    about = {"tool": operation.tool, "key": operation.key, "level": operation.level, "who": who.id}
    lines = [words["call"].format(**about, profile=case.profile, policy=policy)]
    ignored = who.groups - groups
    for key, names in (("groups", groups), ("ignored_groups", ignored)):
        if names:
            lines.append(words[key].format(groups=", ".join(sorted(names))))
    return lines


def _rules(considered: Sequence[Considered], lang: Language) -> list[str]:
    width = max((len(rule.rule) for rule in considered), default=0)
    return [_line(rule, width, lang) for rule in considered]


def _end(decision: Decision, considered: Sequence[Considered], missing: Sequence[str], lang: Language) -> list[str]:
    words = WORDS[lang]
    lines = [] if any(rule.won for rule in considered) else [words["no_rule"]]
    typed = f" ({words['typed']})" if decision.typed and decision.outcome in ("confirm", "approve") else ""
    lines.append(f"=> {decision.outcome}{typed}: {decision.reason}")
    flags = ", ".join(f"--{state}" for state in missing)
    return lines + ([words["state"].format(flags=flags)] if missing else [])


def _line(rule: Considered, width: int, lang: Language) -> str:
    words, when = WORDS[lang], " ".join((rule.when or "").split())
    mark = "=>" if rule.won else "  "
    if rule.passed_over is not None:
        said = words[f"other_{rule.passed_over}"]
    elif rule.error:
        said = words["error"].format(why=rule.error, when=when)
    else:
        said = words["true" if rule.value else "false"].format(when=when) if when else words["always"]
    return f"{mark} {rule.rule:<{width}}  {rule.outcome:<7}  {said}"
