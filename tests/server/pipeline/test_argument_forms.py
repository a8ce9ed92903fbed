"""Arguments that no API could accept: no address, no URL, no date, no such environment. The person is not asked."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from scripts.story import values_for
from tests.support.sandbox_client import sandbox_client

ADDRESSES = (
    ("auth_create_saas_user", "email"),
    ("auth_create_tenant", "back_office_staff_email"),
    ("auth_create_tenant_invitation", "email"),
    ("auth_create_tenant_user", "email"),
    ("auth_request_email_update", "email"),
    ("auth_resend_sign_up_confirmation_email", "email"),
    ("auth_sign_up", "email"),
    ("auth_sign_up_with_aws_marketplace", "email"),
    ("auth_update_basic_info", "from_email_address"),
    ("auth_update_basic_info", "reply_email_address"),
    ("auth_update_saas_user_email", "email"),
    ("auth_update_tenant", "back_office_staff_email"),
    ("auth_validate_invitation", "email"),
)
NO_ADDRESSES = (
    "山田太郎",
    "taro yamada",
    "taro\uff20example.jp",
    "Taro <taro@example.jp>",
    "a@example.jp, b@example.jp",
    "taro@example",
    "ta\u200bro@example.jp",
    "taro@example.jp\u2028",
    "taro@\uff45xample.jp",
    "taro@example\u3002jp",
    "taro@example..jp",
    "taro@example.jp.",
    "taro@example.jp\n",
)


def test_every_address_that_a_call_writes_is_listed_here(catalogue: Catalogue) -> None:
    found = {
        (operation.tool, name)
        for operation in catalogue
        if operation.level not in ("read", "read_sensitive")
        for name in operation.input_schema["properties"]
        if "email" in name
    }
    assert found == set(ADDRESSES)


@pytest.mark.parametrize(("tool", "name"), ADDRESSES)
async def test_a_text_that_is_no_address_is_not_put_before_a_person(catalogue: Catalogue, tool: str, name: str) -> None:
    args = values_for(catalogue.find(tool))
    args.pop("sign_in_id", None)
    async with sandbox_client(catalogue) as on:
        for value in NO_ADDRESSES:
            await on.refused(tool, {**args, name: value}, f"{name}: This is not an e-mail address", "precondition")


@pytest.mark.parametrize("tool", ["auth_update_saas_user_email", "auth_sign_up", "auth_create_tenant_invitation"])
async def test_an_empty_address_is_no_address(catalogue: Catalogue, tool: str) -> None:
    async with sandbox_client(catalogue) as on:
        args = {**values_for(catalogue.find(tool)), "email": ""}
        await on.refused(tool, args, "email: This is not an e-mail address", "precondition")


@pytest.mark.parametrize("address", ["taro.yamada+test@mail.example.co.jp", "o'neil@example.com", "山田@例え.jp"])
async def test_an_address_is_asked_about(catalogue: Catalogue, address: str) -> None:
    async with sandbox_client(catalogue) as on:
        tenant = await on.tenant()
        args = {"tenant_id": tenant["id"], "name": tenant["name"], "attributes": {}, "back_office_staff_email": address}
        given = await on.call("auth_update_tenant", args)
        assert given.ok, given.text
        assert on.person.asked


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("auth_update_auth_info", "callback_url"),
        ("auth_update_customize_page_settings", "terms_of_service_url"),
        ("auth_update_customize_page_settings", "privacy_policy_url"),
    ],
)
async def test_a_text_that_is_no_url_is_not_put_before_a_person(catalogue: Catalogue, tool: str, name: str) -> None:
    async with sandbox_client(catalogue) as on:
        args = values_for(catalogue.find(tool))
        for value in ("app.example.com", "/callback", "javascript:alert(1)", "https://"):
            await on.refused(tool, {**args, name: value}, f"{name}: This is not a URL", "precondition")


async def test_a_url_within_an_object_is_checked_too(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        props = {"metadata_url": "idp.example.com/metadata", "email_attribute": "email"}
        args = {"tenant_id": (await on.tenant())["id"], "provider_type": "SAML", "identity_provider_props": props}
        refused = "identity_provider_props: This is not a URL"
        await on.refused("auth_update_tenant_identity_provider", args, refused, "precondition")


async def test_a_url_with_another_scheme_is_asked_about(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        for value in ("http://localhost:3000/callback", "myapp://callback"):
            given = await on.call("auth_update_auth_info", {"callback_url": value})
            assert given.why == "approval", given.text


@pytest.mark.parametrize(
    ("tool", "more", "words"),
    [
        ("analysis_update_active_users", {"date": "2026/3/1"}, "date: There is no such date"),
        ("analysis_update_active_users", {"date": "2026-02-30"}, "date: There is no such date"),
        ("analysis_update_active_users", {"date": "2026-04-31"}, "date: There is no such date"),
        ("analysis_update_active_users", {"date": "2026-03"}, "date: There is no such date"),
        ("analysis_update_active_users", {"date": "2026-03-01", "type": "monthly"}, "date: There is no such date"),
        ("analysis_update_active_users", {"date": "2098-01-01"}, "date: It lies in the future"),
        ("analysis_update_active_users", {"env_id": 99}, "env_id: There is no such environment"),
        ("apigateway_create_api_key", {"env_id": 99}, "env_id: There is no such environment"),
        (
            "communication_delete_feedback_comment",
            {"comment_id": "gone"},
            "comment_id: The feedback has no such comment",
        ),
        ("integration_save_event_bridge_settings", {"aws_account_id": "12345"}, "has 12 digits"),
        ("auth_validate_invitation", {"email": "", "access_token": ""}, "email and password of a new one"),
    ],
)
async def test_a_value_that_cannot_be_is_not_put_before_a_person(
    catalogue: Catalogue, tool: str, more: dict[str, Any], words: str
) -> None:
    async with sandbox_client(catalogue) as on:
        await on.refused(tool, {**values_for(catalogue.find(tool)), **more}, words, "precondition")


async def test_the_last_day_of_february_is_a_date(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        args = {**values_for(catalogue.find("analysis_update_active_users")), "active_users": 7}
        for date in ("2026-02-28", "2024-02-29"):
            given = await on.call("analysis_update_active_users", {**args, "date": date})
            assert given.ok, given.text
        assert len(on.person.asked) == 2
