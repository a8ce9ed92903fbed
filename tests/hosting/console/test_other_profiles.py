"""What is of a profile that is not theirs is not there for a person in the console."""

from __future__ import annotations

from dataclasses import replace

from saasus_mcp.permissions.secrets.secret_vault import SecretCollector, SecretVault
from tests.support.approvals import NOW
from tests.support.console import ConsoleSession, decide


async def test_a_profile_that_is_not_theirs_is_not_there(stage: ConsoleSession) -> None:
    stage.create_approval()
    room = replace(stage.console.service.list_contexts()[0], groups=frozenset({"others"}))
    stage.console = replace(stage.console, service=replace(stage.console.service, list_contexts=lambda: [room]))
    stage.serve()
    async with stage.signed_in() as client:
        assert "ABCD-2345" not in (await client.get("/console")).text
        assert (await client.get("/console/approvals/ABCD-2345")).status_code == 404
        assert (await decide(client, "approve", name="株式会社青空")).status_code == 409
    assert stage.approval_status() == "pending"


async def test_a_profile_that_is_not_theirs_is_not_frozen(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        for profile in ("", "staging"):
            assert (await decide(client, "freeze", profile=profile, code="")).status_code == 409
    assert stage.store.active_freeze() is None


async def test_a_secret_of_a_profile_that_is_not_theirs_is_not_revealed(stage: ConsoleSession) -> None:
    hiding = SecretCollector()
    handle = hiding.add("hush-hush")
    SecretVault(stage.store, stage.console.service.encryptor, lambda: NOW).store_secrets(hiding, "bob", "staging")
    async with stage.signed_in() as client:
        assert (await decide(client, "reveal", handle=handle)).status_code == 422
    assert (
        SecretVault(stage.store, stage.console.service.encryptor, lambda: NOW).reveal(
            handle, by="local:me", via="terminal"
        )
        == "hush-hush"
    )


async def test_the_audit_of_a_profile_that_is_not_theirs_is_not_shown(stage: ConsoleSession) -> None:
    stage.store.record_refusal("call-1", {"operation": "auth.GetTenant", "principal": "bob", "profile": "staging"}, NOW)
    async with stage.signed_in() as client:
        assert "auth.GetTenant" not in (await client.get("/console/audit")).text
