"""What a person does in the console: approves by typing the name, rejects, freezes, reveals."""

from __future__ import annotations

import re

import httpx2
import pytest

from saasus_mcp.common.messages import message
from saasus_mcp.permissions.approval.approvals import WAIT_AFTER_REJECTION
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_value
from saasus_mcp.permissions.secrets.secret_vault import SecretCollector, SecretVault
from saasus_mcp.store.records import Freeze, ProofUse
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


async def test_an_expired_approval_cannot_be_approved(stage: ConsoleSession) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        stage.now = NOW + 901
        answer = await decide(client, "approve", name="株式会社青空")
    assert answer.status_code == 409
    assert "It is no longer pending" in answer.text
    assert stage.approval_status() == "stale"


@pytest.mark.parametrize(
    ("applied", "mark"), [("applied", "good"), ("not_applied", "loud"), ("unknown", "loud"), ("", "sheet")]
)
async def test_a_used_approval_says_how_the_call_ended(stage: ConsoleSession, applied: str, mark: str) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        await decide(client, "approve", name="株式会社青空")
        record = {"operation": "auth.DeleteTenant", "principal": "bob", "proof": "approval", "proof_id": "ABCD-2345"}
        stage.store.commit("call-1", record, NOW + 5, ProofUse("approval", "ABCD-2345"))
        if applied:
            stage.store.finish_call("call-1", {"ok": applied == "applied", "applied": applied}, NOW + 6)
        page = (await client.get("/console/approvals/ABCD-2345")).text
    assert message("console_audit.outcome.{}".format(applied or "open")).text("en") in page
    assert f'<div class="{mark}" role="status">' in page


async def test_a_rejection_says_from_when_the_call_can_be_requested_again(stage: ConsoleSession) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        await decide(client, "reject")
        waiting = (await client.get("/console/approvals/ABCD-2345")).text
        stage.now = NOW + WAIT_AFTER_REJECTION
        over = (await client.get("/console/approvals/ABCD-2345")).text
    again = message("console.now.rejected").text("en")
    assert "requested again from" in waiting
    assert again not in waiting
    assert again in over


async def test_an_expired_approval_says_when_it_expired(stage: ConsoleSession) -> None:
    stage.create_approval()
    stage.now = NOW + 901
    async with stage.signed_in(**{"accept-language": "ja"}) as client:
        [until] = {row.expires_at for row in stage.store.list_approvals(stage.now)}
        shown = format_value(Timestamp(until), Reader.of("ja"))
        assert shown.rpartition(" ")[0] in (await client.get("/console/approvals/ABCD-2345")).text
        assert shown.split(" ")[-2] in (await client.get("/console")).text


@pytest.mark.parametrize(("principal", "said"), [("alice", True), ("bob", False)])
async def test_the_page_says_whether_the_reader_made_the_request(
    stage: ConsoleSession, principal: str, said: bool
) -> None:
    stage.create_approval(principal=principal)
    async with stage.signed_in() as client:
        page = (await client.get("/console/approvals/ABCD-2345")).text
    assert (message("console.own_request").text("en") in page) is said


async def test_where_two_people_are_wanted_the_one_who_asked_is_not_shown_the_form(stage: ConsoleSession) -> None:
    stage.create_approval(principal="alice", two_person=True)
    async with stage.signed_in() as client:
        page = await client.get("/console/approvals/ABCD-2345")
        answer = await decide(client, "approve", name="株式会社青空")
    assert "someone other than alice" in page.text
    assert 'action="/console/approve"' not in page.text
    assert answer.status_code == 422
    assert stage.approval_status() == "pending"


async def test_a_question_that_cannot_be_shown_cannot_be_approved(stage: ConsoleSession) -> None:
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
        await lift(client)
    assert stage.store.active_freeze() is None


async def lift(client: httpx2.AsyncClient, **changed: str) -> httpx2.Response:
    """Send the form that lifts the freeze, as the page shows it and a person fills it in."""
    page = await client.get("/console/limits")
    [form] = re.findall(r'<form method="post" action="/console/unfreeze">.*?</form>', page.text, re.DOTALL)
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))
    return await client.post("/console/unfreeze", data={**fields, "sure": "yes", **changed})


@pytest.mark.parametrize("sure", ["", "no", "on"])
async def test_a_freeze_is_lifted_only_by_who_confirms_it(stage: ConsoleSession, sure: str) -> None:
    stage.store.freeze(Freeze(stage.now, "bob", "調査中", "production"))
    async with stage.signed_in() as client:
        answer = await lift(client, sure=sure)
    assert answer.status_code == 422
    assert str(message("console.unfreeze_not_sure")) in answer.text
    assert "調査中" in answer.text, "the page shows the freeze, which still holds"
    assert stage.store.active_freeze() is not None
    assert not stage.store.audit_log.list_records()


async def test_a_page_from_before_does_not_lift_the_freeze_that_came_after(stage: ConsoleSession) -> None:
    stage.store.freeze(Freeze(stage.now, "bob", "first", "production"))
    async with stage.signed_in() as client:
        seen = str(message("console.freeze_changed"))
        stage.store.freeze(Freeze(stage.now + 1, "bob", "second", "production"))
        replaced = await lift(client, seen=repr(stage.now))
        assert (replaced.status_code, seen in replaced.text, "second" in replaced.text) == (409, True, True)
        assert (await lift(client)).status_code == 303
        again = await decide(client, "unfreeze", profile="production", sure="yes", seen=repr(stage.now + 1))
    assert (again.status_code, seen in again.text) == (409, True)
    assert [each["action"] for each in stage.store.audit_log.list_records()] == ["unfreeze"], "one record of one act"


@pytest.mark.parametrize("action", ["freeze", "unfreeze"])
async def test_a_freeze_of_an_unknown_profile_is_refused_as_such(stage: ConsoleSession, action: str) -> None:
    async with stage.signed_in() as client:
        answer = await decide(client, action, profile="nowhere", sure="yes")
    assert answer.status_code == 409
    assert str(message("console.refused.unknown")) not in answer.text, "nothing is about an approval"
    assert str(message("hosting.unknown_profile")) in answer.text


async def test_a_secret_is_revealed_once(stage: ConsoleSession) -> None:
    hiding = SecretCollector()
    handle = hiding.add("hush-hush & <more>")
    SecretVault(stage.store, stage.console.service.encryptor, lambda: NOW).store_secrets(hiding, "bob", "production")
    async with stage.signed_in() as client:
        first = await decide(client, "reveal", handle=handle)
        assert "hush-hush &amp; &lt;more&gt;" in first.text
        assert (await decide(client, "reveal", handle=handle)).status_code == 422
