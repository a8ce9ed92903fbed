"""The fixtures of the suite over the server of the product. Calls of other names reach the product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.context import CallNext, HandlerResult
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, PromptsListChanged, ToolsListChanged
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    GetPromptRequestParams,
    PaginatedRequestParams,
    PromptReference,
    ReadResourceRequestParams,
    SetLevelRequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    Tool,
    UnsubscribeRequestParams,
)

from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.surface.tool_list import LIST_TOOLS_METHOD
from tests.conformance import client_requests
from tests.conformance.fixtures import (
    ANSWERS,
    BUSY,
    PROMPTS,
    RESOURCES,
    SCHEMAS,
    TEMPLATES,
    Run,
    prompt,
    resource,
    tool_result,
)

NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}


def add_fixtures(server: Server[Any]) -> Server[Any]:
    """Add the fixtures to a server."""
    bus = InMemorySubscriptionBus()
    tools = _tools(bus)
    schemas = {name: SCHEMAS.get(name, NO_ARGUMENTS) for name in tools}
    _list_more_tools(server, [_tool(name, schema) for name, schema in schemas.items()])
    _list_more(server, "prompts/list", "prompts", [*PROMPTS, client_requests.PROMPT])
    _list_more(server, "resources/list", "resources", RESOURCES)
    _list_more(server, "resources/templates/list", "resource_templates", TEMPLATES)
    _call_first(server, tools)
    _answer_first(server)
    _say_that_lists_change(server, bus)
    of_product = server.get_tool_input_schema
    assert of_product is not None
    server.get_tool_input_schema = lambda name: schemas.get(name) or of_product(name)
    return server


def _tool(name: str, schema: dict[str, Any]) -> Tool:
    return Tool(name=name, description="For the conformance suite.", input_schema=schema)


def _tools(bus: InMemorySubscriptionBus) -> Mapping[str, Run]:
    """Return every tool of the suite, by name."""

    def fixed(answer: CallToolResult) -> Run:
        async def run(_: Context, __: CallToolRequestParams) -> CallToolResult:
            return answer

        return run

    def changing(event: Any) -> Run:
        async def run(_: Context, __: CallToolRequestParams) -> CallToolResult:
            await bus.publish(event)
            return tool_result("Changed.")

        return run

    changes = {
        "test_trigger_tool_change": changing(ToolsListChanged()),
        "test_trigger_prompt_change": changing(PromptsListChanged()),
    }
    return {**{name: fixed(answer) for name, answer in ANSWERS.items()}, **BUSY, **client_requests.TOOLS, **changes}


def _handler(server: Server[Any], method: str) -> Any:
    found = server.get_request_handler(method)
    assert found is not None, method
    return found.handler


def _list_more_tools(server: Server[Any], more: list[Tool]) -> None:
    """Add tools to the serialized result, as the product does."""
    dumped = [each.model_dump(by_alias=True, mode="json", exclude_none=True) for each in more]

    async def filled(ctx: Context, call_next: CallNext) -> HandlerResult:
        given = await call_next(ctx)
        if ctx.method == LIST_TOOLS_METHOD and isinstance(given, dict):
            return {**given, "tools": [*given["tools"], *dumped]}
        return given

    server.middleware.insert(0, filled)


def _list_more(server: Server[Any], method: str, field: str, more: list[Any]) -> None:
    of_product = _handler(server, method)

    async def listed(context: Context, params: PaginatedRequestParams) -> Any:
        found = await of_product(context, params)
        return found.model_copy(update={field: [*getattr(found, field), *more]})

    server.add_request_handler(method, PaginatedRequestParams, listed)


def _call_first(server: Server[Any], tools: Mapping[str, Run]) -> None:
    of_product = _handler(server, "tools/call")

    async def call(context: Context, params: CallToolRequestParams) -> Any:
        return await tools.get(params.name, of_product)(context, params)

    server.add_request_handler("tools/call", CallToolRequestParams, call)


def _answer_first(server: Server[Any]) -> None:
    prompts, resources = _handler(server, "prompts/get"), _handler(server, "resources/read")
    completion = _handler(server, "completion/complete")
    names = {each.name for each in PROMPTS}

    async def get(context: Context, params: GetPromptRequestParams) -> Any:
        if params.name == client_requests.PROMPT.name:
            return client_requests.asking_prompt(params)
        return prompt(params) if params.name in names else await prompts(context, params)

    async def read(context: Context, params: ReadResourceRequestParams) -> Any:
        return resource(str(params.uri)) or await resources(context, params)

    async def complete(context: Context, params: CompleteRequestParams) -> Any:
        if isinstance(params.ref, PromptReference) and params.ref.name in names:
            return CompleteResult(completion=Completion(values=[], total=0))
        return await completion(context, params)

    async def done(_: Context, __: Any) -> EmptyResult:
        return EmptyResult()

    server.add_request_handler("prompts/get", GetPromptRequestParams, get)
    server.add_request_handler("resources/read", ReadResourceRequestParams, read)
    server.add_request_handler("completion/complete", CompleteRequestParams, complete)
    server.add_request_handler("resources/subscribe", SubscribeRequestParams, done)
    server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, done)
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, done)


def _say_that_lists_change(server: Server[Any], bus: InMemorySubscriptionBus) -> None:
    server.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, ListenHandler(bus))
    options = server.create_initialization_options

    def changing(*_: Any, **given: Any) -> InitializationOptions:
        return options(NotificationOptions(prompts_changed=True, tools_changed=True), **given)

    server.create_initialization_options = changing  # type: ignore[method-assign]
