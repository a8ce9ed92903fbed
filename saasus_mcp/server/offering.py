"""What a server offers besides tools: resources, prompts and completion, as handlers for the SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    PromptReference,
    ReadResourceRequestParams,
    ReadResourceResult,
)

from saasus_mcp.catalog import Language
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.saasus.answer import ToolAnswer, failed
from saasus_mcp.server import prompts
from saasus_mcp.server.asking import Context
from saasus_mcp.server.call import Asking, Call
from saasus_mcp.server.completion import MOST_VALUES, Found
from saasus_mcp.server.completion import Completion as Completing
from saasus_mcp.server.describing import describe
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.server.resources import CATALOG, Resources

Who = Callable[[Context], Principal]


class Offering:
    """The handlers of one server."""

    def __init__(self, pipeline: Pipeline, who: Who, language: Language) -> None:
        self._who = who
        self._language: Language = language
        self._aside = pipeline.aside
        self._resources = Resources(
            catalogue=pipeline.catalogue,
            policy=pipeline.policy,
            profile=pipeline.place.profile,
            results=pipeline.results,
            describe=lambda operation, principal: describe(
                operation, principal, pipeline.policy, pipeline.place.profile, language
            ),
            language=language,
        )

        async def read(key: str, arguments: Mapping[str, Any], principal: Principal) -> ToolAnswer:
            given = await pipeline.run(Call(pipeline.catalogue.find(key).tool, arguments, principal))
            return failed("It asks first.") if isinstance(given, Asking) else given

        async def may(key: str, arguments: Mapping[str, Any], principal: Principal) -> bool:
            return not await pipeline.forbidden([(key, arguments)], principal)

        self._completing = Completing(read, may)

    def handlers(self) -> dict[str, Any]:
        """The handlers by the names that the SDK's server takes."""
        return {
            "on_list_resources": self._list_resources,
            "on_list_resource_templates": self._list_templates,
            "on_read_resource": self._read_resource,
            "on_list_prompts": self._list_prompts,
            "on_get_prompt": self._get_prompt,
            "on_completion": self._complete,
        }

    async def _list_resources(self, context: Context, _: PaginatedRequestParams | None) -> ListResourcesResult:
        who = self._who(context)
        found = await self._aside(lambda: self._resources.listed(who))
        return ListResourcesResult(resources=found, ttl_ms=0, cache_scope="private")

    async def _list_templates(self, _: Context, __: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=self._resources.templates(), cache_scope="private")

    async def _read_resource(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        return await self._resources.read(str(params.uri), self._who(context))

    async def _list_prompts(self, _: Context, __: PaginatedRequestParams | None) -> ListPromptsResult:
        return ListPromptsResult(prompts=prompts.listed(self._language), cache_scope="private")

    async def _get_prompt(self, _: Context, params: GetPromptRequestParams) -> GetPromptResult:
        try:
            return prompts.filled(params.name, params.arguments or {}, self._language)
        except SaasusMcpError as error:
            raise MCPError(INVALID_PARAMS, str(error)) from None

    async def _complete(self, context: Context, params: CompleteRequestParams) -> CompleteResult:
        principal, wanted = self._who(context), params.argument
        if isinstance(params.ref, PromptReference):
            if wanted.name not in prompts.blanks(params.ref.name):
                raise MCPError(INVALID_PARAMS, "Unknown prompt or argument.")
            found = await self._completing.values(wanted.name, wanted.value, principal)
        elif params.ref.uri.startswith(CATALOG):
            found = Found(tuple(self._resources.names(wanted.value, principal)))
        else:
            found = Found()
        shown = list(found.values[:MOST_VALUES])
        more = found.more or len(found.values) > len(shown)
        total = None if found.more else len(found.values)
        return CompleteResult(completion=Completion(values=shown, total=total, has_more=more))
