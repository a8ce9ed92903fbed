"""What a page of the console is, the people on it, and the pages of the limits, the secrets and a person's access."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message
from saasus_mcp.common.person import NOBODY, Person
from saasus_mcp.hosting.console.service import ConsoleService, ProfileContext, freeze_mark
from saasus_mcp.hosting.console.signin_sessions import ConsoleSessions
from saasus_mcp.permissions.policy.budgets import DEFAULT_CEILINGS, WINDOWS
from saasus_mcp.permissions.policy.model import Ceiling
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.store.records import BudgetKind, Freeze
from saasus_mcp.store.signin_sessions import Approver, ConsoleSession

if TYPE_CHECKING:
    from saasus_mcp.store.tokens import Token

MAX_ID = 40
"""Characters of an id that a list shows in full."""
MAX_FILTER_LENGTH = 200
CEILING_OF_KIND: Mapping[BudgetKind, Ceiling] = {
    "destructive": "destructive_per_hour",
    "users": "affected_users_per_hour",
    "writes": "writes_per_minute",
}


@dataclass(frozen=True, slots=True)
class PersonView:
    """A principal as people see them. `label` is empty if only the id is known."""

    id: str
    label: str = ""

    @property
    def short_id(self) -> str:
        """Return the id for a list: of a long one with an issuer, the end tells people apart."""
        issuer, bar, subject = self.id.rpartition("|")
        kind = issuer.partition(":")[0]
        return f"{kind}:\N{HORIZONTAL ELLIPSIS}|{subject}" if bar and len(self.id) > MAX_ID else self.id

    @property
    def name(self) -> str:
        """Return what people know them by: the label, else of an id with an issuer its end; empty for other ids."""
        return self.label or (self.id.rpartition("|")[2] if "|" in self.id else "")

    def __str__(self) -> str:
        """Return label and id on one line; empty without a principal."""
        return f"{self.label} \N{MIDDLE DOT} {self.id}" if self.label else self.id


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for a page: what the console has, the query and path parameters, the session, and the reader."""

    service: ConsoleService
    query: Mapping[str, str]
    path: Mapping[str, str]
    session: ConsoleSession
    reader: Reader
    _people: dict[tuple[str, str], PersonView] = field(default_factory=dict)

    @property
    def approver(self) -> Approver:
        return self.session.approver

    @property
    def language(self) -> Language:
        return self.reader.language

    def filter_text(self, name: str) -> str:
        return self.query.get(name, "").strip()[:MAX_FILTER_LENGTH]

    def person(self, context: ProfileContext, principal: str, known: Person = NOBODY) -> PersonView:
        """Return a person, who is looked up once.

        Args:
            known: name and address as a record states them. They count, whatever the person is called today.
        """
        if known.label or not principal:
            return PersonView(principal, known.label)
        key = (context.name, principal)
        if key not in self._people:
            self._people[key] = PersonView(principal, context.store().audit_log.people.get(principal).label)
        return self._people[key]


@dataclass(frozen=True, slots=True)
class PageContent:
    template: str
    values: Mapping[str, Any]


View = Callable[[PageRequest], PageContent | None]
"""Returns a page; None if it does not exist."""


def view_limits(page: PageRequest, error: Message | None = None) -> PageContent:
    """Return the used budgets and the freezes that the approver may see. `error`: why a freeze was not started or lifted."""
    service, now = page.service, page.service.clock()
    ceilings = {**DEFAULT_CEILINGS, **(service.policy.ceilings or {})}
    places: list[dict[str, Any]] = []
    used: list[dict[str, Any]] = []
    whole: list[Freeze] = []
    for context in service.contexts_of(page.approver):
        store = context.store()
        found = store.active_freezes(context.profile or "")
        whole += [each for each in found if not each.profile]
        # An approver of this context can lift the freezes of its own.
        own = [each for each in found if each.profile and context.profile in (None, each.profile)]
        freezes = [(each, page.person(context, each.by), freeze_mark([each])) for each in found]
        places.append({"context": context, "freezes": freezes, "own": own})
        for charge in store.budget_usage(WINDOWS, now, context.profile):
            ceiling = ceilings[CEILING_OF_KIND[charge.kind]] if service.policy.ceilings is not None else None
            who = page.person(context, charge.principal)
            used.append({"context": context, "charge": charge, "who": who, "ceiling": ceiling})
    values = {
        "places": places,
        "used": used,
        "everything": service.may_freeze_all(page.approver),
        "whole": freeze_mark(whole),
        "error": error,
        "here": "limits",
    }
    return PageContent("limits", values)


def view_secrets(_: PageRequest) -> PageContent:
    return PageContent("secrets", {"secret": None, "handle": "", "error": None, "here": "secrets"})


def view_access(
    sessions: ConsoleSessions, page: PageRequest, error: Message | None = None, typed: str = ""
) -> PageContent:
    """Return the sessions of the approver, their time zone, and the tokens that they may see.

    Args:
        error: what is wrong with the entered time zone.
        typed: that time zone.
    """
    approver, now = page.approver, page.service.clock()
    values = {
        "who": PersonView(approver.id, approver.person.label),
        "groups": sorted(approver.groups),
        "zone": typed or page.reader.zone_name,
        "sessions": sessions.list_own(approver, now),
        "tokens": [(_token_status(each, now), each) for each in page.service.list_tokens(approver)],
        "error": error,
        "here": "account",
    }
    return PageContent("account", values)


def _token_status(token: Token, now: float) -> str:
    if token.is_valid(now):
        return "valid"
    return "revoked" if token.revoked_at is not None else "expired"


def select_context(contexts: list[ProfileContext], page: PageRequest) -> ProfileContext | None:
    """Return the context that the request names, or the first one."""
    name = page.query.get("profile", "")
    return next((context for context in contexts if context.name == name), contexts[0] if contexts else None)
