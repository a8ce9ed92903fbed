"""The low-level MCP server: lists tools, runs calls through the pipeline, lets no exception text out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    ImageContent,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
)
from pydantic import ValidationError

from saasus_mcp import __version__
from saasus_mcp.catalog import Operation
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.proof import Destination, describe_destination
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server import elicitation
from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.mcp_handlers import McpHandlers, ResolvePrincipal
from saasus_mcp.server.param_errors import explain_missing_handshake, explain_validation_error
from saasus_mcp.server.pipeline import stated_reason
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.progress import ProgressReporter
from saasus_mcp.server.results.result_store import PNG_TYPE
from saasus_mcp.server.scheduling.fair_queue import TooManyCalls
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.instructions import server_instructions
from saasus_mcp.server.surface.tool_list import LIST_TOOLS_METHOD, META_PREFIX, ToolListCache
from saasus_mcp.server.surface.tool_surface import ToolSurface

__all__ = ["ResolvePrincipal", "build_server", "call_tool_result"]

log = logging.getLogger(__name__)

SERVER_NAME = "saasus"
LIST_TTL_MS = 3_600_000


def build_server(
    pipeline: Pipeline, who: ResolvePrincipal, language: Language, surface: ToolSurface | None = None
) -> Server[Any]:
    """The server, for both protocol eras.

    Args:
        who: the principal behind a request.
        language: of titles and of what people read.
        surface: which tools are listed; every operation where left out.
    """
    shown = surface or ToolSurface(pipeline, language)

    async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[], ttl_ms=LIST_TTL_MS, cache_scope="private")  # _with_tools fills it

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        progress = ProgressReporter(context)
        call = Call(
            name=params.name,
            arguments=params.arguments or {},
            principal=who(context),
            elicitor=elicitation.elicitor_for(context, language, progress),
            reply=elicitation.elicitation_reply(params),
            url_elicitor=elicitation.url_elicitor_for(context, progress),
            url_answers=elicitation.url_answers(params),
            progress=progress,
            is_cancelled=lambda: _taken_back(context),
        )
        try:
            call = replace(call, reason=stated_reason.reason_from_meta(params.meta))
        except InvalidArguments as error:
            return call_tool_result(await pipeline.reject(call, error), pipeline.destination)
        given = await shown.run(call)
        return (
            elicitation.input_required_result(given, language)
            if isinstance(given, PendingElicitation)
            else call_tool_result(given, pipeline.destination)
        )

    server = Server[Any](
        SERVER_NAME,
        version=__version__,
        title="SaaSus Platform",
        instructions=server_instructions(pipeline.destination, pipeline.policy, shown.kind),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=shown.input_schema,
        cache_hints={"tools/list": CacheHint(ttl_ms=LIST_TTL_MS, scope="private")},
        **McpHandlers(pipeline, who, language).handlers(),
    )
    server.middleware.append(_saying_nothing)
    server.middleware.append(_within_share(pipeline, who))
    server.middleware.append(_with_tools(lambda context: shown.list_tools(who(context)), ToolListCache(language)))
    return server


async def _saying_nothing(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Before 2026-07-28 the SDK would send the text of any exception to the client, secrets included."""
    try:
        return await call_next(ctx)
    except ValidationError as error:  # the client's own mistakes
        raise explain_validation_error(error, ctx.params) from None
    except MCPError as error:
        raise explain_missing_handshake(error) from None
    except Exception:
        log.exception("%s failed with an internal error", ctx.method)
        raise MCPError(INTERNAL_ERROR, "Internal server error; see the server log.") from None


def _within_share(pipeline: Pipeline, who: ResolvePrincipal) -> ServerMiddleware[Any]:
    """Refuse a request of a principal that has too many under way: one session may send any number without an answer."""

    async def within(ctx: Context, call_next: CallNext) -> HandlerResult:
        if ctx.request_id is None:
            return await call_next(ctx)
        try:
            with pipeline.call_queue.count_request(who(ctx).id):
                return await call_next(ctx)
        except TooManyCalls as busy:
            given = failed_answer(busy.message, busy.hint)
            if ctx.method == "tools/call":
                return call_tool_result(given, pipeline.destination)
            raise MCPError(INTERNAL_ERROR, given.text) from None

    return within


def _with_tools(
    listed: Callable[[Context], Iterable[BuiltinTool | Operation]], tools: ToolListCache
) -> ServerMiddleware[Any]:
    """Put the tools into a result of `tools/list` after the SDK has checked the request and serialized the rest."""

    async def filled(ctx: Context, call_next: CallNext) -> HandlerResult:
        given = await call_next(ctx)
        if ctx.method == LIST_TOOLS_METHOD and isinstance(given, dict):
            return {**given, "tools": tools.serialize(listed(ctx), ctx.protocol_version)}
        return given

    return filled


def _taken_back(context: Context) -> bool:
    """Whether the client cancelled its request. The SDK tells it to middleware alone; a handler just ends."""
    asked = getattr(context.session._request_outbound, "cancel_requested", None)  # noqa: SLF001 - see above
    return asked is not None and asked.is_set()


def call_tool_result(given: ToolAnswer, place: Destination) -> CallToolResult:
    """An answer on the wire: the answer first, then where it comes from, then what there is to look at."""
    touched = describe_destination(place, "en") + (f", trace id: {given.trace_id}" if given.trace_id else "")
    content: list[ContentBlock] = [TextContent(text=given.text), TextContent(text=f"[{touched}]")]
    if given.figure is not None:
        content.append(
            ImageContent(data=given.figure.png, mime_type=PNG_TYPE)
            if given.figure.png
            else TextContent(text=given.figure.text)
        )
    return CallToolResult(
        content=content,
        structured_content=given.structured,
        is_error=not given.ok,
        _meta={
            META_PREFIX + "saas_id": place.saas_id,
            META_PREFIX + "profile": place.profile,
            META_PREFIX + "trace_id": given.trace_id,
            META_PREFIX + "applied": given.applied,
        },
    )
