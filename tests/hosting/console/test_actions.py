"""What a person does in the console: approves by typing the name, rejects, freezes, reveals."""

from __future__ import annotations

import pytest

from saasus_mcp.common.messages import message
from saasus_mcp.permissions.approval.approvals import WAIT_AFTER_REJECTION
from saasus_mcp.permissions.secrets.secret_vault import SecretCollector, SecretVault
from tests.support.approvals import NOW
from tests.support.console import ConsoleSession, decide


async def test_an_approval_is_given_by_typing_the_name(stage: ConsoleSession) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        answer = await decide(client, "approve", name="株式会社青空")
    assert answer.headers["location"] == "/console/approvals/ABCD-2345"
    [approval] = stage.store.list_approvals(NOW)
    assert (approval.status, approval.decided_by) == ("approved", "alice")


@pytest.mark.parametrize("typed", ["", "株式会社", "ABCD-2345", "yes"])
async def test_another_name_approves_nothing(stage: ConsoleSession, typed: str) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        answer = await decide(client, "approve", name=typed)
    assert answer.status_code == 422
    assert str(message("console.refused.declined")) in answer.text
    assert f'value="{typed}"' in answer.text, "what was typed is there to be corrected"
    assert stage.approval_status() == "pending"


async def test_a_rejection_keeps_its_reason(stage: ConsoleSession) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        await decide(client, "reject", reason="契約確認中")
    [approval] = stage.store.list_approvals(NOW)
    assert (approval.status, approval.reason) == ("rejected", "契約確認中")
    assert approval.retry_at == NOW + WAIT_AFTER_REJECTION


async def test_what_has_expired_is_approved_no_more(stage: ConsoleSession) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        stage.now = NOW + 901
        answer = await decide(client, "approve", name="株式会社青空")
    assert answer.status_code == 409
    assert "It is no longer pending" in answer.text
    assert stage.approval_status() == "stale"


async def test_where_two_people_are_wanted_the_one_who_asked_is_not_shown_the_form(stage: ConsoleSession) -> None:
    stage.create_approval(principal="alice", two_person=True)
    async with stage.signed_in() as client:
        page = await client.get("/console/approvals/ABCD-2345")
        answer = await decide(client, "approve", name="株式会社青空")
    assert "someone other than alice" in page.text
    assert 'action="/console/approve"' not in page.text
    assert answer.status_code == 422
    assert stage.approval_status() == "pending"


async def test_what_cannot_be_shown_cannot_be_approved(stage: ConsoleSession) -> None:
    stage.create_approval(preview="{}")
    async with stage.signed_in() as client:
        page = await client.get("/console/approvals/ABCD-2345")
        answer = await decide(client, "approve", name="株式会社青空")
    assert "this version cannot show it" in page.text
    assert 'action="/console/approve"' not in page.text
    assert 'action="/console/reject"' in page.text
    assert answer.status_code == 422
    assert stage.approval_status() == "pending"


async def test_freezing_holds_writes_until_it_is_lifted(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        await decide(client, "freeze", reason="調査中", profile="production")
        frozen = stage.store.active_freeze()
        assert frozen is not None
        assert (frozen.by, frozen.reason) == ("alice", "調査中")
        assert "調査中" in (await client.get("/console/limits")).text
        await decide(client, "unfreeze", profile="production")
    assert stage.store.active_freeze() is None


async def test_a_secret_is_revealed_once(stage: ConsoleSession) -> None:
    hiding = SecretCollector()
    handle = hiding.add("hush-hush & <more>")
    SecretVault(stage.store, stage.console.service.encryptor, lambda: NOW).store_secrets(hiding, "bob", "production")
    async with stage.signed_in() as client:
        first = await decide(client, "reveal", handle=handle)
        assert "hush-hush &amp; &lt;more&gt;" in first.text
        assert (await decide(client, "reveal", handle=handle)).status_code == 422
