"""Questions to the person behind a client: pushed before protocol 2026-07-28, returned as the answer of the call since then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
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
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.approval.confirmation import (
    FIELD_NAME,
    FIELD_YES,
    ClientAnswer,
    ConfirmationPrompt,
    ConfirmationReply,
)
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.server.pipeline.call import (
    DeferredElicitor,
    Elicitor,
    PendingElicitation,
    Progress,
    UrlElicitor,
    UrlPrompt,
    no_progress,
)
from saasus_mcp.server.progress import report_while_waiting
from saasus_mcp.server.scheduling.processor_turns import release_turn

Context = ServerRequestContext[Any, Any]
DEFERRED_PROTOCOL = "2026-07-28"
CONFIRM_KEY = "confirm"
INVALID_RESPONSE_CODE = -32010
"""The code of the error that replaces an unreadable response of the client. MCP leaves -32000 to -32019 free."""
URL_KEY_PREFIX = "visit-"
ELICITATION_FAILURES = (MCPError, ValidationError)
"""The failures of a client: an error, or a response of the wrong shape."""


class PushedElicitor:
    """Sends a question or an address at once and waits for the answer (protocols before 2026-07-28)."""

    def __init__(self, context: Context, language: Language, progress: Progress = no_progress) -> None:
        self._context = context
        self._language = language
        self._progress = progress

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        """Return the client's answer, which may be that it could not show the question.

        Raises:
            CallRefused: the response cannot be read.
        """
        schema, is_invalid = elicitation_form(question, self._language), False

        async def elicit() -> ElicitResult:
            nonlocal is_invalid
            try:
                return await self._context.session.elicit_form(
                    question.message, schema, related_request_id=self._context.request_id
                )
            except ELICITATION_FAILURES as error:
                is_invalid = isinstance(error, ValidationError) or error.error.code == INVALID_RESPONSE_CODE
                raise

        result = await self._wait(elicit)
        if is_invalid:
            raise CallRefused.because(Reason.DECLINED, "server.invalid_response")
        return ClientAnswer("failed") if result is None else ClientAnswer(result.action, result.content or {})

    async def open_url(self, prompt: UrlPrompt) -> bool | None:
        """Return whether the person opened the page. A failure of the client counts as no."""
        elicit = partial(self._context.session.elicit_url, prompt.message, prompt.url, prompt.id)
        result = await self._wait(lambda: elicit(related_request_id=self._context.request_id))
        return result is not None and result.action == "accept"

    async def _wait(self, elicit: Callable[[], Awaitable[ElicitResult]]) -> ElicitResult | None:
        async with release_turn():
            return await report_while_waiting(self._progress, elicit, ELICITATION_FAILURES)


def elicitors_for(
    context: Context, language: Language, progress: Progress = no_progress
) -> tuple[Elicitor | None, UrlElicitor | None]:
    """Return how this client can ask its person and open a page. None if it cannot."""
    capabilities = context.session.client_capabilities
    declared = capabilities.elicitation if capabilities else None
    if declared is None:
        return None, None
    elicitor: PushedElicitor | DeferredElicitor
    if context.protocol_version >= DEFERRED_PROTOCOL:
        elicitor = DeferredElicitor()
    elif context.session.can_send_request:
        elicitor = PushedElicitor(context, language, progress)
    else:
        return None, None
    has_url = declared.url is not None
    has_form = declared.form is not None or not has_url
    return elicitor if has_form else None, elicitor if has_url else None


def url_answers(params: CallToolRequestParams) -> dict[str, bool]:
    """Return whether the person opened each page, by id of the prompt, as far as the call carries answers."""
    if not params.input_responses:
        return {}
    return {
        key.removeprefix(URL_KEY_PREFIX): answer.action == "accept"
        for key, answer in params.input_responses.items()
        if key.startswith(URL_KEY_PREFIX) and isinstance(answer, ElicitResult)
    }


def elicitation_reply(params: CallToolRequestParams) -> ConfirmationReply | None:
    """Return the person's answer that the call carries, or None."""
    response = (params.input_responses or {}).get(CONFIRM_KEY)
    if not isinstance(response, ElicitResult):
        return None
    return ConfirmationReply(ClientAnswer(response.action, response.content or {}), params.request_state)


def input_required_result(asking: PendingElicitation, language: Language) -> InputRequiredResult:
    """Return the question, or the page to open, as the result of a call."""
    if asking.url_prompt is not None:
        page = ElicitRequestURLParams(message=asking.url_prompt.message, url=asking.url_prompt.url)
        return InputRequiredResult(input_requests={URL_KEY_PREFIX + asking.url_prompt.id: ElicitRequest(params=page)})
    params = ElicitRequestFormParams(
        message=asking.prompt.message, requested_schema=elicitation_form(asking.prompt, language)
    )
    return InputRequiredResult(input_requests={CONFIRM_KEY: ElicitRequest(params=params)}, request_state=asking.state)


def elicitation_form(question: ConfirmationPrompt, language: Language) -> dict[str, Any]:
    """Return the form of a question: a field for the target's name, or a checkbox."""
    if question.name is None:
        fields: dict[str, Any] = {
            FIELD_YES: {"type": "boolean", "title": message("server.field_confirm").text(language)}
        }
    else:
        fields = {
            FIELD_NAME: {"type": "string", "title": message("server.field_name").text(language), "maxLength": 200}
        }
    return {"type": "object", "properties": fields, "required": list(fields)}
