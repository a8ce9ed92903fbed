"""A stub of the API that records its requests, a pipeline around it, and clients of each protocol era."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Literal

import httpx2
from mcp import Client as McpClient
from mcp import types
from mcp.client import advertise
from mcp.client.context import ClientRequestContext
from mcp.client.session import ElicitationFnT

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.signature import Credentials
from saasus_mcp.server.apps.extension import APP_MIME_TYPE, EXTENSION_ID
from saasus_mcp.server.mcp_server import build_server
from saasus_mcp.server.offer_handlers import ResolvePrincipal
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.job_steps import StepDecision, evaluate_step
from saasus_mcp.server.surface.tool_surface import ToolSurface
from saasus_mcp.store.store import Store
from tests.support.output_schemas import share_output_schemas

CREDENTIALS = Credentials("saas-under-test", "api-key-under-test", "secret-key-under-test")
PLACE = Destination("default", CREDENTIALS.saas_id)
PRINCIPAL = Principal("local:tester")


Era = Literal["legacy", "2026-07-28"]
ERAS: tuple[Era, ...] = ("legacy", "2026-07-28")
Responder = Callable[[types.ElicitRequestFormParams], types.ElicitResult]


def sample_value(schema: dict[str, Any]) -> Any:
    """Return the simplest value of a schema, with every declared field."""
    if "anyOf" in schema:
        return sample_value(schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "object":
            fields = {name: sample_value(item) for name, item in schema.get("properties", {}).items()}
            other = schema.get("additionalProperties")
            return fields | ({"any_key": sample_value(other)} if isinstance(other, dict) else {})
        case "array":
            return [sample_value(schema.get("items", {"type": "string"}))]
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case _:
            return _text(schema)


def _text(schema: dict[str, Any]) -> str:
    if schema.get("format") == "date":
        return "2026-01-31"
    if schema.get("format") == "date-time":
        return "2026-01-31T12:00:00Z"
    return str(schema.get("examples", ["text-1"])[0])


FUTURE = 3_786_825_600
"""In the year 2090: ahead of the clock of this computer and of those of tests."""
HELD_ROLE = "held"
"""The role of the sample's member. It is not the one of the samples of arguments, so that this one can be granted."""
SAMPLE_FIELDS: dict[str, Any] = {"used": False, "role_name": "admin", "attribute_name": "birthday"}


def sample_answer(operation: Operation) -> Any:
    """Return a sample of an operation's answer with which every call is possible: its target exists and is not in use."""
    return _fitted(sample_value(operation.output_schema), {**SAMPLE_FIELDS, **_unused(operation)})


def _unused(operation: Operation) -> dict[str, Any]:
    match operation.key:
        case "pricing.GetPricingMenus":
            return {"units": []}
        case "pricing.GetPricingPlans":
            return {"pricing_menus": []}
        case "auth.GetTenants":
            return {"name": "other", "plan_id": "other", "next_plan_id": ""}
        case "pricing.GetPricingUnits":
            return {"metering_unit_name": "other"}
        case "auth.SearchTenantUsers":
            return {"email": "other", "sign_in_id": "other"}
        case "auth.GetTenantUser":
            return {"role_name": HELD_ROLE}
        case "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod":
            return {"timestamp": FUTURE}
        case _:
            return {}


def _fitted(value: Any, by: dict[str, Any]) -> Any:
    match value:
        case dict():
            return {name: by[name] if name in by else _fitted(item, by) for name, item in value.items()}
        case list():
            return [_fitted(item, by) for item in value]
        case _:
            return value


@dataclass
class StubApi:
    """An API that answers every operation with a valid sample, and stores its requests."""

    catalogue: Catalogue
    sent: list[httpx2.Request] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    """Bodies to answer with instead of the sample, by operation key; a Response, a value, or a function of the request."""

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._answer)

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Return method and raw path of the requests that write, by the table of effects."""
        return [(request.method, request.url.raw_path.decode()) for request in self.sent if not self._of(request).reads]

    def to(self, operation: Operation) -> list[httpx2.Request]:
        """Return the requests for one operation. Previews and the undo log make others."""
        return [request for request in self.sent if self._of(request) is operation]

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        operation = self._of(request)
        given = self.answers.get(operation.key)
        if callable(given):
            given = given(request)
        if isinstance(given, httpx2.Response):
            return given
        status = next(status for status in operation.statuses if status < 300)
        if given is None and operation.answers:
            given = sample_answer(operation)
            given = given["result"] if operation.wrapped else given
        return httpx2.Response(status) if given is None else httpx2.Response(status, json=given)

    def _of(self, request: httpx2.Request) -> Operation:
        return match_operation(self.catalogue, request)


def match_operation(catalogue: Catalogue, request: httpx2.Request) -> Operation:
    """Return the operation of a request, as a router finds it: literal segments before parameters."""
    return _match(catalogue, request.method, request.url.raw_path.decode().split("?")[0])


@lru_cache(10_000)
def _match(catalogue: Catalogue, method: str, path: str) -> Operation:
    segments = path.split("/")
    candidates = _routes(catalogue).get((method, len(segments)), [])
    found = [
        operation
        for own, operation in candidates
        if all(mine == theirs or mine.startswith("{") for mine, theirs in zip(own, segments, strict=True))
    ]
    assert found, f"no route for {method} {path}"
    return min(found, key=lambda operation: operation.path.count("{"))


@cache
def _routes(catalogue: Catalogue) -> dict[tuple[str, int], list[tuple[list[str], Operation]]]:
    """Return the segments of every route, by method and length."""
    routes: dict[tuple[str, int], list[tuple[list[str], Operation]]] = {}
    for operation in catalogue:
        own = operation.path.split("/")
        routes.setdefault((operation.method, len(own)), []).append((own, operation))
    return routes


def build_pipeline(
    api: StubApi, store: Store, policy: Policy = PRESETS["guarded"], language: Language = "en", **given: Any
) -> Pipeline:
    """Build a pipeline over the stub."""
    return Pipeline(
        catalogue=api.catalogue,
        policy=policy,
        client=given.pop("client", None) or ApiClient(CREDENTIALS, transport=api.transport()),
        open_store=lambda: store,
        encryptor=given.pop("sealer", None) or Encryptor.ephemeral(),
        destination=PLACE,
        language=language,
        **given,
    )


async def evaluate_call(pipeline: Pipeline, call: Call) -> StepDecision:
    """Evaluate the policy for a call of a job, with reads of its own."""
    prepared = pipeline.prepare(call)
    return await evaluate_step(pipeline, prepared, pipeline.reader_for(prepared))


def elicitation_callback(answering: Responder) -> ElicitationFnT:
    """Return the callback of a client that answers every form."""

    async def elicited(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:  # noqa: ARG001
        assert isinstance(params, types.ElicitRequestFormParams)
        return answering(params)

    return elicited


@asynccontextmanager
async def connect_client(
    pipeline: Pipeline,
    era: Era,
    answering: Responder | None = None,
    language: Language = "en",
    who: ResolvePrincipal = lambda _: PRINCIPAL,
    *,
    apps: bool = False,
    **shown: Any,
) -> AsyncIterator[McpClient]:
    """Connect the SDK's client in memory. Without `answering` it cannot ask a person.

    Args:
        apps: whether it declares that it shows apps.
        shown: arguments of ToolSurface.
    """
    callback = elicitation_callback(answering) if answering else None
    surface = ToolSurface(pipeline, language, **shown)
    async with McpClient(
        build_server(pipeline, who, language, surface),
        mode=era,
        elicitation_callback=callback,
        extensions=[advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})] if apps else None,
    ) as client:
        share_output_schemas(client.session, pipeline.catalogue)
        yield client


def operation_tools(tools: list[types.Tool]) -> list[types.Tool]:
    """Return the tools that are operations of the API."""
    return [tool for tool in tools if "saasus.io/operation" in (tool.meta or {})]


def accept_question(params: types.ElicitRequestFormParams) -> types.ElicitResult:
    """Consent to a question, with the name that it asks for."""
    if "name" in params.requested_schema["properties"]:
        return types.ElicitResult(action="accept", content={"name": requested_name(params.message)})
    return types.ElicitResult(action="accept", content={"confirm": True})


def requested_name(message: str) -> str:
    """Return the name that a question asks for: the last words in quotation marks, which no name can contain."""
    *_, last = re.finditer("“([^”]*)”|「([^」]*)」", message)
    return last[1] or last[2]


def invisible_characters() -> list[str]:
    """Return every character that is invisible or that reorders others: controls and formats but the few that are drawn."""
    drawn = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    every = (chr(code) for code in range(0x110000) if code not in drawn)
    return [character for character in every if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")]
