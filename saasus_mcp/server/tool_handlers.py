"""The SDK's handlers for tools: they list them, and turn a request into a call and its answer into a result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from mcp.types import (
    SERVER_INFO_META_KEY,
    CallToolRequestParams,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
)
from mcp_types.methods import validate_client_request
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from saasus_mcp import __version__
from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.model import MAX_REASON_LENGTH
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.approval.proof import Destination, describe_destination
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server import elicitation
from saasus_mcp.server.apps.app_resources import app_data, shows_apps
from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.offer_handlers import ResolvePrincipal
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.progress import ProgressReporter
from saasus_mcp.server.results.result_store import PNG_TYPE
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.tool_list import META_PREFIX
from saasus_mcp.server.surface.tool_surface import ToolSurface

SERVER_INFO = {"name": "saasus", "title": "SaaSus Platform", "version": __version__}
"""What the server says of itself, as the protocol names it."""
REASON_META_KEY = "saasus.io/reason"
"""The member of `_meta` that carries the reason of a call of an operation's own tool."""
LIST_TTL_MS = 3_600_000


class ToolHandlers:
    """The handlers of one server.

    Args:
        resolve_principal: returns the principal behind a request.
        language: of texts for people.
        surface: the listed tools.
    """

    def __init__(
        self, pipeline: Pipeline, resolve_principal: ResolvePrincipal, language: Language, surface: ToolSurface
    ) -> None:
        self._pipeline = pipeline
        self._resolve_principal = resolve_principal
        self._language: Language = language
        self._surface = surface

    def listed(self, context: Context) -> Iterable[BuiltinTool | Operation]:
        """Return the tools that a client sees."""
        return self._surface.list_tools(self._resolve_principal(context))

    async def list_tools(self, _: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        """Return a list without tools, which the server's middleware adds after the SDK has serialized the rest."""
        return ListToolsResult(tools=[], ttl_ms=LIST_TTL_MS, cache_scope="private")

    async def validate_and_call(self, context: Context) -> dict[str, Any] | InputRequiredResult:
        """Validate a request as the SDK does, and answer it. The SDK would also validate and copy the answer.

        Raises:
            ValidationError: the request is not a call of a tool.
        """
        validate_client_request(context.method, context.protocol_version, context.params)
        params = CallToolRequestParams.model_validate(context.params or {}, by_name=False)
        return await self.call_tool(context, params)

    async def call_tool(self, context: Context, params: CallToolRequestParams) -> dict[str, Any] | InputRequiredResult:
        """Answer a call, or return the question to the person behind the client."""
        pipeline = self._pipeline
        reason, mistake = "", None
        try:
            reason = _stated_reason(params.meta)
        except InvalidArguments as error:
            mistake = error
        call = self._call(context, params, reason)
        answer = await (self._surface.run(call) if mistake is None else pipeline.reject(call, mistake))
        if isinstance(answer, PendingElicitation):
            question = elicitation.input_required_result(answer, self._language)
            question.meta = {SERVER_INFO_META_KEY: SERVER_INFO}
            return question
        data = app_data(answer, pipeline.catalogue, params.name) if shows_apps(context) else None
        meta: dict[str, Any] = {} if data is None else {META_PREFIX + "app": data}
        if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            meta[SERVER_INFO_META_KEY] = SERVER_INFO  # which the SDK would copy for each call
        return call_tool_result(answer, pipeline.destination, context.protocol_version, meta)

    def _call(self, context: Context, params: CallToolRequestParams, reason: str) -> Call:
        progress = ProgressReporter(context)
        elicitor, url_elicitor = elicitation.elicitors_for(context, self._language, progress)
        return Call(
            name=params.name,
            arguments=params.arguments or {},
            principal=self._resolve_principal(context),
            elicitor=elicitor,
            reply=elicitation.elicitation_reply(params),
            url_elicitor=url_elicitor,
            url_answers=elicitation.url_answers(params),
            progress=progress,
            deadline=self._pipeline.new_deadline(),
            is_cancelled=lambda: _is_cancelled(context),
            reason=reason,
        )


def _stated_reason(meta: Mapping[str, Any] | None) -> str:
    """Return the reason in the `_meta` of a request, or an empty text.

    Raises:
        InvalidArguments: the reason is not a text, or too long.
    """
    reason = (meta or {}).get(REASON_META_KEY, "")
    if not isinstance(reason, str) or len(reason) > MAX_REASON_LENGTH:
        raise InvalidArguments(("_meta", REASON_META_KEY), message("server.reason_invalid", count=MAX_REASON_LENGTH))
    return reason


def _is_cancelled(context: Context) -> bool:
    """Return whether the client cancelled its request. The SDK reports this only to middleware; a handler just ends."""
    cancelled = getattr(context.session._request_outbound, "cancel_requested", None)  # noqa: SLF001 - see above
    return cancelled is not None and cancelled.is_set()


def call_tool_result(
    answer: ToolAnswer, destination: Destination, version: str, meta: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Return an answer as a version of MCP writes it: the text, the destination, and the picture if there is one.

    Args:
        meta: more members of `_meta`.
    """
    origin = describe_destination(destination, "en") + (f", trace id: {answer.trace_id}" if answer.trace_id else "")
    content = [_text(answer.text), _text(f"[{origin}]")]
    if answer.figure is not None:
        picture = {"type": "image", "data": answer.figure.png, "mimeType": PNG_TYPE}
        content.append(picture if answer.figure.png else _text(answer.figure.text))
    result = {
        "_meta": {
            META_PREFIX + "saas_id": destination.saas_id,
            META_PREFIX + "profile": destination.profile,
            META_PREFIX + "trace_id": answer.trace_id,
            META_PREFIX + "applied": str(answer.applied),
            **meta,
        },
        "content": content,
        "isError": not answer.ok,
    }
    if version in MODERN_PROTOCOL_VERSIONS:
        result["resultType"] = "complete"
    if answer.structured is not None:
        result["structuredContent"] = answer.structured
    return result


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}
