"""What is of a profile that is not theirs is not there for a person in the console."""

from __future__ import annotations

from dataclasses import replace

from saasus_mcp.permissions.handles import Handles, Hiding
from tests.approvals import NOW
from tests.console.stage import Stage, decide


async def test_a_profile_that_is_not_theirs_is_not_there(stage: Stage) -> None:
    stage.asked()
    room = replace(stage.console.desk.rooms()[0], groups=frozenset({"others"}))
    stage.console = replace(stage.console, desk=replace(stage.console.desk, rooms=lambda: [room]))
    stage.serve()
    async with stage.signed_in() as client:
        assert "ABCD-2345" not in (await client.get("/console")).text
        assert (await client.get("/console/approvals/ABCD-2345")).status_code == 404
        assert (await decide(client, "approve", name="株式会社青空")).status_code == 409
    assert stage.status() == "pending"


async def test_a_profile_that_is_not_theirs_is_not_frozen(stage: Stage) -> None:
    async with stage.signed_in() as client:
        for profile in ("", "staging"):
            assert (await decide(client, "freeze", profile=profile, code="")).status_code == 409
    assert stage.store.frozen() is None


async def test_a_secret_of_a_profile_that_is_not_theirs_is_not_revealed(stage: Stage) -> None:
    hiding = Hiding()
    handle = hiding.hide("hush-hush")
    Handles(stage.store, stage.console.desk.sealer, lambda: NOW).keep(hiding, "bob", "staging")
    async with stage.signed_in() as client:
        assert (await decide(client, "reveal", handle=handle)).status_code == 422
    assert (
        Handles(stage.store, stage.console.desk.sealer, lambda: NOW).reveal(handle, by="local:me", via="terminal")
        == "hush-hush"
    )


async def test_the_audit_of_a_profile_that_is_not_theirs_is_not_shown(stage: Stage) -> None:
    stage.store.refuse("call-1", {"operation": "auth.GetTenant", "principal": "bob", "profile": "staging"}, NOW)
    async with stage.signed_in() as client:
        assert "auth.GetTenant" not in (await client.get("/console/audit")).text
