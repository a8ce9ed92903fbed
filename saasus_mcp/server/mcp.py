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
from saasus_mcp.catalog import Language, Operation
from saasus_mcp.permissions.proof import Place, where
from saasus_mcp.saasus.answer import ToolAnswer, failed
from saasus_mcp.saasus.places import InvalidArguments
from saasus_mcp.server import asking, reason
from saasus_mcp.server.asking import Context
from saasus_mcp.server.call import Asking, Call
from saasus_mcp.server.fair_queue import Busy
from saasus_mcp.server.instructions import instructions
from saasus_mcp.server.offering import Offering, Who
from saasus_mcp.server.own import OwnTool
from saasus_mcp.server.params import before_handshake, explained
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.server.progress import Reporter
from saasus_mcp.server.results import PNG
from saasus_mcp.server.surface import Surface
from saasus_mcp.server.tool_list import METHOD, ToolList
from saasus_mcp.server.tools import META

__all__ = ["Who", "build", "result"]

log = logging.getLogger(__name__)

NAME = "saasus"
LIST_TTL_MS = 3_600_000


def build(pipeline: Pipeline, who: Who, language: Language, surface: Surface | None = None) -> Server[Any]:
    """The server, for both protocol eras.

    Args:
        who: the principal behind a request.
        language: of titles and of what people read.
        surface: which tools are listed; every operation where left out.
    """
    shown = surface or Surface(pipeline, language)

    async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[], ttl_ms=LIST_TTL_MS, cache_scope="private")  # _with_tools fills it

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        progress = Reporter(context)
        call = Call(
            name=params.name,
            arguments=params.arguments or {},
            principal=who(context),
            asker=asking.asker(context, language, progress),
            reply=asking.reply(params),
            usher=asking.usher(context, progress),
            visited=asking.visited(params),
            progress=progress,
            taken_back=lambda: _taken_back(context),
        )
        try:
            call = replace(call, reason=reason.of_meta(params.meta))
        except InvalidArguments as error:
            return result(await pipeline.refused(call, error), pipeline.place)
        given = await shown.run(call)
        return asking.returned(given, language) if isinstance(given, Asking) else result(given, pipeline.place)

    server = Server[Any](
        NAME,
        version=__version__,
        title="SaaSus Platform",
        instructions=instructions(pipeline.place, pipeline.policy, shown.kind),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=shown.input_schema,
        cache_hints={"tools/list": CacheHint(ttl_ms=LIST_TTL_MS, scope="private")},
        **Offering(pipeline, who, language).handlers(),
    )
    server.middleware.append(_saying_nothing)
    server.middleware.append(_within_share(pipeline, who))
    server.middleware.append(_with_tools(lambda context: shown.listed(who(context)), ToolList(language)))
    return server


async def _saying_nothing(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Before 2026-07-28 the SDK would send the text of any exception to the client, secrets included."""
    try:
        return await call_next(ctx)
    except ValidationError as error:  # the client's own mistakes
        raise explained(error, ctx.params) from None
    except MCPError as error:
        raise before_handshake(error) from None
    except Exception:
        log.exception("%s failed with an internal error", ctx.method)
        raise MCPError(INTERNAL_ERROR, "Internal server error; see the server log.") from None


def _within_share(pipeline: Pipeline, who: Who) -> ServerMiddleware[Any]:
    """Refuse a request of a principal that has too many under way: one session may send any number without an answer."""

    async def within(ctx: Context, call_next: CallNext) -> HandlerResult:
        if ctx.request_id is None:
            return await call_next(ctx)
        try:
            with pipeline.calls.request(who(ctx).id):
                return await call_next(ctx)
        except Busy as busy:
            given = failed(busy.message, busy.mend)
            if ctx.method == "tools/call":
                return result(given, pipeline.place)
            raise MCPError(INTERNAL_ERROR, given.text) from None

    return within


def _with_tools(listed: Callable[[Context], Iterable[OwnTool | Operation]], tools: ToolList) -> ServerMiddleware[Any]:
    """Put the tools into a result of `tools/list` after the SDK has checked the request and serialized the rest."""

    async def filled(ctx: Context, call_next: CallNext) -> HandlerResult:
        given = await call_next(ctx)
        if ctx.method == METHOD and isinstance(given, dict):
            return {**given, "tools": tools.serialized(listed(ctx), ctx.protocol_version)}
        return given

    return filled


def _taken_back(context: Context) -> bool:
    """Whether the client cancelled its request. The SDK tells it to middleware alone; a handler just ends."""
    asked = getattr(context.session._request_outbound, "cancel_requested", None)  # noqa: SLF001 - see above
    return asked is not None and asked.is_set()


def result(given: ToolAnswer, place: Place) -> CallToolResult:
    """An answer on the wire: the answer first, then where it comes from, then what there is to look at."""
    touched = where(place, "en") + (f", trace id: {given.trace_id}" if given.trace_id else "")
    content: list[ContentBlock] = [TextContent(text=given.text), TextContent(text=f"[{touched}]")]
    if given.figure is not None:
        content.append(
            ImageContent(data=given.figure.png, mime_type=PNG)
            if given.figure.png
            else TextContent(text=given.figure.text)
        )
    return CallToolResult(
        content=content,
        structured_content=given.structured,
        is_error=not given.ok,
        _meta={
            META + "saas_id": place.saas_id,
            META + "profile": place.profile,
            META + "trace_id": given.trace_id,
            META + "applied": given.applied,
        },
    )
