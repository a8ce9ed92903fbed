"""A write without an answer: sent once, verified by a read, and reported as applied, not_applied or unknown."""

from __future__ import annotations

from typing import Any

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.inspection.target import ReadResult
from saasus_mcp.permissions.policy.presets import UnsafeAllowAllPolicy
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.redaction import NO_SECRETS
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.prepared_call import prepare_call
from saasus_mcp.server.pipeline.verification import verify_outcome
from saasus_mcp.store.store import Store
from tests.support.pipeline import CREDENTIALS, PLACE, PRINCIPAL, StubApi, build_pipeline, match_operation
from tests.support.policies import build_policy, build_rule

RENAME = Call("auth_update_role", {"role_name": "admin", "display_name": "New"}, PRINCIPAL)


def lost(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadError("connection reset", request=request)


async def told(catalogue: Catalogue, store: Store, call: Call, **answers: Any) -> tuple[ToolAnswer, StubApi]:
    api = StubApi(catalogue, answers={key.replace("_", ".", 1): value for key, value in answers.items()})
    given = await build_pipeline(api, store, UnsafeAllowAllPolicy()).run(call)
    assert isinstance(given, ToolAnswer)
    return given, api


def roles(*names: str) -> Any:
    """Return what the list of roles shows, one read after another."""
    shown = iter(names)
    last = [""]

    def answer(_: httpx2.Request) -> dict[str, Any]:
        last[0] = next(shown, last[0])
        return {"roles": [{"role_name": "admin", "display_name": last[0]}]}

    return answer


@pytest.mark.parametrize(
    ("after", "outcome"), [("New", "applied"), ("Old", "not_applied")], ids=["it was done", "it was not"]
)
async def test_an_update_whose_answer_was_lost_is_read_back(
    catalogue: Catalogue, store: Store, after: str, outcome: str
) -> None:
    given, api = await told(catalogue, store, RENAME, auth_UpdateRole=lost, auth_GetRoles=roles("Old", after))
    assert (given.ok, given.applied) == (False, outcome)
    assert f"Outcome: {outcome}. A read of the current state shows" in given.text
    assert len(api.writes) == 1, "read back, never sent again"
    [ended] = [
        record
        for record in store.audit_log.list_records()
        if record["event"] == "ended" and record["applied"] == outcome
    ][-1:]
    assert ended["ok"] is False


async def test_a_write_that_cannot_be_read_back_stays_unknown(catalogue: Catalogue, store: Store) -> None:
    given, api = await told(catalogue, store, RENAME, auth_UpdateRole=lost, auth_GetRoles=lost)
    assert given.applied == "unknown"
    assert "the change may or may not have been made" in given.text
    assert len(api.writes) == 1
    assert [entry.operation for entry in store.undo_log.list_entries()] == ["auth.UpdateRole"], "it may want undoing"


async def test_an_unknown_outcome_counts_against_the_budget(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue, answers={"auth.UpdateRole": lost, "auth.GetRoles": lost})
    behind = build_pipeline(api, store, build_policy(build_rule("all", "allow"), ceilings={"writes_per_minute": 1}))
    for why in ("", "overbudget"):
        given = await behind.run(RENAME)
        assert isinstance(given, ToolAnswer)
        assert given.why == why, given.text
    assert len(api.writes) == 1


async def test_a_deletion_whose_answer_was_lost_is_done_when_its_target_is_gone(
    catalogue: Catalogue, store: Store
) -> None:
    call = Call("auth_delete_tenant", {"tenant_id": "t-1"}, PRINCIPAL)
    missing = httpx2.Response(404, json={"type": "not_found", "message": "no such tenant"})
    given, api = await told(catalogue, store, call, auth_DeleteTenant=lost, auth_GetTenant=missing)
    assert given.applied == "applied"
    assert len(api.writes) == 1


async def test_the_journal_keeps_what_an_update_replaces(catalogue: Catalogue, store: Store) -> None:
    given, _ = await told(catalogue, store, RENAME, auth_GetRoles=roles("Old"))
    assert given.ok
    [entry] = store.undo_log.list_entries()
    assert entry.operation == "auth.UpdateRole"
    assert entry.before == {"role_name": "admin", "display_name": "Old"}


async def test_a_refused_update_leaves_no_entry(catalogue: Catalogue, store: Store) -> None:
    refusal = httpx2.Response(400, json={"type": "bad", "message": "no"})
    given, _ = await told(catalogue, store, RENAME, auth_UpdateRole=refusal, auth_GetRoles=roles("Old"))
    assert not given.ok
    assert store.undo_log.list_entries() == []


@pytest.mark.parametrize(
    ("call", "outcome"),
    [(RENAME, "unknown"), (Call("auth_get_roles", {}, PRINCIPAL), "not_applied")],
    ids=["a write", "a read"],
)
async def test_where_the_server_fails_over_an_answer_it_does_not_say_that_nothing_was_done(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch, call: Call, outcome: str
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr("saasus_mcp.server.pipeline.call_sender.build_answer", broken)
    given, api = await told(catalogue, store, call)
    assert (given.ok, given.applied) == (False, outcome)
    assert "defect" not in given.text
    assert len(api.sent) >= 1
    assert [record["applied"] for record in store.audit_log.list_records() if record["event"] == "ended"][-1] == outcome


@pytest.mark.parametrize("known", [Outcome.APPLIED, Outcome.NOT_APPLIED])
async def test_a_known_outcome_is_not_verified(catalogue: Catalogue, known: Outcome) -> None:
    async def read(*_: object) -> ReadResult:
        raise AssertionError("nothing is read")

    prepared = prepare_call(catalogue.find(RENAME.name), RENAME, NO_SECRETS)
    answer = failed_answer(message("server.failed"), applied=known)
    assert await verify_outcome(prepared, answer, read) is answer


@pytest.mark.parametrize(
    ("name", "arguments", "applied"),
    [
        ("auth_create_role", {"role_name": "viewer", "display_name": "Viewer"}, Outcome.UNKNOWN),
        ("auth_get_roles", {}, Outcome.NOT_APPLIED),
    ],
    ids=["write", "read"],
)
async def test_of_a_write_after_which_the_server_fails_nobody_knows_whether_it_took_effect(
    catalogue: Catalogue, store: Store, name: str, arguments: dict[str, Any], applied: Outcome
) -> None:
    def fail(_: httpx2.Request) -> httpx2.Response:
        raise ArithmeticError("a fault of this program")

    api = StubApi(catalogue, answers={"auth.CreateRole": fail, "auth.GetRoles": fail})
    answer = await build_pipeline(api, store).run(Call(name, arguments, PRINCIPAL))
    assert isinstance(answer, ToolAnswer)
    assert (answer.ok, answer.applied) == (False, applied), answer.text
    [ended] = [record for record in store.audit_log.list_records() if record["event"] == "ended"]
    assert ended["applied"] == applied


class HeldVerification(httpx2.AsyncBaseTransport):
    """An API that loses the answer of a change of a role, and holds the read that verifies it."""

    def __init__(self, api: StubApi) -> None:
        self.reading, self.go_on = anyio.Event(), anyio.Event()
        self._api, self._changed = api, False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if match_operation(self._api.catalogue, request).key == "auth.UpdateRole":
            self._changed = True
        elif self._changed:
            self.reading.set()
            await self.go_on.wait()
        return await self._api.transport().handle_async_request(request)


async def test_a_client_that_cancels_a_write_of_unknown_outcome_does_not_end_its_verification(
    catalogue: Catalogue, store: Store
) -> None:
    api = HeldVerification(StubApi(catalogue, answers={"auth.UpdateRole": lost, "auth.GetRoles": roles("Old", "New")}))
    pipeline = Pipeline(
        catalogue=catalogue,
        policy=UnsafeAllowAllPolicy(),
        client=ApiClient(CREDENTIALS, transport=api),
        open_store=lambda: store,
        encryptor=Encryptor.ephemeral(),
        destination=PLACE,
    )
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(pipeline.run, RENAME)
            await api.reading.wait()
            group.cancel_scope.cancel()
            api.go_on.set()
    [begun] = [each for each in store.audit_log.list_records() if each.get("operation") == "auth.UpdateRole"]
    [ended] = [
        each for each in store.audit_log.list_records() if each["call"] == begun["call"] and each["event"] == "ended"
    ]
    assert (ended["ok"], ended["applied"]) == (False, "applied")
    assert [entry.call for entry in store.undo_log.list_entries()] == [begun["call"]]
