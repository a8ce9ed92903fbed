"""The form that undoes a change: the page that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from saasus_mcp.hosting.console import changes_view, undo_actions
from saasus_mcp.hosting.console.rendering import safe_path
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.hosting.console.views import PageRequest, View
from saasus_mcp.permissions.refusal import Reason
from saasus_mcp.server.pipeline.call import PendingElicitation


@dataclass(frozen=True, slots=True)
class UndoAnswer:
    """The answer to the form.

    Attributes:
        path: the page to go to; the address of `view` if there is one.
        view: the page to show at once: a question, or why nothing was undone.
    """

    path: str
    view: View | None = None
    status: int = HTTPStatus.OK


async def answer_undo(service: ConsoleService, page: PageRequest, fields: Mapping[str, str]) -> UndoAnswer:
    """Undo a change, or ask the approver first, as the policy requires.

    Raises:
        CallRefused: there is no such change, or this person cannot undo it here.
    """
    call, reply = fields.get("call", ""), undo_actions.read_reply(fields)
    undo = partial(undo_actions.undo_change, service, page.session.approver, call)
    path, error, status = safe_path(f"/changes/{call}"), "", HTTPStatus.OK
    result = await undo(reply, is_first=reply is None)
    if isinstance(result, undo_actions.UndoRefused):
        if result.code:
            return UndoAnswer(f"/approvals/{result.code}?change={result.change.record.call}")
        error, status = changes_view.refusal_text(result, page.reader), HTTPStatus.UNPROCESSABLE_ENTITY
        if reply is not None and result.answer.why == Reason.DECLINED:  # a wrong name: ask again
            result = await undo(None, is_first=False)
    if result is None:
        return UndoAnswer(path)
    if isinstance(result, PendingElicitation):
        return UndoAnswer(path, partial(changes_view.view_undo, asked=result, error=error), status)
    return UndoAnswer(path, partial(changes_view.view_change, error=error), status)
