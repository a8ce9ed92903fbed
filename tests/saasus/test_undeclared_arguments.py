"""Undeclared arguments are refused in every declared object, whatever is listed."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog import Catalogue, Operation, load_catalogue
from saasus_mcp.catalog.jobs import load_jobs as jobs
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.jobs.engine import JobEngine
from saasus_mcp.jobs.job_tools import build_job_tools
from saasus_mcp.jobs.runner import JobRunner
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus import arguments
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.tool_surface import ToolSurface
from saasus_mcp.store.store import Store
from tests.support.arguments import body_variants, complete_arguments
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline, sample_value

EXTRA = "undeclared_argument"


def with_extra(schema: dict[str, Any], value: Any) -> Iterator[Any]:
    """Yield the value with one undeclared field, once for each object with declared fields."""
    branch = next((each for each in schema.get("anyOf", ()) if each.get("type") == "object"), schema)
    if isinstance(value, dict):
        if "properties" in branch:
            yield {**value, EXTRA: "x"}
        for name, item in value.items():
            for changed in with_extra(branch.get("properties", {}).get(name, {}), item):
                yield {**value, name: changed}
    elif isinstance(value, list):
        for number, item in enumerate(value):
            for changed in with_extra(schema.get("items", {}), item):
                yield [*value[:number], changed, *value[number + 1 :]]


@pytest.mark.parametrize("operation", tuple(load_catalogue()), ids=lambda operation: operation.tool)
def test_an_operation_refuses_it(operation: Operation) -> None:
    for shape in body_variants(operation):
        given = complete_arguments(operation, shape)
        arguments.check_arguments(operation, deepcopy(given))
        schema = operation.input_schema
        for wrong in with_extra(schema, given):
            with pytest.raises(InvalidArguments) as refused:
                arguments.check_arguments(operation, wrong)
            assert EXTRA in str(refused.value), wrong


def test_a_tool_of_our_own_refuses_it(catalogue: Catalogue, store: Store) -> None:
    one = build_pipeline(StubApi(catalogue), store)
    more = build_job_tools(
        JobRunner(one, {job.name: job for job in jobs()}, JobEngine("", Encryptor.ephemeral(), list, never)), "compact"
    )
    own = [
        each
        for each in ToolSurface(one, "en", "compact", extra_tools=more).list_tools(PRINCIPAL)
        if isinstance(each, BuiltinTool)
    ]
    assert {"call_destructive", "job_run", "time_now", "select_from_result"} <= {each.name for each in (*own, *more)}
    for each in (*own, *more):
        for wrong in with_extra(each.input_schema, sample_value(each.input_schema)):
            with pytest.raises(InvalidArguments) as refused:
                anyio.run(each.handle, Call(each.name, wrong, PRINCIPAL))
            assert EXTRA in str(refused.value), each.name


async def never(_: dict[str, Any]) -> None:
    """Fail, since no job runs here."""


def test_an_operation_called_through_the_compact_surface_refuses_it(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    surface = ToolSurface(build_pipeline(api, store), "en", "compact")
    given = {"name": "auth_get_tenant", "arguments": {"tenant_id": "t", EXTRA: "x"}}
    answer: Any = anyio.run(surface.run, Call("call_read", given, PRINCIPAL))
    assert not answer.ok
    assert EXTRA in answer.text
    assert api.sent == []


@pytest.mark.parametrize("value", [{"USERNAME": 1}, {"USERNAME": {"a": "b"}}])
def test_a_map_keeps_the_type_of_its_values_though_it_is_listed_as_open(catalogue: Catalogue, value: Any) -> None:
    with pytest.raises(InvalidArguments, match="USERNAME"):
        arguments.check_arguments(
            catalogue.find("auth_sign_in"), {"sign_in_flow": "USER_SRP_AUTH", "sign_in_parameters": value}
        )


def test_null_is_still_understood_where_it_is_no_longer_listed(catalogue: Catalogue) -> None:
    given = {"tenant_id": "t", "provider_type": "SAML", "identity_provider_props": None}
    assert arguments.check_arguments(catalogue.find("auth_update_tenant_identity_provider"), given) == given
