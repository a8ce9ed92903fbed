"""The policy at the time of the send decides, not the policy at the time of the question. A declined call stays declined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt, ConfirmationReply
from saasus_mcp.permissions.policy.presets import UnsafeAllowAllPolicy
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.undo import Undoer, plan_undo
from saasus_mcp.store.records import Freeze
from saasus_mcp.store.store import Store
from tests.support.gate import APPROVAL_CODE
from tests.support.pipeline import PLACE, PRINCIPAL, StubApi, build_pipeline
from tests.support.reloadable_pipeline import (
    ARGUMENTS,
    RULES,
    TENANT,
    DeferredAnswer,
    Person,
    ReloadablePipeline,
    users,
)

DENIED = RULES.replace("then: confirm", "then: deny, reason: not today")
APPROVED = RULES.replace("then: confirm", "then: approve")
ALLOWED = RULES.replace("then: confirm", "then: allow")
FEW = (
    RULES
    + "  - {name: many, tools: [auth_delete_tenant], when: impact.users > 2, then: deny, reason: off-board first}\n"
)
VOTES = """\
version: 1
rules:
  - {name: look, levels: [read], then: allow}
  - {name: vote, tools: [communication_create_vote_user], when: target.count >= 0, then: allow}
  - {name: take back, tools: [communication_delete_vote_for_feedback], then: allow}
"""
VOTE = {"feedback_id": "f-1", "user_id": "u-1"}


@pytest.mark.parametrize(("rules", "said"), [(DENIED, "not today"), (APPROVED, "approve")], ids=["deny", "approve"])
async def test_a_yes_on_the_screen_is_void_once_the_policy_is_stricter(
    catalogue: Catalogue, store: Store, tmp_path: Path, rules: str, said: str
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path)
    person = Person(lambda: gate.rewritten(rules))
    given = await gate.called(elicitor=person)
    assert len(person.asked) == 1
    assert not given.ok
    assert said in given.text
    assert gate.api.writes == []


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (RULES, DENIED, "denied"),
        (RULES, APPROVED, "stricter"),
        (ALLOWED, RULES, "stricter"),
        (APPROVED, APPROVED + "two_person: true\n", "stricter"),
    ],
    ids=["denied", "to be approved", "to be confirmed", "by another person"],
)
async def test_a_policy_that_becomes_stricter_while_a_call_waits_for_a_slot_holds_and_uses_nothing_up(
    catalogue: Catalogue, store: Store, tmp_path: Path, before: str, after: str, reason: str
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path, before)
    if before == APPROVED:
        approve_as(store, gate, PRINCIPAL.id, await gate.called())
    gate.queue.meanwhile = lambda: gate.rewritten(after)
    given = await gate.called(elicitor=Person(lambda: None))
    assert (given.ok, given.applied, given.why) == (False, Outcome.NOT_APPLIED, reason), given.text
    assert gate.api.writes == []
    refused = [each for each in store.audit_log.list_records() if each["event"] == "refused"]
    assert refused[-1]["refused"] == reason
    gate.rewritten(before)
    assert (await gate.called(elicitor=Person(lambda: None))).ok, "a consent was not used up"


@pytest.mark.parametrize(("before", "after"), [(RULES, ALLOWED), (RULES, RULES), (APPROVED, RULES)])
async def test_a_policy_that_does_not_become_stricter_while_a_call_waits_lets_it_go_once(
    catalogue: Catalogue, store: Store, tmp_path: Path, before: str, after: str
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path, before)
    if before == APPROVED:
        approve_as(store, gate, PRINCIPAL.id, await gate.called())
    gate.queue.meanwhile = lambda: gate.rewritten(after)
    given = await gate.called(elicitor=Person(lambda: None))
    assert given.ok, given.text
    assert len(gate.api.writes) == 1


@pytest.mark.parametrize("before", [ALLOWED, RULES, APPROVED], ids=["allowed", "confirmed", "approved"])
async def test_a_write_whose_time_ends_while_it_waits_for_a_slot_is_not_sent_and_uses_nothing_up(
    catalogue: Catalogue, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path, before)
    if before == APPROVED:
        approve_as(store, gate, "local:boss", await gate.called())
    with monkeypatch.context() as late:
        gate.queue.meanwhile = lambda: late.setattr(Deadline, "seconds_left", lambda _: 0.0)
        given = await gate.called(elicitor=Person(lambda: None))
    assert (given.ok, given.applied, given.why) == (False, Outcome.NOT_APPLIED, "late"), given.text
    assert gate.api.writes == []
    records = [each for each in store.audit_log.list_records() if each.get("operation") == "auth.DeleteTenant"]
    assert [each["event"] for each in records][-1] == "refused"
    assert "begun" not in [each["event"] for each in records], "nothing was committed"
    assert store.undo_log.list_entries() == []
    assert (await gate.called(elicitor=Person(lambda: None))).ok, "a consent was not used up"
    assert len(gate.api.writes) == 1


async def test_a_freeze_while_a_call_waits_for_a_slot_holds_it_back(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path, ALLOWED)
    gate.queue.meanwhile = lambda: store.freeze(Freeze(0.0, "local:person", "stop"))
    given = await gate.called()
    assert (given.ok, given.why) == (False, "frozen")
    assert gate.api.writes == []


async def test_a_policy_that_becomes_stricter_between_the_two_decisions_on_an_undo_holds_it_back(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path, VOTES)
    votes: list[dict[str, str]] = []
    meanwhile: list[str] = []

    def read_feedback(_: httpx2.Request) -> dict[str, Any]:
        if meanwhile:
            gate.rewritten(meanwhile.pop())
        return {"id": "f-1", "feedback_title": "Dark mode", "count": len(votes), "users": list(votes)}

    gate.api.answers["communication.GetFeedback"] = read_feedback
    given = await gate.behind.run(Call("communication_create_vote_user", VOTE, PRINCIPAL))
    assert isinstance(given, ToolAnswer)
    assert given.ok, given.text
    votes.append({"user_id": "u-1"})
    [entry] = store.undo_log.list_entries()
    [step] = (plan := plan_undo(catalogue, entry, Undoer(PRINCIPAL), PLACE)).steps
    meanwhile.append(VOTES.replace("feedback], then: allow", "feedback], then: deny"))
    given = await gate.behind.run(plan.call_for(step, {}, PRINCIPAL))
    assert not meanwhile, "the policy changed"
    assert isinstance(given, ToolAnswer)
    assert (given.ok, given.why) == (False, "denied"), given.text
    assert len(gate.api.writes) == 1


def approve_as(store: Store, gate: ReloadablePipeline, person: str, given: ToolAnswer) -> None:
    """Approve the call that was just refused."""
    found = APPROVAL_CODE.search(given.text)
    assert found
    approvals = ApprovalService(store)
    approval = approvals.find_pending(found[1], gate.clock())
    approvals.approve(approval, approval.name, person, gate.clock())


async def test_a_call_that_a_person_rejected_outside_the_client_is_not_asked_about_in_it(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path)
    found = APPROVAL_CODE.search((await gate.called()).text)
    assert found
    approvals = ApprovalService(store)
    approvals.reject(approvals.find_pending(found[1], gate.clock()), "local:person", gate.clock())
    person = Person(lambda: None)
    given = await gate.called(elicitor=person)
    assert (given.ok, given.why) == (False, "rejected"), given.text
    assert person.asked == []
    assert gate.api.writes == []


async def test_live_state_that_changes_while_the_person_thinks_decides(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path, FEW)
    person = Person(lambda: gate.api.answers.update({"auth.GetAllTenantUsers": users(3)}))
    given = await gate.called(elicitor=person)
    assert "off-board first" in given.text
    assert gate.api.writes == []


@pytest.mark.parametrize("rules", [ALLOWED, APPROVED, RULES], ids=["allow", "approve", "confirm"])
async def test_a_rejection_holds_even_after_the_policy_stops_asking(
    catalogue: Catalogue, store: Store, tmp_path: Path, rules: str
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path)

    def rewrite() -> None:
        gate.clock.now += 10
        gate.rewritten(rules)

    given = await gate.called(elicitor=Person(rewrite, ClientAnswer("decline")))
    assert "chose to decline" in given.text
    gate.rewritten(RULES)
    asking = await gate.behind.run(Call("auth_delete_tenant", ARGUMENTS, PRINCIPAL, elicitor=DeferredAnswer()))
    assert isinstance(asking, PendingElicitation)
    gate.rewritten(rules)
    gate.clock.now += 10
    given = await gate.called(elicitor=DeferredAnswer(), reply=ConfirmationReply(ClientAnswer("decline"), asking.state))
    assert "chose to decline" in given.text
    assert APPROVAL_CODE.search(given.text) is None, "a no asks for no approval either"
    assert gate.api.writes == []


async def test_a_target_of_both_rules_and_preview_is_read_once(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path, FEW)
    await gate.behind.run(Call("auth_delete_tenant", ARGUMENTS, PRINCIPAL, elicitor=DeferredAnswer()))
    keys = [
        record["operation"]
        for record in store.audit_log.list_records()
        if record.get("parent") and record["event"] == "begun"
    ]
    assert "auth.GetAllTenantUsers" in keys
    assert len(keys) == len(set(keys)), "one call sees one state of things"
    assert len(keys) == len(gate.api.sent)


async def test_users_hit_count_against_the_budget_also_where_nobody_is_asked(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path, ALLOWED + "ceilings: {affected_users_per_hour: 5}\n")
    gate.api.answers["auth.GetAllTenantUsers"] = users(3)
    assert (await gate.called()).ok
    given = await gate.called()
    assert "6 affected users within an hour" in given.text
    assert len(gate.api.writes) == 1


async def test_users_that_cannot_be_counted_take_the_whole_budget_where_nobody_is_asked(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    unread = ALLOWED.replace("levels: [read, read_sensitive]", "tools: [auth_get_tenant]")
    gate = ReloadablePipeline(catalogue, store, tmp_path, unread + "ceilings: {affected_users_per_hour: 5}\n")
    assert (await gate.called()).ok
    assert "10 affected users within an hour" in (await gate.called()).text


async def test_a_question_left_to_a_later_call_is_in_the_audit(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path)
    await gate.behind.run(Call("auth_delete_tenant", ARGUMENTS, PRINCIPAL, elicitor=DeferredAnswer()))
    (noted,) = [record for record in store.audit_log.list_records() if record["event"] == "refused"]
    assert (noted["operation"], noted["decision"], noted["refused"]) == ("auth.DeleteTenant", "confirm", "confirmation")


async def test_a_call_whose_client_goes_away_while_a_person_is_asked_is_not_sent_and_audited(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    gate, asked = ReloadablePipeline(catalogue, store, tmp_path), anyio.Event()

    class Waiting:
        async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
            asked.set()
            await anyio.sleep_forever()
            raise AssertionError

    async with anyio.create_task_group() as group:
        group.start_soon(gate.behind.run, Call("auth_delete_tenant", ARGUMENTS, PRINCIPAL, elicitor=Waiting()))
        await asked.wait()
        group.cancel_scope.cancel()
    assert gate.api.writes == []
    (noted,) = [record for record in store.audit_log.list_records() if record["event"] == "refused"]
    assert (noted["operation"], noted["refused"]) == ("auth.DeleteTenant", "cancelled")


async def test_a_read_that_takes_too_long_is_given_up_and_said(
    catalogue: Catalogue, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saasus_mcp.permissions.inspection.inspect.READ_DEADLINE", 0.05)
    gate = ReloadablePipeline(catalogue, store, tmp_path)

    async def never(*_: object, **__: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(gate.behind.client, "send", never)
    asking = await gate.behind.run(Call("auth_delete_tenant", ARGUMENTS, PRINCIPAL, elicitor=DeferredAnswer()))
    assert isinstance(asking, PendingElicitation)
    assert "could not be read: no answer in time" in asking.prompt.message


async def test_the_client_of_a_preview_can_never_write(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy())
    read = behind.reader_for(behind.prepare(Call("auth_get_tenant", ARGUMENTS, PRINCIPAL)))
    assert (await read("auth.GetTenant", ARGUMENTS)).status == 200
    assert (await read("auth.DeleteTenant", ARGUMENTS)).read_error == "not_allowed"
    assert api.writes == []


async def test_a_pending_question_shows_its_caller_nothing_that_they_may_no_longer_read(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path, APPROVED)
    gate.api.answers["auth.GetAllTenantUsers"] = users(41)
    asked = await gate.called()
    gate.rewritten(APPROVED.replace("levels: [read, read_sensitive]", "tools: [auth_get_tenant]"))
    again = await gate.called()
    before, now = asked.app_data["approval"], again.app_data["approval"]
    assert before["code"] == now["code"], "the approver decides on what was asked"
    for language, count, unread in (
        ("en", "Users of the tenant: 41", "Users of the tenant: could not be read (you may not read it)"),
        ("ja", "テナントのユーザー: 41人", "テナントのユーザー: 確認できませんでした"),
    ):
        assert count in before["question"][language]
        assert count not in now["question"][language]
        assert unread in now["question"][language]
    assert "Users of the tenant: 41" in asked.text
    assert "Users of the tenant: 41" not in again.text


async def test_a_question_that_is_asked_again_shows_its_caller_nothing_that_they_may_no_longer_read(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    gate = ReloadablePipeline(catalogue, store, tmp_path)
    gate.api.answers["auth.GetAllTenantUsers"] = users(41)

    def change() -> None:
        gate.rewritten(RULES.replace("levels: [read, read_sensitive]", "tools: [auth_get_tenant]"))
        gate.api.answers["auth.GetTenant"] = {**TENANT, "plan_id": "gold"}

    person = Person(change)
    await gate.called(elicitor=person)
    first, second = (question.message for question in person.asked[:2])
    assert "Users of the tenant: 41" in first
    assert "Users of the tenant: 41" not in second
    assert "Users of the tenant: could not be read (you may not read it)" in second
