"""The freezes that stop writes now, and the banner that shows them at the top of every page of a signed-in approver."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from saasus_mcp.common.messages import Message, message
from saasus_mcp.hosting.console.people_view import PagePeople
from saasus_mcp.hosting.console.service import ConsoleService, ProfileContext
from saasus_mcp.hosting.console.signin_sessions import Approver
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_value
from saasus_mcp.store.records import Freeze


@dataclass(frozen=True, slots=True)
class BannerRow:
    """One freeze: what it stops, who started it when, and why if they said so."""

    what: Message
    by: Message
    why: Message | None


@dataclass(frozen=True, slots=True)
class FreezeBanner:
    """The freezes for the template. `version` differs whenever they do."""

    version: str
    rows: Sequence[BannerRow]


def read_freeze_banner(service: ConsoleService, approver: Approver, reader: Reader) -> FreezeBanner:
    """Return the freezes of an approver's profiles."""
    people, rows = PagePeople(), []
    freezes = list_freezes(service, approver)
    for freeze, context in freezes.items():
        what = message("console.frozen_profile", profile=freeze.profile) if freeze.profile else None
        at, who = format_value(Timestamp(freeze.at), reader), str(people.view(context, freeze.by))
        by = message("console.frozen_by", by=who, at=at)
        why = message("console.frozen_reason", reason=freeze.reason) if freeze.reason else None
        rows.append(BannerRow(what or message("console.frozen_all"), by, why))
    return FreezeBanner(freezes_version(freezes), rows)


def list_freezes(service: ConsoleService, approver: Approver) -> dict[Freeze, ProfileContext]:
    """Return the freezes of an approver's profiles, each with the first profile that it stops."""
    found: dict[Freeze, ProfileContext] = {}
    for context in service.contexts_of(approver):
        for freeze in context.store().active_freezes(context.profile or ""):
            found.setdefault(freeze, context)
    return found


def freezes_version(freezes: Iterable[Freeze]) -> str:
    """Return a digest of freezes in their order."""
    stated = [(each.profile, each.at, each.by) for each in freezes]
    return hashlib.sha256(json.dumps(stated).encode()).hexdigest()[:16]


def freeze_mark(freezes: Iterable[Freeze]) -> str:
    """Return a text that differs whenever freezes do: the form to lift them carries it."""
    return " ".join(sorted({repr(each.at) for each in freezes}))
