"""Calls of tools by their former names."""

from __future__ import annotations

from pathlib import Path

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.store.store import Store
from tests.support.compact_surface import BY_ERA, list_names
from tests.support.gate import reply_text
from tests.support.pipeline import Era, StubApi, build_pipeline, connect_client


def renamed(catalogue: Catalogue) -> Catalogue:
    """Return the catalogue after two tools were renamed."""
    former = {"auth_list_tenants": "auth_get_tenants", "auth_erase_tenant": "auth_delete_tenant"}
    return Catalogue(tuple(catalogue), former, catalogue.version)


@BY_ERA
async def test_a_call_by_a_former_name_is_answered_and_says_the_present_one(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    async with connect_client(build_pipeline(StubApi(renamed(catalogue)), store), era) as client:
        former = await client.call_tool("auth_list_tenants", {})
        present = await client.call_tool("auth_get_tenants", {})
        assert not {"auth_list_tenants", "auth_erase_tenant"} & set(await list_names(client))
    assert not former.is_error
    assert former.structured_content == present.structured_content
    assert "[auth_list_tenants is now called auth_get_tenants.]" in reply_text(former)
    assert "is now called" not in reply_text(present)


@BY_ERA
async def test_a_former_name_is_decided_as_the_present_one_and_by_a_policy_that_names_either(
    catalogue: Catalogue, store: Store, era: Era, tmp_path: Path
) -> None:
    api = StubApi(renamed(catalogue))
    async with connect_client(build_pipeline(api, store), era) as client:
        held = await client.call_tool("auth_erase_tenant", {"tenant_id": "t1"})
    assert held.is_error
    assert "saasus-mcp approve" in reply_text(held)
    file = tmp_path / "policy.yaml"
    file.write_text("version: 1\nrules: [{name: closed, tools: [auth_list_tenants], then: deny}]\n", encoding="utf-8")
    denying = policy_file.load_policy(file, renamed(catalogue))
    async with connect_client(build_pipeline(api, store, denying), era) as client:
        answer = await client.call_tool("auth_get_tenants", {})
    assert "not allowed: the rule 'closed'" in reply_text(answer)


@BY_ERA
async def test_the_compact_surface_takes_a_former_name_too(catalogue: Catalogue, store: Store, era: Era) -> None:
    async with connect_client(build_pipeline(StubApi(renamed(catalogue)), store), era, kind="compact") as client:
        answer = await client.call_tool("call_read", {"name": "auth_list_tenants"})
    assert not answer.is_error
    assert "[auth_list_tenants is now called auth_get_tenants.]" in reply_text(answer)
