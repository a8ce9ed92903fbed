"""A policy with two-person approval: the requester of a call can never approve it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.approval.approvals import APPROVAL_LIFETIME, ApprovalService
from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.store.records import Approval
from saasus_mcp.store.store import Store
from tests.support.arguments import complete_arguments
from tests.support.gate import NOW, target_answers
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline

HARDENED = """\
version: 1
name: two
confirm_via: approval
two_person: true
rules:
  - {name: look, levels: [read, read_sensitive], then: allow}
  - {name: write, levels: [write, write_sensitive], then: confirm}
  - {name: grave, levels: [destructive, critical], then: approve}
"""
ALONE = HARDENED.replace("two_person: true\n", "")
OTHER = "local:another"
TOOLS = ["auth.DeleteTenant", "auth.DeleteTenantUser", "auth.ResetSaasUserPassword", "auth.CreateRole"]
"""Of each level that does more than read: critical, destructive, write_sensitive, write."""


class SelfAnsweringClient:
    """A client that answers every question itself."""

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        return ClientAnswer("accept", {"name": question.name} if question.name else {"confirm": True})


class ReloadablePipeline:
    """A pipeline under a policy file, and one call through it."""

    def __init__(self, catalogue: Catalogue, store: Store, folder: Path, key: str, text: str = HARDENED) -> None:
        operation = catalogue.find(key)
        self.file = folder / "two.yaml"
        self.file.write_text(text, encoding="utf-8")
        self.policy = policy_file.ReloadablePolicy(self.file, catalogue)
        self.api = StubApi(catalogue, answers=target_answers(catalogue, operation))
        self.approvals = ApprovalService(store)
        self._gate: Pipeline = build_pipeline(self.api, store, self.policy, clock=lambda: NOW)
        self._call = Call(operation.tool, complete_arguments(operation), PRINCIPAL, SelfAnsweringClient())

    async def called(self) -> ToolAnswer:
        given = await self._gate.run(self._call)
        assert isinstance(given, ToolAnswer)
        return given

    async def asked(self) -> Approval:
        """Return the pending approval of the call, for which nothing was sent."""
        given = await self.called()
        assert not given.ok
        assert self.api.writes == []
        (found,) = [approval for approval in self.approvals.store.list_approvals(NOW) if approval.status == "pending"]
        assert found.code in given.text
        return found

    def rewritten(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")
        assert self.policy.reload().accepted


@pytest.mark.parametrize("key", TOOLS)
async def test_another_person_approves_and_the_call_goes_once(
    catalogue: Catalogue, store: Store, tmp_path: Path, key: str
) -> None:
    desk = ReloadablePipeline(catalogue, store, tmp_path, key)
    wanted = await desk.asked()
    assert wanted.two_person
    assert "A person other than the requester must approve" in (await desk.called()).text
    desk.approvals.approve(wanted, wanted.name, OTHER, NOW)
    assert (await desk.called()).ok
    assert len(desk.api.writes) == 1
    (begun,) = [record for record in store.audit_log.list_records() if record.get("proof") == "approval"]
    assert (begun["principal"], begun["by"]) == (PRINCIPAL.id, OTHER)
    await desk.called()
    assert len(desk.api.writes) == 1


@pytest.mark.parametrize("key", TOOLS)
async def test_the_requester_cannot_approve(catalogue: Catalogue, store: Store, tmp_path: Path, key: str) -> None:
    desk = ReloadablePipeline(catalogue, store, tmp_path, key)
    wanted = await desk.asked()
    with pytest.raises(CallRefused) as caught:
        desk.approvals.approve(wanted, wanted.name, PRINCIPAL.id, NOW)
    assert caught.value.reason == "two_person"
    assert (await desk.asked()).code == wanted.code, "it stays pending for someone else"


async def test_the_store_refuses_it_too(catalogue: Catalogue, store: Store, tmp_path: Path) -> None:
    desk = ReloadablePipeline(catalogue, store, tmp_path, "auth.DeleteTenant")
    wanted = await desk.asked()
    with pytest.raises(CallRefused, match="no longer pending"):
        desk.approvals.approve(replace(wanted, two_person=False), wanted.name, PRINCIPAL.id, NOW)
    assert not store.decide_approval(
        wanted.code, "approved", by=PRINCIPAL.id, at=NOW, expires_at=NOW + APPROVAL_LIFETIME
    )
    assert (await desk.asked()).code == wanted.code


async def test_the_requester_may_reject(catalogue: Catalogue, store: Store, tmp_path: Path) -> None:
    desk = ReloadablePipeline(catalogue, store, tmp_path, "auth.DeleteTenant")
    desk.approvals.reject(await desk.asked(), PRINCIPAL.id, NOW)
    assert "rejected" in (await desk.called()).text


@pytest.mark.parametrize("by", [None, PRINCIPAL.id], ids=["pending", "approved by oneself"])
async def test_a_call_asked_before_the_policy_wanted_two_people_is_asked_again(
    catalogue: Catalogue, store: Store, tmp_path: Path, by: str | None
) -> None:
    desk = ReloadablePipeline(catalogue, store, tmp_path, "auth.DeleteTenant", ALONE)
    first = await desk.asked()
    if by is not None:
        desk.approvals.approve(first, first.name, by, NOW)
    desk.rewritten(HARDENED)
    second = await desk.asked()
    assert (second.two_person, second.code != first.code) == (True, True)
    (lead,) = Question.from_json(second.preview).lead
    assert lead.en == f"The policy now requires approval by another person. {first.code} is no longer valid."
    assert f"承認{first.code}は無効になりました" in lead.ja


async def test_another_persons_approval_from_before_holds(catalogue: Catalogue, store: Store, tmp_path: Path) -> None:
    desk = ReloadablePipeline(catalogue, store, tmp_path, "auth.DeleteTenant", ALONE)
    wanted = await desk.asked()
    desk.approvals.approve(wanted, wanted.name, OTHER, NOW)
    desk.rewritten(HARDENED)
    assert (await desk.called()).ok


async def test_one_person_is_enough_where_the_policy_does_not_want_two(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    desk = ReloadablePipeline(catalogue, store, tmp_path, "auth.DeleteTenant", ALONE)
    wanted = await desk.asked()
    desk.approvals.approve(wanted, wanted.name, PRINCIPAL.id, NOW)
    assert (await desk.called()).ok
