"""Questions about mails: an invitation that is out already, a text without its code, a sender."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.question.formatting import Reader, format_sentence
from saasus_mcp.sandbox.state import uid
from scripts.stage import ask

TEXTS = "auth.UpdateNotificationMessages"
SENDER = {"from_email_address": "no-reply@example.com", "reply_email_address": ""}
INVITED: dict[str, Any] = {"tenant_id": uid("tenant", "aozora"), "access_token": "token", "envs": []}


async def warned(catalogue: Catalogue, key: str, args: dict[str, Any]) -> str:
    """Return the warnings in both languages."""
    question = await ask(catalogue, key, args)
    return "\n".join(format_sentence(each.text, Reader.of(lang)) for each in question.warnings for lang in ("en", "ja"))


@pytest.mark.parametrize(
    ("name", "message", "is_lost"),
    [
        ("sign_up", "{####}", False),
        ("sign_up", "Welcome", True),
        ("invite_tenant_user", "{####}", True),
        ("invite_tenant_user", "{invitation_url}", False),
    ],
)
async def test_a_mail_that_loses_its_code_or_link_is_a_warning(
    catalogue: Catalogue, name: str, message: str, *, is_lost: bool
) -> None:
    said = await warned(catalogue, TEXTS, {name: {"subject": "Hello", "message": message}})
    assert ("loses its code or link" in said) is is_lost
    assert ("コードやリンクがなくなる" in said) is is_lost


async def test_a_second_invitation_to_an_address_is_a_warning(catalogue: Catalogue) -> None:
    key = "auth.CreateTenantInvitation"
    said = await warned(catalogue, key, {**INVITED, "email": "new.buyer@example.jp"})
    assert "Open invitations to this address: 1." in said
    assert "未承諾の招待が1件あり" in said
    assert "Open invitations" not in await warned(catalogue, key, {**INVITED, "email": "somebody@example.jp"})


@pytest.mark.parametrize(
    ("email", "unknown"), [("minami.aozora@example.jp", False), ("minami.aozora@example.org", True)]
)
async def test_adding_an_address_without_an_account_is_a_warning(
    catalogue: Catalogue, email: str, unknown: bool
) -> None:
    args = {"tenant_id": uid("tenant", "midori"), "email": email, "attributes": {}}
    assert (
        "Nobody has an account with this address" in await warned(catalogue, "auth.CreateTenantUser", args)
    ) is unknown


async def test_only_another_domain_keeps_people_from_signing_in(catalogue: Catalogue) -> None:
    key = "auth.UpdateBasicInfo"
    said = await warned(catalogue, key, {**SENDER, "domain_name": "other.example.com"})
    assert "sign-in and mail may be down" in said
    said = await warned(catalogue, key, {**SENDER, "domain_name": "orders.example.com"})
    assert "sign-in and mail may be down" not in said
    assert "Mail may not go out" in said
