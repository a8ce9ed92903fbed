"""The pages of tools: all of them with their effects and decisions, and one with its arguments and rules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.common.messages import one_of
from saasus_mcp.common.word_search import WordSearch
from saasus_mcp.hosting.console.service import ProfileContext
from saasus_mcp.hosting.console.views import PageContent, PageRequest, select_context
from saasus_mcp.permissions.policy.model import Decision, Principal

OUTCOMES = ("allow", "confirm", "approve", "deny")
LIKELIHOOD = {"yes": "yes", "conditional": "maybe", "indirect": "maybe"}
MAX_FOUND = 20
"""The tools that the catalogue's search adds to those whose texts contain the words."""
MAX_SCHEMA_DEPTH = 6
"""The depth to which the fields of arguments are listed. The schema itself is shown below."""


def view_tools(page: PageRequest) -> PageContent:
    """Return every operation with its effects and the decision for a principal."""
    service, (principal, context, asked) = page.service, _read_asked(page)
    search = WordSearch(page.filter_text("q"))
    # The catalogue also knows other words for what a tool does, and corrects misspelt ones.
    hits = service.catalogue.index.search(search.text, MAX_FOUND) if search else []
    found = {hit.operation.key for hit in hits}
    outcome = page.filter_text("outcome")
    decided = list(service.list_decisions(principal, context))
    rows = [
        _tool_row(operation, decision, page, depends=depends)
        for operation, decision, depends in decided
        if outcome in ("", decision.outcome)
        and (operation.key in found or search.matches([*service.operation_names(operation.key), operation.level]))
    ]
    filters = {"q": search.text, "outcome": outcome, "outcomes": OUTCOMES}
    return PageContent("tools", {**asked, **filters, "rows": rows, "total": len(decided)})


def view_tool(page: PageRequest) -> PageContent | None:
    """Return one tool: what it does, its effects, its arguments, and who may call it by which rule."""
    operation = page.service.find_operation(page.path["tool"])
    if operation is None or operation.tool != page.path["tool"]:
        return None
    principal, context, asked = _read_asked(page)
    decision, depends, traces = page.service.explain_decision(operation, principal, context)
    values = {
        **asked,
        "row": _tool_row(operation, decision, page, depends=depends),
        "reason": _reason_text(decision, operation, page),
        "preconditions": [each.text(page.language) for each in operation.effects.preconditions],
        "why": operation.effects.why.text(page.language) if operation.effects.why else "",
        "description": operation.description.text(page.language).split("`"),
        "http": f"{operation.method} {operation.path}",
        "traces": traces,
        "arguments": list(_argument_rows(operation.input_schema)),
        "schema": json.dumps(operation.input_schema, ensure_ascii=False, indent=2),
    }
    return PageContent("tool", values)


def _reason_text(decision: Decision, operation: Operation, page: PageRequest) -> str:
    """Return the reason of a decision, with the level in the words of this page."""
    reason = decision.reason
    if isinstance(reason, str):
        return reason
    if reason.id.startswith("policy.by_level."):
        outcome, level = reason.id.rpartition(".")[2], one_of("console.level_name", operation.level)
        reason = one_of("console_tools.by_level", outcome, level=level)
    return reason.text(page.language)


def _read_asked(page: PageRequest) -> tuple[Principal, ProfileContext | None, dict[str, Any]]:
    """Return the person and the profile for which decisions are shown, and what both pages have of them."""
    contexts = page.service.contexts_of(page.approver)
    context, groups = select_context(contexts, page), page.filter_text("groups")
    names = frozenset(name for part in groups.split(",") if (name := part.strip()))
    principal = Principal(page.filter_text("who") or page.approver.id, names)
    values = {"contexts": contexts, "context": context, "who": principal.id, "groups": groups}
    return principal, context, {**values, "local": page.service.freeze_all is not None, "here": "tools"}


def _tool_row(operation: Operation, decision: Decision, page: PageRequest, *, depends: bool) -> dict[str, Any]:
    return {
        "tool": operation.tool,
        "title": operation.title.text(page.language),
        "level": operation.level,
        "facts": _effect_facts(operation),
        "outcome": decision.outcome,
        "rule": decision.rule,
        "depends": depends,
    }


def _effect_facts(operation: Operation) -> list[str]:
    """Return the names of the effects of an operation, the most serious first."""
    effects = operation.effects
    money, email = LIKELIHOOD.get(effects.money), LIKELIHOOD.get(effects.email)
    facts = {
        effects.undo.kind if effects.undo else "": not operation.reads,
        f"money_{money}": money,
        f"email_{email}": email,
        "outside": effects.outside,
        "secrets": operation.secret_outputs,
        "personal": effects.personal_data,
    }
    return [name for name, holds in facts.items() if name and holds]


def _argument_rows(schema: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the arguments of a schema, each followed by its fields."""
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        items = member.get("items", {}) if member.get("type") == "array" else {}
        path, kind = f"{prefix}{name}", str(member.get("type", ""))
        kind = f"{items.get('type', '')}[]" if items else kind
        choices = tuple(str(each) for each in member.get("enum", items.get("enum", ())))
        texts = {"description": str(member.get("description", "")), "choices": choices}
        yield {"path": path, "kind": kind, "required": name in required, **texts}
        if depth < MAX_SCHEMA_DEPTH:
            yield from _argument_rows(items or member, f"{path}{'[]' if items else ''}.", depth + 1)
