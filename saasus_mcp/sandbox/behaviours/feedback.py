"""Feedback entries with their comments and votes."""

from __future__ import annotations

from saasus_mcp.sandbox.call import Behaviour, SandboxCall
from saasus_mcp.sandbox.engine import CollectionResource
from saasus_mcp.sandbox.state import Record, invalid

HIGHEST_STATUS = 3


def _new(call: SandboxCall) -> Record:
    return {"id": call.state.new_id("feedbacks"), "status": 0, **call.body}


def _votes(call: SandboxCall, feedback_id: str) -> Record:
    users = [{"user_id": vote["user_id"]} for vote in call.state.rows("votes", feedback_id)]
    return {"count": len(users), "users": users}


def _view(call: SandboxCall, entry: Record) -> Record:
    return {**entry, "comments": call.state.rows("comments", entry["id"]), **_votes(call, entry["id"])}


def _and_all(call: SandboxCall, entry: Record) -> None:
    for table in ("comments", "votes"):
        call.state.drop(table, entry["id"])


def _set_status(call: SandboxCall) -> None:
    if call.body["status"] > HIGHEST_STATUS:
        raise invalid("status: expected 0 to 3.")
    call.state.change("feedbacks", call.scope, status=call.body["status"])


def _vote(call: SandboxCall) -> Record:
    """Count a vote. A second vote of the same user has no effect."""
    feedback_id, user_id = call.path["feedback_id"], call.body["user_id"]
    call.state.put("votes", (feedback_id, user_id), {"user_id": user_id})
    return _votes(call, feedback_id)


def _take_back(call: SandboxCall) -> None:
    key = (call.path["feedback_id"], call.path["user_id"])
    call.state.get("votes", *key)
    call.state.drop("votes", *key)


ROWS = (
    CollectionResource("/v1/communication/feedbacks", "feedbacks", "feedback", new=_new, view=_view, cascade=_and_all),
    CollectionResource("/v1/communication/feedbacks/{feedback_id}/comments", "comments", "comment"),
)

SPECIAL: dict[str, Behaviour] = {
    "communication.UpdateFeedbackStatus": _set_status,
    "communication.CreateVoteUser": _vote,
    "communication.DeleteVoteForFeedback": _take_back,
}
