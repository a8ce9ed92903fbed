"""The SDK's handlers for resources, prompts and completion."""

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

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.apps.app_resources import AppResources, shows_apps
from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.offers import prompts
from saasus_mcp.server.offers.completion import MAX_VALUES, ArgumentCompletion, CompletionValues
from saasus_mcp.server.offers.resources import CATALOG_URI, Resources
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline

ResolvePrincipal = Callable[[Context], Principal]


class OfferHandlers:
    """The handlers of one server."""

    def __init__(self, pipeline: Pipeline, resolve_principal: ResolvePrincipal, language: Language) -> None:
        self._resolve_principal = resolve_principal
        self._language: Language = language
        self._run_query = pipeline.store_executor
        self._resources = Resources(pipeline, language)
        self._apps = AppResources(pipeline)

        async def read(key: str, arguments: Mapping[str, Any], principal: Principal) -> ToolAnswer:
            answer = await pipeline.run(Call(pipeline.catalogue.find(key).tool, arguments, principal))
            return ToolAnswer(False, "") if isinstance(answer, PendingElicitation) else answer

        async def may(key: str, arguments: Mapping[str, Any], principal: Principal) -> bool:
            return not await pipeline.find_forbidden([(key, arguments)], principal)

        self._completion = ArgumentCompletion(read, may)

    def handlers(self) -> dict[str, Any]:
        """Return the handlers, by the names of the parameters of the SDK's server."""
        return {
            "on_list_resources": self._list_resources,
            "on_list_resource_templates": self._list_templates,
            "on_read_resource": self._read_resource,
            "on_list_prompts": self._list_prompts,
            "on_get_prompt": self._get_prompt,
            "on_completion": self._complete,
        }

    async def _list_resources(self, context: Context, _: PaginatedRequestParams | None) -> ListResourcesResult:
        principal = self._resolve_principal(context)
        resources = await self._run_query(lambda: self._resources.list_resources(principal))
        return ListResourcesResult(resources=resources, ttl_ms=0, cache_scope="private")

    async def _list_templates(self, _: Context, __: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=self._resources.list_templates(), cache_scope="private")

    async def _read_resource(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        uri, principal = str(params.uri), self._resolve_principal(context)
        if shows_apps(context) and self._apps.has(uri):
            return await self._apps.read(uri, principal)
        return await self._resources.read(uri, principal)

    async def _list_prompts(self, _: Context, __: PaginatedRequestParams | None) -> ListPromptsResult:
        return ListPromptsResult(prompts=prompts.list_prompts(self._language), cache_scope="private")

    async def _get_prompt(self, _: Context, params: GetPromptRequestParams) -> GetPromptResult:
        try:
            return prompts.render_prompt(params.name, params.arguments or {}, self._language)
        except SaasusMcpError as error:
            raise MCPError(INVALID_PARAMS, str(error)) from None

    async def _complete(self, context: Context, params: CompleteRequestParams) -> CompleteResult:
        principal, wanted = self._resolve_principal(context), params.argument
        if isinstance(params.ref, PromptReference):
            if wanted.name not in prompts.PROMPTS.get(params.ref.name, ()):
                raise MCPError(INVALID_PARAMS, "Unknown prompt or argument.")
            found = await self._completion.values(wanted.name, wanted.value, principal)
        elif params.ref.uri.startswith(CATALOG_URI):
            found = CompletionValues(tuple(self._resources.complete_names(wanted.value, principal)))
        else:
            found = CompletionValues()
        shown = list(found.values[:MAX_VALUES])
        more = found.more or len(found.values) > len(shown)
        total = None if found.more else len(found.values)
        return CompleteResult(completion=Completion(values=shown, total=total, has_more=more))
