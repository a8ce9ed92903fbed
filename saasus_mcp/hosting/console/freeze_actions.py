"""The forms with which an approver freezes writes and lifts a freeze."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from saasus_mcp.common.messages import message
from saasus_mcp.hosting.console.forms import read_reason
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.hosting.console.signin_sessions import Approver
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.store.records import Freeze


def freeze_writes(service: ConsoleService, approver: Approver, fields: Mapping[str, str]) -> None:
    """Freeze the writes that a form names.

    Raises:
        CallRefused: the approver has no such profile.
    """
    service.freeze(approver, fields.get("profile", ""), read_reason(fields))


def lift_freeze(service: ConsoleService, approver: Approver, fields: Mapping[str, str]) -> None:
    """Lift the freeze that the approver saw.

    Raises:
        CallRefused: the approver did not confirm it, another person has lifted it or frozen again, or there is no such profile.
    """
    name, profile = fields.get("profile", ""), fields.get("of", "")
    if fields.get("sure") != "yes":
        raise CallRefused(Reason.DECLINED, message("console.unfreeze_not_sure"))
    if fields.get("seen", "") != _current_freeze(service, approver, name, profile):
        raise CallRefused(Reason.CHANGED, message("console.freeze_changed"))
    service.unfreeze(approver, name, profile)


def freeze_mark(freezes: Iterable[Freeze]) -> str:
    """Return a text that differs whenever freezes do: the form to lift them carries it."""
    return " ".join(sorted({repr(each.at) for each in freezes}))


def _current_freeze(service: ConsoleService, approver: Approver, name: str, profile: str) -> str:
    """Return the mark of the freeze that a form would lift now; empty without one."""
    if not name and service.may_freeze_all(approver):
        stores = [each.store() for each in service.contexts_of(approver)]
        return freeze_mark(each for store in stores for each in store.active_freezes() if not each.profile)
    context = service.find_context(approver, name)
    lifted = profile if context.profile is None else context.profile
    return freeze_mark(each for each in context.store().active_freezes(lifted) if each.profile == lifted)
