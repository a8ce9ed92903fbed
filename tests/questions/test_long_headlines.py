"""A headline that has no room for all of its names: nobody agrees to a part that they were not shown."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.inspection.target import MAX_WHOLE_NAME, clean_name, is_whole_name, names_match
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.question.content import NamedItem, Question, ValueList
from saasus_mcp.permissions.question.formatting import MAX_LIST_ITEMS
from saasus_mcp.permissions.question.layout import hidden_labels
from saasus_mcp.server.pipeline.call import Call
from tests.support.pipeline import PRINCIPAL
from tests.support.sandbox_client import NOW, SandboxClient, sandbox_client

pytestmark = pytest.mark.anyio
LONG = "a" * MAX_WHOLE_NAME


def test_a_long_name_keeps_its_end() -> None:
    first, second = clean_name(f"{LONG} production"), clean_name(f"{LONG} test")
    assert first.endswith("production")
    assert second.endswith("test")
    assert first != second
    assert not is_whole_name(first)
    assert clean_name(first) == first
    assert names_match(first, first)
    assert names_match(f"{LONG} production", first)
    assert not names_match(f"{LONG} test", first)


@pytest.mark.parametrize("blank", [" ", "\u200b", "\n"])
def test_blanks_do_not_push_the_end_of_a_name_out_of_sight(blank: str) -> None:
    assert clean_name(f"Harbor{blank * 5_000}production").endswith("production")


async def test_a_list_in_the_headline_is_not_confirmed_where_a_part_is_hidden(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as client:
        roles = [f"role-{number}" for number in range(MAX_LIST_ITEMS + 2)]
        for role in roles:
            await client.outright(Call("auth_create_role", {"role_name": role, "display_name": role}, PRINCIPAL))
        for number, (given, asked) in enumerate([(roles[:MAX_LIST_ITEMS], 1), (roles, 0)]):
            client.person.asked.clear()
            await client.call("auth_create_tenant_user_roles", {**await _member(client, number), "role_names": given})
            assert len(client.person.asked) == asked
        question = _pending(client)
        assert [label.en for label in hidden_labels(question)] == ["Roles"]
        shown = next(fact for fact in question.facts if fact.name == "role_names")
        assert isinstance(shown.value, ValueList)
        assert [item.name for item in shown.value.items if isinstance(item, NamedItem)] == roles


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("auth_create_saas_user", {"email": f"{LONG}@evil.example"}),
        ("auth_create_role", {"role_name": "editor-2", "display_name": f"{LONG}@evil.example"}),
        (
            "auth_create_tenant",
            {"name": f"{LONG}@evil.example", "back_office_staff_email": "a@example.com", "attributes": {}},
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
@pytest.mark.parametrize(("language", "label"), [("en", "Name of the target"), ("ja", "対象の名前")])
async def test_a_name_that_is_not_shown_whole_is_not_confirmed(
    catalogue: Catalogue, tool: str, args: dict[str, Any], language: Language, label: str
) -> None:
    async with sandbox_client(catalogue, PRESETS["strict"], language) as client:
        answer = await client.call(tool, args)
        assert not answer.ok
        assert client.person.asked == []
        question = _pending(client)
        assert label in [each.text(language) for each in hidden_labels(question)]
        assert "@evil.example" in answer.text
        assert any(detail.value == f"{LONG}@evil.example" for detail in question.details)


async def test_the_details_have_the_long_name_of_a_present_target(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as client:
        name = f"{LONG}<script>{LONG}"
        args = {"name": name, "back_office_staff_email": "a@example.com", "attributes": {}}
        made = await client.outright(Call("auth_create_tenant", args, PRINCIPAL))
        assert made.structured is not None
        await client.call("auth_delete_tenant", {"tenant_id": made.structured["id"]})
        question = _pending(client)
        assert name in [detail.value for detail in question.details]
        assert not is_whole_name(question.name)


def _pending(client: SandboxClient) -> Question:
    (approval,) = client.behind.store.list_approvals(NOW)
    return Question.from_json(approval.preview)


async def _member(client: SandboxClient, number: int) -> dict[str, Any]:
    tenants = (await client.read("auth_get_tenants"))["tenants"]
    users = (await client.read("auth_get_saas_users"))["users"]
    return {"tenant_id": tenants[0]["id"], "user_id": users[number]["id"], "env_id": 3}
