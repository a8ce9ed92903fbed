"""The page of a person's access: this session and the others, the time zone, and the tokens of their groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saasus_mcp.common.messages import Message, one_of
from saasus_mcp.hosting.console.people_view import PersonView
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.hosting.console.signin_sessions import ConsoleSessions
from saasus_mcp.hosting.console.views import PageContent, PageRequest
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_value

if TYPE_CHECKING:
    from saasus_mcp.store.tokens import Token


def view_access(
    service: ConsoleService, sessions: ConsoleSessions, page: PageRequest, error: Message | None = None, typed: str = ""
) -> PageContent:
    """Return the sessions of the approver, their time zone, and the tokens that they may see.

    Args:
        error: what is wrong with the entered time zone.
        typed: that time zone.
    """
    session, now = page.session, service.clock()
    values = {
        "who": PersonView(session.approver.id, session.approver.person.label),
        "groups": sorted(session.approver.groups),
        "since": format_value(Timestamp(session.opened_at), page.reader),
        "until": format_value(Timestamp(session.expires_at), page.reader),
        "zone": typed or page.reader.zone_name,
        "sessions": [
            {
                "id": each.id,
                "since": format_value(Timestamp(each.opened_at), page.reader),
                "until": format_value(Timestamp(each.expires_at), page.reader),
                "used": format_value(Timestamp(each.used_at), page.reader) if each.used_at else "",
                "browser": each.browser,
                "own": each.id == session.id,
            }
            for each in sessions.list_own(session.approver, now)
        ],
        "tokens": [_token_row(each, now, page.reader) for each in service.list_tokens(session.approver)],
        "error": error,
        "here": "account",
    }
    return PageContent("account", values)


def _token_row(token: Token, now: float, reader: Reader) -> dict[str, Any]:
    status = "valid" if token.is_valid(now) else "revoked" if token.revoked_at is not None else "expired"
    return {
        "name": token.name,
        "role": one_of("console_access.role", token.role),
        "groups": sorted(token.groups),
        "made_by": token.made_by,
        "expires": format_value(Timestamp(token.expires_at), reader),
        "used": format_value(Timestamp(token.used_at), reader) if token.used_at is not None else "",
        "status": status,
        "status_label": one_of("console_access.status", status),
    }
