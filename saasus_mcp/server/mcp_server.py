"""The MCP server: it joins handlers and middleware, and never sends the text of an unexpected exception."""

from __future__ import annotations

import logging
from typing import Any

from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR
from pydantic import ValidationError

from saasus_mcp.common.language import Language
from saasus_mcp.saasus import tracing
from saasus_mcp.saasus.tool_answer import failed_answer
from saasus_mcp.server.apps.app_resources import shows_apps
from saasus_mcp.server.apps.extension import with_extension
from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.offer_handlers import OfferHandlers, ResolvePrincipal
from saasus_mcp.server.param_errors import explain_missing_handshake, explain_validation_error
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.scheduling.fair_queue import TooManyCalls
from saasus_mcp.server.surface.instructions import server_instructions
from saasus_mcp.server.surface.tool_list import LIST_TOOLS_METHOD, ToolListCache
from saasus_mcp.server.surface.tool_surface import ToolSurface
from saasus_mcp.server.tool_handlers import LIST_TTL_MS, SERVER_INFO, ToolHandlers, call_tool_result

log = logging.getLogger(__name__)

CALL_TOOL_METHOD = "tools/call"
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
    tools = ToolHandlers(pipeline, resolve_principal, language, surface)
    server = Server[Any](
        SERVER_INFO["name"],
        version=SERVER_INFO["version"],
        title=SERVER_INFO["title"],
        instructions=server_instructions(pipeline.destination, pipeline.policy, surface.kind),
        on_list_tools=tools.list_tools,
        on_call_tool=tools.call_tool,  # type: ignore[arg-type]  # a dict is a result, too (`HandlerResult`)
        get_tool_input_schema=surface.input_schema,
        cache_hints={"tools/list": CacheHint(ttl_ms=LIST_TTL_MS, scope="private")},
        **OfferHandlers(pipeline, resolve_principal, language).handlers(),
    )
    if not tracing.has_receiver():  # the SDK's middleware makes spans for nobody; its module is private
        server.middleware[:] = [each for each in server.middleware if type(each).__name__ != "OpenTelemetryMiddleware"]
    server.middleware.append(_guard_requests(pipeline, resolve_principal))
    server.middleware.append(_answer_tool_requests(server, tools, ToolListCache(language)))
    return server


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


def _answer_tool_requests(server: Server[Any], tools: ToolHandlers, cache: ToolListCache) -> ServerMiddleware[Any]:
    """Answer calls in place of the SDK. Add to other results what the SDK leaves out, after it has serialized the rest.

    The SDK answers a call before the handshake, a notification of this method, and a call for which another handler was registered
    in place of this server's. `tools/list` gets the tools. A client that declares the extension finds it among the capabilities
    of the server; others get what they always got.
    """
    own_handler = tools.call_tool

    async def complete(ctx: Context, call_next: CallNext) -> HandlerResult:
        is_call = ctx.method == CALL_TOOL_METHOD and ctx.request_id is not None
        if is_call and ctx.session.client_capabilities is not None:
            entry = server.get_request_handler(CALL_TOOL_METHOD)
            if entry is not None and entry.handler == own_handler:
                return await tools.validate_and_call(ctx)
        result = await call_next(ctx)
        if ctx.method not in COMPLETED_METHODS or not isinstance(result, dict):
            return result
        if ctx.method == LIST_TOOLS_METHOD:
            return {
                **result,
                "tools": cache.serialize(tools.listed(ctx), ctx.protocol_version, apps=shows_apps(ctx)),
            }
        return {**result, "capabilities": with_extension(result["capabilities"])} if shows_apps(ctx) else result

    return complete
