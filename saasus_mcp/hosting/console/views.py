"""Collect what each page of the console shows, for its template."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, one_of
from saasus_mcp.hosting.console.question_view import question_content
from saasus_mcp.hosting.console.service import ConsoleService, ListedApproval, ProfileContext
from saasus_mcp.hosting.console.signin_sessions import ConsoleSession
from saasus_mcp.permissions.approval.approvals import may_approve
from saasus_mcp.permissions.policy.budgets import DEFAULT_CEILINGS, WINDOWS
from saasus_mcp.permissions.policy.model import Ceiling
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_sentence, format_value
from saasus_mcp.store.records import BudgetKind, Freeze

RECENT_DECISIONS = 20
REFRESH_SECONDS = 30
EXPIRES_SOON_MINUTES = 3
MAX_FILTER_LENGTH = 200
OUTCOMES = ("allow", "confirm", "approve", "deny")
CEILING_OF_KIND: Mapping[BudgetKind, Ceiling] = {
    "destructive": "destructive_per_hour",
    "users": "affected_users_per_hour",
    "writes": "writes_per_minute",
}
LIKELIHOOD = {"yes": "yes", "conditional": "maybe", "indirect": "maybe"}


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for a page: its query and path parameters, the session, and the reader."""

    query: Mapping[str, str]
    path: Mapping[str, str]
    session: ConsoleSession
    reader: Reader

    @property
    def language(self) -> Language:
        return self.reader.language

    def filter_text(self, name: str) -> str:
        """Return the text of a filter."""
        return self.query.get(name, "").strip()[:MAX_FILTER_LENGTH]


@dataclass(frozen=True, slots=True)
class PageContent:
    """A template and its variables."""

    template: str
    values: Mapping[str, Any]


View = Callable[[ConsoleService, PageRequest], PageContent | None]
"""Returns a page; None if it does not exist."""


def view_approvals(service: ConsoleService, page: PageRequest) -> PageContent:
    """Return the pending approvals and the most recent decisions."""
    rows = [_approval_row(service, each, page.reader) for each in service.list_approvals(page.session.approver)]
    waiting = [row for row in rows if row["status"] == "pending"]
    decided = [row for row in rows if row["status"] != "pending"][:RECENT_DECISIONS]
    values = {"waiting": waiting, "decided": decided, "refresh": REFRESH_SECONDS, "here": "approvals"}
    return PageContent("approvals", values)


def view_approval(
    service: ConsoleService, page: PageRequest, error: Message | None = None, typed: str = ""
) -> PageContent | None:
    """Return one approval with its question.

    Args:
        error: why the last attempt failed.
        typed: the name that was typed in the last attempt.
    """
    listed = service.find_approval(page.session.approver, page.path["code"])
    if listed is None:
        return None
    approval = listed.approval
    question = stored_question.load_question(approval)
    values = {
        "row": _approval_row(service, listed, page.reader),
        "question": question_content(question, page.reader) if question is not None else None,
        "older": stored_question.legacy_text(approval, page.language) if question is None else "",
        "to_type": stored_question.text_to_type(approval, page.language),
        "may_approve": may_approve(approval, page.session.approver.id),
        "error": error,
        "typed": typed,
        "here": "approvals",
    }
    return PageContent("approval", values)


def view_tools(service: ConsoleService, page: PageRequest) -> PageContent:
    """Return every operation with its effects and the decision for a principal."""
    contexts = service.contexts_of(page.session.approver)
    context = select_context(contexts, page)
    who, groups, search, outcome = (page.filter_text(name) for name in ("who", "groups", "q", "outcome"))
    names = frozenset(name for part in groups.split(",") if (name := part.strip()))
    principal = Principal(who or page.session.approver.id, names)
    rows = [
        {
            "tool": operation.tool,
            "key": operation.key,
            "title": operation.title.text(page.language),
            "level": operation.level,
            "level_label": one_of("console.level_name", operation.level),
            "facts": _effect_facts(operation),
            "outcome": decision.outcome,
            "outcome_label": one_of("console.decision_value", decision.outcome),
            "rule": decision.rule,
            "depends": depends,
        }
        for operation, decision, depends in service.list_decisions(principal, context)
    ]
    matches = [
        row
        for row in rows
        if outcome in ("", row["outcome"])
        and search.casefold() in f"{row['tool']} {row['key']} {row['title']} {row['level']}".casefold()
    ]
    values = {
        "contexts": contexts,
        "context": context,
        "who": principal.id,
        "groups": groups,
        "q": search,
        "outcome": outcome,
        "outcomes": [(each, one_of("console.decision_value", each)) for each in OUTCOMES],
        "rows": matches,
        "total": len(rows),
        "local": service.freeze_all is not None,
        "here": "tools",
    }
    return PageContent("tools", values)


def view_policy(service: ConsoleService, _: PageRequest) -> PageContent:
    """Return the policy in force and its text."""
    written = service.read_policy()
    values = {
        "name": service.policy.name,
        "text": written.text,
        "outdated": written.outdated,
        "loud": service.policy.announcement,
        "two_person": service.policy.two_person,
        "local": service.freeze_all is not None,
        "here": "policy",
    }
    return PageContent("policy", values)


def view_limits(service: ConsoleService, page: PageRequest) -> PageContent:
    """Return the used budgets and the freezes that the approver may see."""
    now, approver = service.clock(), page.session.approver
    ceilings = {**DEFAULT_CEILINGS, **(service.policy.ceilings or {})}
    places: list[dict[str, Any]] = []
    used: list[dict[str, Any]] = []
    for context in service.contexts_of(approver):
        store = context.store()
        freezes = [_freeze_row(freeze, context, page.reader) for freeze in store.active_freezes(context.profile or "")]
        places.append({"context": context, "freezes": freezes, "own": any(each["own"] for each in freezes)})
        for charge in store.budget_usage(WINDOWS, now, context.profile):
            ceiling = ceilings[CEILING_OF_KIND[charge.kind]] if service.policy.ceilings is not None else None
            label = one_of("console.budget_kind", charge.kind)
            used.append({"context": context, "charge": charge, "label": label, "ceiling": ceiling})
    values = {
        "places": places,
        "used": used,
        "everything": service.may_freeze_all(approver),
        "whole": any(not each["profile"] for place in places for each in place["freezes"]),
        "here": "limits",
    }
    return PageContent("limits", values)


def view_secrets(_: ConsoleService, __: PageRequest) -> PageContent:
    """Return the form to reveal a secret."""
    return PageContent("secrets", {"secret": None, "error": None, "here": "secrets"})


def view_account(_: ConsoleService, page: PageRequest, error: Message | None = None) -> PageContent:
    """Return the session of the approver and their time zone."""
    session, zone = page.session, page.reader.zone
    values = {
        "groups": sorted(session.approver.groups),
        "since": format_value(Timestamp(session.opened_at), page.reader),
        "until": format_value(Timestamp(session.expires_at), page.reader),
        "zone": getattr(zone, "key", "") or zone.tzname(None) or "",
        "error": error,
        "here": "account",
    }
    return PageContent("account", values)


def select_context(contexts: list[ProfileContext], page: PageRequest) -> ProfileContext | None:
    """Return the context that the request names, or the first one."""
    name = page.query.get("profile", "")
    return next((context for context in contexts if context.name == name), contexts[0] if contexts else None)


def _freeze_row(freeze: Freeze, context: ProfileContext, reader: Reader) -> dict[str, Any]:
    """Return a freeze for the template. `own`: it is the freeze of this context, and its approvers can lift it."""
    return {
        "by": freeze.by,
        "at": format_value(Timestamp(freeze.at), reader),
        "reason": freeze.reason,
        "profile": freeze.profile,
        "own": bool(freeze.profile) and context.profile in (None, freeze.profile),
    }


def _approval_row(service: ConsoleService, listed: ListedApproval, reader: Reader) -> dict[str, Any]:
    approval, now = listed.approval, service.clock()
    operation, question = service.find_operation(approval.operation), stored_question.load_question(approval)
    # An approval that is stale before its time was invalidated by a change of the target or the policy.
    status = "void" if approval.status == "stale" and approval.expires_at > now else approval.status
    left = max(0, math.ceil((approval.expires_at - now) / 60))
    title = service.operation_title(approval.operation, reader.language)
    return {
        "code": approval.code,
        "headline": format_sentence(question.headline, reader) if question else f"{title}: {approval.name}",
        "operation": operation.tool if operation else approval.operation,
        "level": operation.level if operation else "",
        "level_label": one_of("console.level_name", operation.level) if operation else None,
        "who": approval.principal,
        "profile": approval.profile,
        "saas_id": approval.saas_id,
        "sandbox": listed.context.sandbox,
        "status": approval.status,
        "status_label": one_of("console.approval_status", status),
        "explanation": one_of("console.now", status),
        "left": left,
        "soon": left <= EXPIRES_SOON_MINUTES,
        "until": f"{datetime.fromtimestamp(approval.expires_at, reader.zone):%H:%M %Z}",
        "at": format_value(Timestamp(approval.requested_at), reader),
        "two_person": approval.two_person,
        "decided_by": approval.decided_by or "",
        "decided_at": format_value(Timestamp(approval.decided_at), reader) if approval.decided_at else "",
        "reason": approval.reason or "",
    }


def _effect_facts(operation: Operation) -> list[Message]:
    """Return the effects of an operation in a few words each, the most serious first."""
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
    return [one_of("console.effect", name) for name, holds in facts.items() if name and holds]
