"""How a question reaches the person: pushed to the client before protocol 2026-07-28, returned to it since."""

from __future__ import annotations

from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
)
from pydantic import ValidationError

from saasus_mcp.catalog import Language
from saasus_mcp.permissions.confirmation import FIELD_NAME, FIELD_YES, Answer, Prompt, Reply
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.wording import WORDS
from saasus_mcp.server.call import Asker, Asking, Progress, Usher, Visit, untold
from saasus_mcp.server.progress import while_asked
from saasus_mcp.server.turns import waiting

Context = ServerRequestContext[Any, Any]
MODERN = "2026-07-28"
KEY = "confirm"
MISSHAPEN = -32010
"""Code of the error that stands for a response of the client which cannot be read; MCP leaves -32000 to -32019 free."""
VISIT = "visit-"
UNREADABLE = (
    (
        "Not done: the client's response to the question is not an elicitation result, an object with the `action` accept, "
        "decline or cancel, and with `content` for accept."
    ),
    "Tell the person that this client cannot confirm the call, and why.",
)
FAILURES = (MCPError, ValidationError)
"""How a client fails to show something: by an error, or by an answer that is none."""


class Pushed:
    """Sends the question at once and waits for the answer (protocols before 2026-07-28)."""

    def __init__(self, context: Context, language: Language, progress: Progress = untold) -> None:
        self._context = context
        self._language = language
        self._progress = progress

    async def ask(self, question: Prompt) -> Answer | None:
        """The client's answer; where it failed to show the question, that it failed.

        Raises:
            Refused: its response cannot be read.
        """
        schema, misshapen = form(question, self._language), False

        async def elicited() -> ElicitResult:
            nonlocal misshapen
            try:
                return await self._context.session.elicit_form(
                    question.message, schema, related_request_id=self._context.request_id
                )
            except FAILURES as failed:
                misshapen = isinstance(failed, ValidationError) or failed.error.code == MISSHAPEN
                raise

        async with waiting():
            result = await while_asked(self._progress, elicited, FAILURES)
        if misshapen:
            raise Refused("declined", *UNREADABLE)
        return Answer("failed") if result is None else Answer(result.action, result.content or {})


class Returned:
    """Leaves the question to the answer of the call; the person's answer comes with the next one (2026-07-28)."""

    async def ask(self, question: Prompt) -> Answer | None:
        """None: not yet."""
        return None


def asker(context: Context, language: Language, progress: Progress = untold) -> Asker | None:
    """How this client can ask its person; None where it cannot."""
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return None
    if context.protocol_version >= MODERN:
        return Returned()
    return Pushed(context, language, progress) if context.session.can_send_request else None


class PushedVisit:
    """Sends the address at once (protocols before 2026-07-28)."""

    def __init__(self, context: Context, progress: Progress = untold) -> None:
        self._context = context
        self._progress = progress

    async def show(self, visit: Visit) -> bool | None:
        """Whether the person let it be opened; a client that fails at it counts as no."""

        async def elicited() -> ElicitResult:
            return await self._context.session.elicit_url(
                visit.message, visit.url, visit.id, related_request_id=self._context.request_id
            )

        async with waiting():
            result = await while_asked(self._progress, elicited, FAILURES)
        return result is not None and result.action == "accept"


class ReturnedVisit:
    """Leaves the address to the answer of the call (2026-07-28)."""

    async def show(self, visit: Visit) -> bool | None:
        """None: not yet known."""
        return None


def usher(context: Context, progress: Progress = untold) -> Usher | None:
    """How this client can send its person to a page; None where it cannot."""
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if elicitation is None or elicitation.url is None:
        return None
    if context.protocol_version >= MODERN:
        return ReturnedVisit()
    return PushedVisit(context, progress) if context.session.can_send_request else None


def visited(params: CallToolRequestParams) -> dict[str, bool]:
    """What became of the visits that a call answers."""
    given = params.input_responses or {}
    return {
        key.removeprefix(VISIT): answer.action == "accept"
        for key, answer in given.items()
        if key.startswith(VISIT) and isinstance(answer, ElicitResult)
    }


def reply(params: CallToolRequestParams) -> Reply | None:
    """The answer that a client says a person gave, where the call carries one."""
    given = (params.input_responses or {}).get(KEY)
    if not isinstance(given, ElicitResult):
        return None
    return Reply(Answer(given.action, given.content or {}), params.request_state)


def returned(asking: Asking, language: Language) -> InputRequiredResult:
    """The question, or the page to open, as the answer of a call."""
    if asking.visit is not None:
        page = ElicitRequestURLParams(message=asking.visit.message, url=asking.visit.url)
        return InputRequiredResult(input_requests={VISIT + asking.visit.id: ElicitRequest(params=page)})
    params = ElicitRequestFormParams(message=asking.question.message, requested_schema=form(asking.question, language))
    return InputRequiredResult(input_requests={KEY: ElicitRequest(params=params)}, request_state=asking.state)


def form(question: Prompt, language: Language) -> dict[str, Any]:
    """The form of a question: the target's name to type, or a plain yes."""
    words = WORDS[language]
    if question.name is None:
        fields: dict[str, Any] = {FIELD_YES: {"type": "boolean", "title": words["field_confirm"]}}
    else:
        fields = {FIELD_NAME: {"type": "string", "title": words["field_name"], "maxLength": 200}}
    return {"type": "object", "properties": fields, "required": list(fields)}
