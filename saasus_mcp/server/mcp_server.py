"""The MCP server: it lists tools, runs calls through the pipeline, and never sends the text of an unexpected exception."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    SERVER_INFO_META_KEY,
    CallToolRequestParams,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
)
from mcp_types.methods import validate_client_request
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from saasus_mcp import __version__
from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.model import MAX_REASON_LENGTH
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.approval.proof import Destination, describe_destination
from saasus_mcp.saasus import tracing
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server import elicitation
from saasus_mcp.server.apps.app_resources import app_data, shows_apps
from saasus_mcp.server.apps.extension import with_extension
from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.mcp_handlers import McpHandlers, ResolvePrincipal
from saasus_mcp.server.param_errors import explain_missing_handshake, explain_validation_error
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.progress import ProgressReporter
from saasus_mcp.server.results.result_store import PNG_TYPE
from saasus_mcp.server.scheduling.fair_queue import TooManyCalls
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.instructions import server_instructions
from saasus_mcp.server.surface.tool_list import LIST_TOOLS_METHOD, META_PREFIX, ToolListCache
from saasus_mcp.server.surface.tool_surface import ToolSurface

log = logging.getLogger(__name__)

SERVER_NAME = "saasus"
CALL_TOOL_METHOD = "tools/call"
REASON_META_KEY = "saasus.io/reason"
"""The member of `_meta` that carries the reason of a call of an operation's own tool."""
LIST_TTL_MS = 3_600_000
COMPLETED_METHODS = frozenset({LIST_TOOLS_METHOD, "initialize", "server/discover"})
"""Methods whose results this server completes."""


def build_server(
    pipeline: Pipeline, resolve_principal: ResolvePrincipal, language: Language, surface: ToolSurface | None = None
) -> Server[Any]:
    """Return the server, for all protocol versions.

    Args:
        resolve_principal: returns the principal behind a request.
        language: of titles and of texts for people.
        surface: the listed tools. By default, every operation.
    """
    surface = surface or ToolSurface(pipeline, language)

    async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[], ttl_ms=LIST_TTL_MS, cache_scope="private")  # _insert_tools fills it

    async def call_tool(context: Context, params: CallToolRequestParams) -> dict[str, Any] | InputRequiredResult:
        reason, mistake = "", None
        try:
            reason = _stated_reason(params.meta)
        except InvalidArguments as error:
            mistake = error
        progress = ProgressReporter(context)
        elicitor, url_elicitor = elicitation.elicitors_for(context, language, progress)
        call = Call(
            name=params.name,
            arguments=params.arguments or {},
            principal=resolve_principal(context),
            elicitor=elicitor,
            reply=elicitation.elicitation_reply(params),
            url_elicitor=url_elicitor,
            url_answers=elicitation.url_answers(params),
            progress=progress,
            deadline=pipeline.new_deadline(),
            is_cancelled=lambda: _is_cancelled(context),
            reason=reason,
        )
        answer = await (surface.run(call) if mistake is None else pipeline.reject(call, mistake))
        if isinstance(answer, PendingElicitation):
            question = elicitation.input_required_result(answer, language)
            question.meta = {SERVER_INFO_META_KEY: server_info}
            return question
        data = app_data(answer, pipeline.catalogue, params.name) if shows_apps(context) else None
        meta = {} if data is None else {META_PREFIX + "app": data}
        if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            meta[SERVER_INFO_META_KEY] = server_info  # which the SDK would copy for each call
        return call_tool_result(answer, pipeline.destination, context.protocol_version, meta)

    async def answer_call(context: Context, call_next: CallNext) -> HandlerResult:
        """Validate a call and answer it, as the SDK does, which also validates and copies what this server answers.

        The SDK answers it where another handler was registered in place of this server's.
        """
        entry = server.get_request_handler(CALL_TOOL_METHOD)
        if entry is None or entry.handler is not call_tool:
            return await call_next(context)
        validate_client_request(context.method, context.protocol_version, context.params)
        return await call_tool(context, CallToolRequestParams.model_validate(context.params or {}, by_name=False))

    server = Server[Any](
        SERVER_NAME,
        version=__version__,
        title="SaaSus Platform",
        instructions=server_instructions(pipeline.destination, pipeline.policy, surface.kind),
        on_list_tools=list_tools,
        on_call_tool=call_tool,  # type: ignore[arg-type]  # a dict is a result, too (`HandlerResult`)
        get_tool_input_schema=surface.input_schema,
        cache_hints={"tools/list": CacheHint(ttl_ms=LIST_TTL_MS, scope="private")},
        **McpHandlers(pipeline, resolve_principal, language).handlers(),
    )
    server_info = server.server_info_stamp
    if not tracing.has_receiver():  # the SDK's middleware makes spans for nobody; its module is private
        server.middleware[:] = [each for each in server.middleware if type(each).__name__ != "OpenTelemetryMiddleware"]
    server.middleware.append(_guard_requests(pipeline, resolve_principal))
    server.middleware.append(
        _complete_results(
            answer_call, lambda context: surface.list_tools(resolve_principal(context)), ToolListCache(language)
        )
    )
    return server


def _stated_reason(meta: Mapping[str, Any] | None) -> str:
    """Return the reason in the `_meta` of a request, or an empty text.

    Raises:
        InvalidArguments: the reason is not a text, or too long.
    """
    reason = (meta or {}).get(REASON_META_KEY, "")
    if not isinstance(reason, str) or len(reason) > MAX_REASON_LENGTH:
        raise InvalidArguments(("_meta", REASON_META_KEY), message("server.reason_invalid", count=MAX_REASON_LENGTH))
    return reason


def _guard_requests(pipeline: Pipeline, resolve_principal: ResolvePrincipal) -> ServerMiddleware[Any]:
    """Refuse a request of a principal that has too many in progress, and replace an unexpected exception.

    One session can send any number of requests at once. Before 2026-07-28 the SDK sends the text of an exception to the client,
    with any secret in it.
    """

    async def guard(ctx: Context, call_next: CallNext) -> HandlerResult:
        try:
            if ctx.request_id is None:
                return await call_next(ctx)
            with pipeline.call_queue.count_request(resolve_principal(ctx).id):
                return await call_next(ctx)
        except TooManyCalls as error:
            answer = failed_answer(error.message, error.hint)
            if ctx.method == CALL_TOOL_METHOD:
                return call_tool_result(answer, pipeline.destination, ctx.protocol_version)
            raise MCPError(INTERNAL_ERROR, answer.text) from None
        except ValidationError as error:  # a mistake of the client
            raise explain_validation_error(error, ctx.params) from None
        except MCPError as error:
            raise explain_missing_handshake(error) from None
        except Exception:
            log.exception("%s failed with an internal error", ctx.method)
            raise MCPError(INTERNAL_ERROR, "Internal server error; see the server log.") from None

    return guard


def _complete_results(
    answer_call: Callable[[Context, CallNext], Awaitable[HandlerResult]],
    listed: Callable[[Context], Iterable[BuiltinTool | Operation]],
    tools: ToolListCache,
) -> ServerMiddleware[Any]:
    """Answer calls in place of the SDK. Add to other results what the SDK leaves out, after it has serialized the rest.

    A call before the handshake, and a notification of this method, are left to the SDK. `tools/list` gets the tools. A client
    that declares the extension finds it among the capabilities of the server; others get what they always got.
    """

    async def complete(ctx: Context, call_next: CallNext) -> HandlerResult:
        is_call = ctx.method == CALL_TOOL_METHOD and ctx.request_id is not None
        if is_call and ctx.session.client_capabilities is not None:
            return await answer_call(ctx, call_next)
        result = await call_next(ctx)
        if ctx.method not in COMPLETED_METHODS or not isinstance(result, dict):
            return result
        if ctx.method == LIST_TOOLS_METHOD:
            return {**result, "tools": tools.serialize(listed(ctx), ctx.protocol_version, apps=shows_apps(ctx))}
        return {**result, "capabilities": with_extension(result["capabilities"])} if shows_apps(ctx) else result

    return complete


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
