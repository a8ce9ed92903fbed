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

from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.confirmation import (
    FIELD_NAME,
    FIELD_YES,
    ClientAnswer,
    ConfirmationPrompt,
    ConfirmationReply,
)
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.wording import WORDS
from saasus_mcp.server.pipeline.call import Elicitor, PendingElicitation, Progress, UrlElicitor, UrlPrompt, no_progress
from saasus_mcp.server.progress import report_while_waiting
from saasus_mcp.server.scheduling.processor_turns import release_turn

Context = ServerRequestContext[Any, Any]
MRTR_PROTOCOL = "2026-07-28"
CONFIRM_KEY = "confirm"
INVALID_RESPONSE_CODE = -32010
"""Code of the error that stands for a response of the client which cannot be read; MCP leaves -32000 to -32019 free."""
URL_KEY_PREFIX = "visit-"
INVALID_RESPONSE = (
    (
        "Not done: the client's response to the question is not an elicitation result, an object with the `action` accept, "
        "decline or cancel, and with `content` for accept."
    ),
    "Tell the person that this client cannot confirm the call, and why.",
)
ELICITATION_FAILURES = (MCPError, ValidationError)
"""How a client fails to show something: by an error, or by an answer that is none."""


class PushedElicitor:
    """Sends the question at once and waits for the answer (protocols before 2026-07-28)."""

    def __init__(self, context: Context, language: Language, progress: Progress = no_progress) -> None:
        self._context = context
        self._language = language
        self._progress = progress

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        """The client's answer; where it failed to show the question, that it failed.

        Raises:
            Refused: its response cannot be read.
        """
        schema, misshapen = elicitation_form(question, self._language), False

        async def elicited() -> ElicitResult:
            nonlocal misshapen
            try:
                return await self._context.session.elicit_form(
                    question.message, schema, related_request_id=self._context.request_id
                )
            except ELICITATION_FAILURES as failed:
                misshapen = isinstance(failed, ValidationError) or failed.error.code == INVALID_RESPONSE_CODE
                raise

        async with release_turn():
            result = await report_while_waiting(self._progress, elicited, ELICITATION_FAILURES)
        if misshapen:
            raise CallRefused(Reason.DECLINED, *INVALID_RESPONSE)
        return ClientAnswer("failed") if result is None else ClientAnswer(result.action, result.content or {})


class DeferredElicitor:
    """Leaves the question to the answer of the call; the person's answer comes with the next one (2026-07-28)."""

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        """None: not yet."""
        return None


def elicitor_for(context: Context, language: Language, progress: Progress = no_progress) -> Elicitor | None:
    """How this client can ask its person; None where it cannot."""
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return None
    if context.protocol_version >= MRTR_PROTOCOL:
        return DeferredElicitor()
    return PushedElicitor(context, language, progress) if context.session.can_send_request else None


class PushedUrlElicitor:
    """Sends the address at once (protocols before 2026-07-28)."""

    def __init__(self, context: Context, progress: Progress = no_progress) -> None:
        self._context = context
        self._progress = progress

    async def open_url(self, visit: UrlPrompt) -> bool | None:
        """Whether the person let it be opened; a client that fails at it counts as no."""

        async def elicited() -> ElicitResult:
            return await self._context.session.elicit_url(
                visit.message, visit.url, visit.id, related_request_id=self._context.request_id
            )

        async with release_turn():
            result = await report_while_waiting(self._progress, elicited, ELICITATION_FAILURES)
        return result is not None and result.action == "accept"


class DeferredUrlElicitor:
    """Leaves the address to the answer of the call (2026-07-28)."""

    async def open_url(self, visit: UrlPrompt) -> bool | None:
        """None: not yet known."""
        return None


def url_elicitor_for(context: Context, progress: Progress = no_progress) -> UrlElicitor | None:
    """How this client can send its person to a page; None where it cannot."""
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if elicitation is None or elicitation.url is None:
        return None
    if context.protocol_version >= MRTR_PROTOCOL:
        return DeferredUrlElicitor()
    return PushedUrlElicitor(context, progress) if context.session.can_send_request else None


def url_answers(params: CallToolRequestParams) -> dict[str, bool]:
    """What became of the visits that a call answers."""
    given = params.input_responses or {}
    return {
        key.removeprefix(URL_KEY_PREFIX): answer.action == "accept"
        for key, answer in given.items()
        if key.startswith(URL_KEY_PREFIX) and isinstance(answer, ElicitResult)
    }


def elicitation_reply(params: CallToolRequestParams) -> ConfirmationReply | None:
    """The answer that a client says a person gave, where the call carries one."""
    given = (params.input_responses or {}).get(CONFIRM_KEY)
    if not isinstance(given, ElicitResult):
        return None
    return ConfirmationReply(ClientAnswer(given.action, given.content or {}), params.request_state)


def input_required_result(asking: PendingElicitation, language: Language) -> InputRequiredResult:
    """The question, or the page to open, as the answer of a call."""
    if asking.url_prompt is not None:
        page = ElicitRequestURLParams(message=asking.url_prompt.message, url=asking.url_prompt.url)
        return InputRequiredResult(input_requests={URL_KEY_PREFIX + asking.url_prompt.id: ElicitRequest(params=page)})
    params = ElicitRequestFormParams(
        message=asking.prompt.message, requested_schema=elicitation_form(asking.prompt, language)
    )
    return InputRequiredResult(input_requests={CONFIRM_KEY: ElicitRequest(params=params)}, request_state=asking.state)


def elicitation_form(question: ConfirmationPrompt, language: Language) -> dict[str, Any]:
    """The form of a question: the target's name to type, or a plain yes."""
    words = WORDS[language]
    if question.name is None:
        fields: dict[str, Any] = {FIELD_YES: {"type": "boolean", "title": words["field_confirm"]}}
    else:
        fields = {FIELD_NAME: {"type": "string", "title": words["field_name"], "maxLength": 200}}
    return {"type": "object", "properties": fields, "required": list(fields)}
