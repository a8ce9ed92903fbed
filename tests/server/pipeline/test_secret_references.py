"""Secrets by name: only a listed name, only in a field for secrets, and never shown."""

from __future__ import annotations

import json
import logging

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy.presets import UnsafeAllowAllPolicy
from saasus_mcp.store.store import Store
from tests.support.pipeline import ERAS, Era, StubApi, build_pipeline, connect_client

HUSH = "hush-hush-by-name"
LISTED = {"WELCOME_PASSWORD": HUSH}.get
CREATE = "auth_create_saas_user"


@pytest.mark.parametrize("era", ERAS)
async def test_a_listed_name_becomes_its_secret_on_the_wire_and_nowhere_else(
    catalogue: Catalogue, store: Store, era: Era, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api = StubApi(catalogue, answers={"auth.CreateSaasUser": {"id": "u", "email": HUSH}})
    arguments = {"email": "a@example.com", "password": "secret://WELCOME_PASSWORD"}
    async with connect_client(build_pipeline(api, store, UnsafeAllowAllPolicy(), references=LISTED), era) as client:
        result = await client.call_tool(CREATE, arguments)
    [sent] = api.to(catalogue.find(CREATE))
    assert json.loads(sent.content)["password"] == HUSH
    assert HUSH not in result.model_dump_json() + caplog.text + json.dumps(store.audit_log.list_records())
    assert "secret://WELCOME_PASSWORD" in json.dumps(store.audit_log.list_records())


@pytest.mark.parametrize("name", ["SAASUS_SECRET_KEY", "welcome_password", "", "WELCOME_PASSWORD/", "../PATH"])
async def test_a_name_that_is_not_listed_is_refused_and_nothing_is_sent(
    catalogue: Catalogue, store: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAASUS_SECRET_KEY", HUSH)
    api = StubApi(catalogue)
    async with connect_client(build_pipeline(api, store, UnsafeAllowAllPolicy(), references=LISTED), ERAS[0]) as client:
        result = await client.call_tool(CREATE, {"email": "a@example.com", "password": f"secret://{name}"})
    assert result.is_error
    assert "not_applied" in result.model_dump_json()
    assert api.sent == []


async def test_a_listed_name_is_refused_where_no_secret_is_taken(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    async with connect_client(build_pipeline(api, store, UnsafeAllowAllPolicy(), references=LISTED), ERAS[0]) as client:
        result = await client.call_tool("auth_create_tenant", {"name": "secret://WELCOME_PASSWORD"})
    assert result.is_error
    assert "secret handle is not accepted here" in result.model_dump_json()
    assert api.sent == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_tenant_named_like_a_secret_gets_its_name_back_and_nothing_else(
    catalogue: Catalogue, store: Store, era: Era, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAASUS_SECRET_KEY", HUSH)
    named = {"id": "t", "name": "secret://SAASUS_SECRET_KEY", "attributes": {}, "back_office_staff_email": ""}
    api = StubApi(catalogue, answers={"auth.GetTenant": named})
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy(), references={"SAASUS_SECRET_KEY": HUSH}.get)
    async with connect_client(behind, era) as client:
        result = await client.call_tool("auth_get_tenant", {"tenant_id": "t"})
    assert result.structured_content is not None
    assert result.structured_content["name"] == "secret://SAASUS_SECRET_KEY"
    assert HUSH not in result.model_dump_json()
