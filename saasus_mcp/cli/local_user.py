"""The user of this computer, and the records of what they decide in a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from saasus_mcp.cli import state
from saasus_mcp.common.person import MAX_NAME, Person
from saasus_mcp.common.text import one_line
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.settings.environment import Settings

if sys.platform != "win32":
    import pwd

if TYPE_CHECKING:
    from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord


def local_user() -> Principal:
    """Return the principal of this computer: the user of the process as the system knows it, not as the environment says."""
    try:
        if sys.platform == "win32":
            return Principal(f"local:{os.getlogin()}")
        user = pwd.getpwuid(os.getuid())
    except (KeyError, OSError):
        return Principal("local")
    full_name = one_line(user.pw_gecos.partition(",")[0].strip(), MAX_NAME)
    return Principal(f"local:{user.pw_name}", person=Person(full_name if full_name != user.pw_name else ""))


def action_at_terminal(kind: ActionKind, **fields: str) -> ActionRecord:
    """Return the record of a decision of the user at this terminal, with further fields of `ActionRecord`."""
    from saasus_mcp.permissions.approval.action_records import ActionRecord  # noqa: PLC0415 - not on every start

    user = local_user()
    return ActionRecord(kind, user.id, "terminal", person=user.person, **fields)


def record_decision(settings: Settings, kind: ActionKind, subject: str = "", reason: str = "") -> None:
    """Record a decision of the user at this terminal that concerns every SaaS. Raise StoreError if it cannot be recorded."""
    with state.open_state(settings) as stores:
        state.record_decision(stores, action_at_terminal(kind, subject=subject, reason=reason))
