"""The audit record starts before the send and ends after it, and one consent allows one send in any race."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt, ConfirmationReply
from saasus_mcp.permissions.policy.model import Decision, PolicyInput
from saasus_mcp.permissions.policy.presets import UnsafeAllowAllPolicy
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline import audit_recorder
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.store.errors import StoreError, StoreUnavailable
from saasus_mcp.store.records import Freeze
from saasus_mcp.store.store import Store
from tests.support.arguments import complete_arguments
from tests.support.gate import Clock, reply_text, run_over_operations, start_session, type_name
from tests.support.pipeline import CREDENTIALS, PRINCIPAL, StubApi, accept_question, build_pipeline
from tests.support.variants import sample_operations

REMOVAL = "auth.DeleteTenantUser"
WHO = {"tenant_id": "t-1", "user_id": "u-1"}


class DeferredAnswer:
    """Answers with a later call, as protocol 2026-07-28 does."""

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        return None


def call(name: str, arguments: dict[str, Any], **given: Any) -> Call:
    return Call(name, arguments, PRINCIPAL, **given)


def events(store: Store, key: str) -> list[str]:
    """Return the audit events of one operation's calls, in order."""
    ids = {record["call"] for record in store.audit_log.list_records() if record.get("operation") == key}
    return [record["event"] for record in store.audit_log.list_records() if record["call"] in ids]


@pytest.mark.slow
async def test_the_audit_is_begun_before_anything_is_sent(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    found: dict[str, str] = {}
    clock = Clock()

    def looking(operation: Operation) -> Any:
        def answer(_: httpx2.Request) -> None:
            last = store.audit_log.list_records(since=clock.now)[-1]
            if (last["event"], last.get("operation")) != ("begun", operation.key):
                found[operation.key] = str(last)

        return answer

    operations = sample_operations(catalogue, "the audit is begun")
    api.answers = {operation.key: looking(operation) for operation in catalogue}
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy(), clock=clock)
    for operation in operations:
        clock.now += 1
        await behind.run(call(operation.tool, complete_arguments(operation)))
    assert found == {}
    for operation in operations:
        assert api.to(operation), operation.key
    own = [record for record in store.audit_log.list_records() if record["event"] == "begun" and "parent" not in record]
    assert [record["operation"] for record in own] == [operation.key for operation in operations]
    assert len([record for record in store.audit_log.list_records() if record["event"] == "ended"]) == len(api.sent)


async def test_no_write_is_sent_when_the_audit_cannot_be_begun_and_reads_warn(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError.of("store.unusable", reason="disk is full")

    monkeypatch.setattr(store, "commit", full)
    api = StubApi(catalogue)
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy())
    for operation in sample_operations(catalogue, "the audit cannot be begun"):
        given = await behind.run(call(operation.tool, complete_arguments(operation)))
        assert isinstance(given, ToolAnswer)
        assert given.applied == "not_applied", operation.key
        assert given.ok == operation.reads, operation.key
        assert operation.reads or "disk is full" in given.text
    assert api.writes == []
    assert "a read was not audited" in caplog.text


class ConfirmEverythingPolicy(UnsafeAllowAllPolicy):
    """Asks a person about every call, reads too."""

    def decide(self, call: PolicyInput) -> Decision:
        return replace(super().decide(call), outcome="confirm")


async def test_a_read_that_needed_a_consent_is_not_sent_when_the_consent_cannot_be_used_up(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError.of("store.unusable", reason="disk is full")

    api = StubApi(catalogue)
    behind = build_pipeline(api, store, ConfirmEverythingPolicy())
    asking = await behind.run(call("auth.GetRoles", {}, elicitor=DeferredAnswer()))
    assert isinstance(asking, PendingElicitation)
    again = call(
        "auth.GetRoles",
        {},
        elicitor=DeferredAnswer(),
        reply=ConfirmationReply(ClientAnswer("accept", {"confirm": True}), asking.state),
    )
    with monkeypatch.context() as patched:
        patched.setattr(store, "commit", full)
        for _ in range(2):
            refused = await behind.run(again)
            assert isinstance(refused, ToolAnswer)
            assert not refused.ok
            assert "disk is full" in refused.text
    assert api.to(catalogue.find("auth.GetRoles")) == []
    sent = await behind.run(again)
    assert isinstance(sent, ToolAnswer)
    assert sent.ok, "the same consent still allows one send"


async def test_a_read_that_is_a_step_of_a_job_is_not_sent_when_the_step_cannot_be_used_up(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError.of("store.unusable", reason="disk is full")

    api = StubApi(catalogue)
    monkeypatch.setattr(store, "commit", full)
    refused = await build_pipeline(api, store).run(call("auth.GetRoles", {}, job_step=JobStepRef("job-1", "step 1")))
    assert isinstance(refused, ToolAnswer)
    assert "disk is full" in refused.text
    assert api.to(catalogue.find("auth.GetRoles")) == []


async def test_a_send_is_reported_even_when_its_end_cannot_be_audited(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise StoreError.of("store.unusable", reason="disk is full")

    monkeypatch.setattr(store, "finish_call", full)
    given = await build_pipeline(StubApi(catalogue), store).run(
        call("auth.CreateRole", complete_arguments(catalogue.find("auth.CreateRole")))
    )
    assert isinstance(given, ToolAnswer)
    assert given.ok
    assert "could not be audited" in caplog.text


@pytest.mark.parametrize("committed", [False, True], ids=["nothing was written", "only the confirmation was lost"])
async def test_the_end_of_a_write_is_audited_once_when_the_database_restarts_meanwhile(
    catalogue: Catalogue,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    committed: bool,
) -> None:
    finish, failures = store.finish_call, iter([True, True])

    def restarting(*given: Any, **options: Any) -> None:
        fails = next(failures, False)
        if committed or not fails:
            finish(*given, **options)
        if fails:
            raise StoreUnavailable.of("store.database_failed")

    monkeypatch.setattr(audit_recorder, "END_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(store, "finish_call", restarting)
    given = await build_pipeline(StubApi(catalogue), store).run(
        call("auth.CreateRole", complete_arguments(catalogue.find("auth.CreateRole")))
    )
    assert isinstance(given, ToolAnswer)
    assert given.ok
    assert [record["event"] for record in store.audit_log.list_records()] == ["begun", "ended"]
    assert store.audit_log.list_records()[-1]["applied"] == "applied"
    assert "could not be audited" not in caplog.text


@pytest.mark.slow
async def test_refusals_are_audited_with_their_reason(catalogue: Catalogue) -> None:
    decline = types.ElicitResult(action="decline")
    async with start_session(catalogue, "legacy", lambda _: decline) as stage:
        graver, attempted = [each for each in catalogue if each.level in ("destructive", "critical")], list[Operation]()

        async def attempt(operation: Operation) -> None:
            attempted.append(operation)
            await stage.call(operation)

        assert await run_over_operations(stage, graver, attempt) == {}
        refused = {
            record["operation"]: record
            for record in stage.store.audit_log.list_records()
            if record["event"] == "refused"
        }
    assert set(refused) == {operation.key for operation in attempted}
    for operation in attempted:
        record = refused[operation.key]
        assert record["refused"] == ("declined" if operation.level == "destructive" else "approval"), record
        assert record["principal"] == f"local:{operation.key}"
        assert record["rule"] == f"guarded/{operation.level}"


async def test_a_second_use_of_one_yes_is_audited_as_refused(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "2026-07-28", accept_question) as stage:
        operation = catalogue.find(REMOVAL)
        name, state = await stage.request_question(operation)
        for _ in range(2):
            await stage.call_round(operation, answer=type_name(name), state=state)
        assert len(stage.api.writes) == 1
        records = stage.store.audit_log.list_records()
        asked, used = [record for record in records if record["event"] == "refused"]
        assert (asked["refused"], used["refused"]) == ("confirmation", "alreadyused"), "the second answer was refused"
        (sent,) = [each for each in records if each["event"] == "begun" and each["operation"] == REMOVAL]
        assert "proof" not in asked
        for member in ("proof", "proof_id", "by"):
            assert used[member] == sent[member] != "", "the refusal states whose consent was used twice"


async def test_a_refusal_by_a_freeze_states_who_had_consented(catalogue: Catalogue, store: Store) -> None:
    behind = build_pipeline(StubApi(catalogue), store)
    asking = await behind.run(call(REMOVAL, WHO, elicitor=DeferredAnswer()))
    assert isinstance(asking, PendingElicitation)
    reply = ConfirmationReply(ClientAnswer("accept", {"name": asking.prompt.name}), asking.state)
    store.freeze(Freeze(at=1.0, by="admin", reason="incident", profile=""))
    await behind.run(call(REMOVAL, WHO, elicitor=DeferredAnswer(), reply=reply))
    refused = [record for record in store.audit_log.list_records() if record["event"] == "refused"][-1]
    assert refused["refused"] == "frozen"
    assert refused["by"]
    assert refused["proof"]
    assert refused["proof_id"]


async def test_reads_for_a_preview_are_audited_as_children_of_their_call(catalogue: Catalogue, store: Store) -> None:
    behind = build_pipeline(StubApi(catalogue), store)
    asking = await behind.run(call(REMOVAL, WHO, elicitor=DeferredAnswer()))
    assert isinstance(asking, PendingElicitation)
    reads = [record for record in store.audit_log.list_records() if record["event"] == "begun"]
    assert reads[0]["operation"] == "auth.GetTenantUser"
    assert all(record["parent"] == reads[0]["parent"] != "" for record in reads)


async def test_two_answers_at_once_to_one_question_send_once(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    behind = build_pipeline(api, store)
    asking = await behind.run(call(REMOVAL, WHO, elicitor=DeferredAnswer()))
    assert isinstance(asking, PendingElicitation)
    answer = ClientAnswer("accept", {"name": asking.prompt.name})
    again = call(REMOVAL, WHO, elicitor=DeferredAnswer(), reply=ConfirmationReply(answer, asking.state))
    given = await at_once(lambda: behind.run(again), 8)
    assert len(api.writes) == 1
    assert [answer.ok for answer in given].count(True) == 1
    assert all("already used" in answer.text for answer in given if not answer.ok)


async def test_two_calls_at_once_with_one_approval_send_once(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "2026-07-28", accept_question) as stage:
        operation = catalogue.find("auth.DeleteTenant")
        approval = stage.pending(await stage.call(operation))
        stage.approvals.approve(approval, approval.name, "local:person", stage.clock())
        given = await at_once(lambda: stage.call(operation), 8)
        assert len(stage.api.writes) == 1
        assert [result.is_error for result in given].count(False) == 1, [reply_text(result) for result in given]


async def at_once(make: Any, count: int) -> list[Any]:
    results: list[Any] = []

    async def one() -> None:
        results.append(await make())

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(one)
    return results


class GatedApi(httpx2.AsyncBaseTransport):
    """An API that answers a request when the test lets it."""

    def __init__(self) -> None:
        self.arrived = anyio.Event()
        self.let = anyio.Event()
        self.answered = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.arrived.set()
        await self.let.wait()
        self.answered += 1
        return httpx2.Response(200, json={"role_name": "admin"})


async def cancel_while_waiting(catalogue: Catalogue, store: Store, key: str) -> GatedApi:
    """Run a call, cancel it while the API has the request, then let the API answer."""
    transport = GatedApi()
    behind = build_pipeline(StubApi(catalogue), store, UnsafeAllowAllPolicy())
    behind.client = ApiClient(CREDENTIALS, transport=transport)
    async with anyio.create_task_group() as group:
        group.start_soon(behind.run, call(key, complete_arguments(catalogue.find(key))))
        await transport.arrived.wait()
        group.cancel_scope.cancel()
        transport.let.set()
    return transport


async def test_a_write_whose_client_goes_away_is_finished_and_audited(catalogue: Catalogue, store: Store) -> None:
    transport = await cancel_while_waiting(catalogue, store, "auth.CreateRole")
    assert transport.answered == 1
    begun, ended = store.audit_log.list_records()
    assert (begun["event"], ended["event"]) == ("begun", "ended")
    assert (ended["ok"], ended["applied"]) == (True, "applied")


async def test_a_read_whose_client_goes_away_is_dropped_and_still_ended_in_the_audit(
    catalogue: Catalogue, store: Store
) -> None:
    transport = await cancel_while_waiting(catalogue, store, "auth.GetRoles")
    assert transport.answered == 0
    begun, ended = store.audit_log.list_records()
    assert (begun["event"], ended["event"]) == ("begun", "ended")
    assert (ended["ok"], ended["applied"]) == (False, "not_applied")


class LossyApi(httpx2.AsyncBaseTransport):
    """An API that loses the answer to a write, and answers the verifying read when the test lets it."""

    def __init__(self) -> None:
        self.looked = anyio.Event()
        self.let = anyio.Event()
        self.name = "Old"

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "GET":
            self.name = "New"
            raise httpx2.ReadError("connection reset", request=request)
        if self.name == "New":
            self.looked.set()
            await self.let.wait()
        return httpx2.Response(200, json={"roles": [{"role_name": "admin", "display_name": self.name}]})


async def test_the_audit_is_true_when_the_client_goes_away_during_the_read_back(
    catalogue: Catalogue, store: Store
) -> None:
    transport = LossyApi()
    behind = build_pipeline(StubApi(catalogue), store, UnsafeAllowAllPolicy())
    behind.client = ApiClient(CREDENTIALS, transport=transport)
    async with anyio.create_task_group() as group:
        group.start_soon(behind.run, call("auth_update_role", {"role_name": "admin", "display_name": "New"}))
        await transport.looked.wait()
        group.cancel_scope.cancel()
        transport.let.set()
    begun = next(record for record in store.audit_log.list_records() if record.get("operation") == "auth.UpdateRole")
    ended = next(r for r in store.audit_log.list_records() if (r["call"], r["event"]) == (begun["call"], "ended"))
    assert ended["applied"] == "applied"


async def test_a_call_for_which_nobody_could_be_asked_is_audited_as_refused(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError.of("store.unusable", reason="disk is full")

    monkeypatch.setattr(store, "request_approval", full)
    api = StubApi(catalogue)
    given = await build_pipeline(api, store).run(call("auth_delete_tenant", {"tenant_id": "t-1"}))
    assert isinstance(given, ToolAnswer)
    assert (given.ok, "disk is full" in given.text) == (False, True)
    assert api.writes == []
    assert events(store, "auth.DeleteTenant") == ["refused"]
