"""The way a client is asked, by its declared capabilities, and its failures to show a question."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mcp import types
from mcp.shared.exceptions import MCPError

from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt
from saasus_mcp.server.elicitation import PushedElicitor, elicitors_for
from saasus_mcp.server.pipeline.call import DeferredElicitor, UrlPrompt

OLD, NEW = "2025-11-25", "2026-07-28"


def client(says: dict[str, Any], version: str = OLD, *, asked: bool = True) -> Any:
    """Return the context of a call by a client with these capabilities. `asked` tells whether a question can be sent."""

    async def fails(*_: object, **__: object) -> None:
        raise MCPError(code=-32603, message="no window is open")

    session = SimpleNamespace(
        client_capabilities=types.ClientCapabilities.model_validate(says),
        can_send_request=asked,
        elicit_form=fails,
        elicit_url=fails,
    )
    return SimpleNamespace(session=session, protocol_version=version, request_id=1)


@pytest.mark.parametrize(
    ("says", "form", "page"),
    [
        ({}, False, False),
        ({"elicitation": {}}, True, False),
        ({"elicitation": {"form": {}}}, True, False),
        ({"elicitation": {"url": {}}}, False, True),
        ({"elicitation": {"form": {}, "url": {}}}, True, True),
    ],
    ids=["nothing", "as before pages", "forms", "pages", "both"],
)
def test_a_client_is_asked_only_in_the_ways_that_it_knows(says: dict[str, Any], form: bool, page: bool) -> None:
    for version, elicitor in ((OLD, PushedElicitor), (NEW, DeferredElicitor)):
        asks, opens = elicitors_for(client(says, version), "en")
        assert isinstance(asks, elicitor if form else type(None))
        assert isinstance(opens, elicitor if page else type(None))
    assert elicitors_for(client(says, asked=False), "en") == (None, None)


async def test_a_question_that_the_client_fails_to_show_is_no_yes() -> None:
    context = client({"elicitation": {"form": {}, "url": {}}})
    assert await PushedElicitor(context, "en").ask(ConfirmationPrompt("Delete?", None)) == ClientAnswer("failed")
    assert await PushedElicitor(context, "en").open_url(UrlPrompt("id", "http://127.0.0.1/console", "Look")) is False
