"""All 195 operations on the wire: exactly the documented request, signed, and an answer that fits its schema."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx2
import pytest
from jsonschema import Draft202012Validator

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.policy.presets import UnsafeAllowAllPolicy
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.store import Store
from tests.support.arguments import body_variants, complete_arguments, minimal_arguments
from tests.support.pipeline import CREDENTIALS, ERAS, PRINCIPAL, Era, StubApi, build_pipeline, connect_client
from tests.support.variants import sample_operations

Arguments = Callable[[Operation, str], dict[str, Any]]
AT = datetime(2026, 3, 4, 5, 6, 59, tzinfo=UTC)
FORBIDDEN = {"referer", "cookie", "x-saasus-referer"}


def calls(operations: Iterable[Operation], arguments: Arguments) -> Iterator[tuple[Operation, dict[str, Any]]]:
    for operation in operations:
        for shape in body_variants(operation):
            yield operation, arguments(operation, shape)


def expected(operation: Operation, arguments: dict[str, Any]) -> tuple[list[str], list[tuple[str, str]], Any]:
    """Return the documented path segments, query pairs and body for these arguments."""
    segments = [str(arguments[part[1:-1]]) if part.startswith("{") else part for part in operation.path.split("/")]
    pairs: list[tuple[str, str]] = []
    for name in operation.query_parameters:
        for item in _items(arguments.get(name)):
            pairs.append((name, item if isinstance(item, str) else json.dumps(item)))  # noqa: PERF401 - reads better
    parameters = {*operation.path_parameters, *operation.query_parameters}
    fields = {name: value for name, value in arguments.items() if name not in parameters}
    return segments, pairs, fields if operation.body else None


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def signature(request: httpx2.Request) -> str:
    """Return the header by the published recipe, from the sent bytes only."""
    raw = request.url.raw_path.decode("ascii")
    message = f"202603040506{CREDENTIALS.api_key}{request.method}api.saasus.io{raw}".encode() + request.content
    digest = hmac.new(CREDENTIALS.secret_key.encode(), message, hashlib.sha256).hexdigest()
    return f"SAASUSSIGV1 Sig={digest}, SaaSID={CREDENTIALS.saas_id}, APIKey={CREDENTIALS.api_key}"


def check_request(request: httpx2.Request, operation: Operation, arguments: dict[str, Any]) -> None:
    segments, pairs, body = expected(operation, arguments)
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    assert str(request.url).startswith("https://api.saasus.io/v1/")
    assert request.method == operation.method
    assert [unquote(segment) for segment in path.split("/")] == segments
    assert parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)) == pairs
    assert request.headers["Authorization"] == signature(request)
    assert re.fullmatch("[0-9a-f]{32}", request.headers["X-Saasus-Trace-Id"])
    assert not FORBIDDEN & {name.lower() for name in request.headers}
    if body is None:
        assert request.content == b""
        assert "Content-Type" not in request.headers
    else:
        assert json.loads(request.content) == body
        assert request.content == json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["Content-Length"] == str(len(request.content))


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [complete_arguments, minimal_arguments])
async def test_every_operation_sends_the_request_of_its_documents(
    catalogue: Catalogue, store: Store, arguments: Arguments
) -> None:
    api, failures = StubApi(catalogue), {}
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy())
    behind.client = ApiClient(CREDENTIALS, transport=api.transport(), clock=lambda: AT)
    validators = {operation.key: Draft202012Validator(operation.output_schema) for operation in catalogue}
    for operation, given in calls(catalogue, arguments):
        api.sent.clear()
        answer = await behind.run(Call(operation.tool, given, PRINCIPAL))
        try:
            assert isinstance(answer, ToolAnswer)
            assert answer.ok, answer.text
            [request] = api.to(operation)
            assert len(api.writes) == (not operation.reads), "beside it, only reads"
            check_request(request, operation, given)
            assert answer.structured is not None
            validators[operation.key].validate(answer.structured)
            assert json.loads(answer.text) == answer.structured, "nothing drifted, so the text is the data"
            assert answer.applied == ("not_applied" if operation.reads else "applied")
            assert answer.trace_id == request.headers["X-Saasus-Trace-Id"]
        except AssertionError as failure:
            failures[operation.key] = str(failure)[:400]
    assert failures == {}


def test_there_are_as_many_operations_as_the_api_has(catalogue: Catalogue) -> None:
    assert len(catalogue) == 195
    assert len(list(calls(catalogue, complete_arguments))) > 195, "each shape of a body counts"


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
async def test_every_tool_answers_the_sdks_own_client_which_checks_the_output_schema(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api, failures = StubApi(catalogue), {}
    operations = sample_operations(catalogue, f"the sdk's own client {era}")
    async with connect_client(build_pipeline(api, store, UnsafeAllowAllPolicy()), era) as client:
        for operation, given in calls(operations, complete_arguments):
            try:
                result = await client.call_tool(operation.tool, given)
            except RuntimeError as refusal:  # what the SDK raises on an answer that is not true to its schema
                failures[operation.key] = str(refusal)[:400]
                continue
            if result.is_error or not result.structured_content:
                failures[operation.key] = str(result.content)[:400]
    assert failures == {}
    sent = [request for operation in operations for request in api.to(operation) if not operation.reads]
    assert len(sent) == sum(not operation.reads for operation, _ in calls(operations, complete_arguments))


async def test_an_array_in_the_query_repeats_its_key(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    given = {"tenant_ids": ["a a", "b&b", "c=c", "d,d"]}
    await build_pipeline(api, store).run(Call("awsmarketplace.GetCustomers", given, PRINCIPAL))
    [request] = api.sent
    assert request.url.raw_path == (
        b"/v1/awsmarketplace/customers?tenant_ids=a%20a&tenant_ids=b%26b&tenant_ids=c%3Dc&tenant_ids=d%2Cd"
    )


async def test_every_call_has_a_trace_id_of_its_own(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    behind = build_pipeline(api, store)
    for _ in range(20):
        await behind.run(Call("auth.GetRoles", {}, PRINCIPAL))
    assert len({request.headers["X-Saasus-Trace-Id"] for request in api.sent}) == 20
