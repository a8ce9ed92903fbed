"""The resources: the descriptions of operations, the caller's decisions, and stored answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    BlobResourceContents,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from saasus_mcp.catalog import jobs
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.permissions.policy.model import PolicyInput, Principal, is_conditional
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.results.result_store import PNG_TYPE, png_of_result
from saasus_mcp.server.results.result_store import RESULTS_URI as RESULTS
from saasus_mcp.server.scheduling.worker_threads import run_by_size
from saasus_mcp.server.surface.tool_description import DEPENDS_ON_CALL, describe_operation

CATALOG_URI = "saasus://catalog/"
POLICY_URI = "saasus://policy"
JOB_PREFIX = "job_"
JSON_TYPE, TEXT_TYPE = "application/json", "text/plain"


@cache
def _reads() -> dict[str, tuple[str, ...]]:
    """Return the operations that each kind of job reads with, also of those that only people start."""
    return {spec.name: spec.reads for spec in jobs.load_jobs(for_people=True)}


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of one server."""

    pipeline: Pipeline
    language: Language

    def list_templates(self) -> list[ResourceTemplate]:
        """Return the templates of operations and stored answers."""
        return [
            ResourceTemplate(
                name="catalog",
                title=self._title("catalog"),
                uri_template=CATALOG_URI + "{operation}",
                mime_type=JSON_TYPE,
            ),
            ResourceTemplate(
                name="results", title=self._title("results"), uri_template=RESULTS + "{id}", mime_type=JSON_TYPE
            ),
        ]

    def list_resources(self, principal: Principal) -> list[Resource]:
        """Return the caller's decisions and stored answers. Operations are found by their template."""
        language = self.language
        stored = [
            Resource(
                name=f"result {each.id}",
                title=message(
                    "server.stored_result",
                    operation=self._tool(each.operation),
                    time=datetime.fromtimestamp(each.at, UTC).isoformat(timespec="seconds"),
                ).text(language),
                uri=RESULTS + each.id,
                mime_type=JSON_TYPE,
            )
            for each in self.pipeline.results.list_results(principal.id)
            if self._could_read(each.operation, principal)
        ]
        return [Resource(name="policy", title=self._title("policy"), uri=POLICY_URI, mime_type=JSON_TYPE), *stored]

    async def read(self, uri: str, principal: Principal) -> ReadResourceResult:
        """Return the content of a resource for this caller.

        Raises:
            MCPError: there is no such resource, it belongs to another caller, or a call that it was made from would be denied now.
        """
        try:
            value = await self._value(uri, principal)
        except CallRefused as refused:
            raise MCPError(INVALID_PARAMS, str(refused), {"uri": uri[:200]}) from None
        if value is None:
            raise MCPError(INVALID_PARAMS, "Unknown resource.", {"uri": uri[:200]})
        png = png_of_result(value)
        if png is not None:
            blob = BlobResourceContents(uri=uri, mime_type=PNG_TYPE, blob=png)
            return ReadResourceResult(contents=[blob], ttl_ms=0, cache_scope="private")
        text, form = (
            (value, TEXT_TYPE)
            if isinstance(value, str)
            else (await run_by_size(principal.id, value, lambda: compact_json(value)), JSON_TYPE)
        )
        return ReadResourceResult(
            contents=[TextResourceContents(uri=uri, mime_type=form, text=text)], ttl_ms=0, cache_scope="private"
        )

    def complete_names(self, typed: str, principal: Principal) -> list[str]:
        """Return the tools whose name or operation id contains the typed text. Matches at the start of a word come first."""
        wanted = typed.casefold()
        tools = [
            each.tool
            for each in self.pipeline.list_operations(principal)
            if wanted in f"{each.tool} {each.key.casefold()}"
        ]
        return sorted(tools, key=lambda tool: (not tool.startswith(wanted), f"_{wanted}" not in tool, tool))

    async def _value(self, uri: str, principal: Principal) -> Any:
        if uri == POLICY_URI:
            return self._decisions(principal)
        if uri.startswith(RESULTS):
            result = await self.pipeline.results.read(uri, principal)
            return result.value if result is not None else None
        if uri.startswith(CATALOG_URI):
            operation, pipeline = self.pipeline.catalogue.get(unquote(uri.removeprefix(CATALOG_URI))), self.pipeline
            if operation is None or operation not in pipeline.list_operations(principal):
                return None
            profile = pipeline.destination.profile
            return describe_operation(operation, principal, pipeline.policy, profile, language=self.language)
        return None

    def _title(self, resource: str) -> str:
        return one_of("server.resource", resource).text(self.language)

    def _could_read(self, source: str, principal: Principal) -> bool:
        """Return whether the policy could still allow the calls of an operation or a job. Nobody knows those of an unknown kind of job."""
        if source.startswith(JOB_PREFIX) and source not in _reads():
            return False
        keys = (source,) if "." in source else _reads().get(source, ())
        principal = principal if "." in source else principal.for_job(source)
        policy, profile = self.pipeline.policy, self.pipeline.destination.profile
        operations = map(self.pipeline.catalogue.get, keys)
        return all(each and policy.could_allow(each, principal, profile) for each in operations)

    def _tool(self, source: str) -> str:
        """Return the name of the tool that gave an answer. Answers of operations are stored under the key of the operation."""
        return self.pipeline.catalogue.find(source).tool if "." in source else source

    def _decisions(self, principal: Principal) -> dict[str, Any]:
        """Return the decision on each tool, unless it depends on the call."""
        policy, profile, decided = self.pipeline.policy, self.pipeline.destination.profile, []
        for operation in self.pipeline.list_operations(principal):
            case = PolicyInput(operation, {}, principal, profile)
            decision = policy.decide(case)
            depends_on_call = is_conditional(policy.explain(case))
            decided.append(
                {
                    "name": operation.tool,
                    "level": operation.level,
                    **({"decision": DEPENDS_ON_CALL} if depends_on_call else {"decision": decision.outcome}),
                    "rule": decision.rule,
                }
            )
        narrowing = {"narrowing": principal.narrowing.to_audit()} if principal.narrowing != NO_NARROWING else {}
        who = {"policy": policy.name, "profile": profile, "principal": principal.id, **narrowing}
        return {**who, "tools": decided}
