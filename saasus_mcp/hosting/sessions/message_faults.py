"""What is wrong with a body that is JSON and not a JSON-RPC message, in one line."""

from __future__ import annotations

from http import HTTPStatus

import pydantic_core
from starlette.responses import JSONResponse

from saasus_mcp.server.stdio.jsonrpc_envelope import EMPTY_ENVELOPE
from saasus_mcp.server.stdio.jsonrpc_parser import INVALID_REQUEST, WRONG_ID, InvalidMessage, check_message

BATCH = "Batches are not supported over HTTP. Send one JSON-RPC message in each request."
NOT_OBJECT = "The body is not a JSON object. Send one JSON-RPC message."


def refuse_message(body: bytes) -> JSONResponse | None:
    """Return the response to an invalid message; None if it is valid, or if the body is not JSON, which the SDK explains.

    A request whose id has another type is invalid: taken for a notification, it would never be answered.
    """
    try:
        content = pydantic_core.from_json(body)
    except ValueError:
        return None
    if isinstance(content, dict):
        checked = check_message(content)
        if isinstance(content.get("id"), float):  # also 1.0, which the SDK takes for no id
            checked = InvalidMessage(EMPTY_ENVELOPE, INVALID_REQUEST, WRONG_ID)
    else:
        checked = InvalidMessage(EMPTY_ENVELOPE, INVALID_REQUEST, BATCH if isinstance(content, list) else NOT_OBJECT)
    if not isinstance(checked, InvalidMessage):
        return None
    identifier = checked.envelope.id if isinstance(checked.envelope.id, str | int) else None
    error = {"code": checked.code, "message": checked.message}
    return JSONResponse({"jsonrpc": "2.0", "id": identifier, "error": error}, HTTPStatus.BAD_REQUEST)
