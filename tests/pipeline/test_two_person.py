"""A policy that wants two people: whoever asks for a call cannot approve it, at any step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions import policy_file
from saasus_mcp.permissions.approvals import LIFETIME, Approvals
from saasus_mcp.permissions.confirmation import Answer, Prompt
from saasus_mcp.permissions.question.model import Question
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.server.call import Call
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.store import Approval, Store
from tests.calls import complete
from tests.pipeline.attacks import NOW, target_of
from tests.support import ME, StubApi, pipeline

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


class Eager:
    """A client that answers every question itself."""

    async def ask(self, question: Prompt) -> Answer | None:
        return Answer("accept", {"name": question.name} if question.name else {"confirm": True})


class Desk:
    """A gate under a policy file, and one call through it."""

    def __init__(self, catalogue: Catalogue, store: Store, folder: Path, key: str, text: str = HARDENED) -> None:
        operation = catalogue.find(key)
        self.file = folder / "two.yaml"
        self.file.write_text(text, encoding="utf-8")
        self.policy = policy_file.Reloading(self.file, catalogue)
        self.api = StubApi(catalogue, answers=target_of(catalogue, operation))
        self.approvals = Approvals(store)
        self._gate: Pipeline = pipeline(self.api, store, self.policy, clock=lambda: NOW)
        self._call = Call(operation.tool, complete(operation), ME, Eager())

    async def called(self) -> ToolAnswer:
        given = await self._gate.run(self._call)
        assert isinstance(given, ToolAnswer)
        return given

    async def asked(self) -> Approval:
        """The approval that the call waits for; nothing was sent."""
        given = await self.called()
        assert not given.ok
        assert self.api.writes == []
        (found,) = [approval for approval in self.approvals.all(NOW) if approval.status == "pending"]
        assert found.code in given.text
        return found

    def rewritten(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")
        assert self.policy.reload().taken


@pytest.mark.parametrize("key", TOOLS)
async def test_another_person_approves_and_the_call_goes_once(
    catalogue: Catalogue, store: Store, tmp_path: Path, key: str
) -> None:
    desk = Desk(catalogue, store, tmp_path, key)
    wanted = await desk.asked()
    assert wanted.two_person
    assert "Another person than the one who asks must approve" in (await desk.called()).text
    desk.approvals.approve(wanted, wanted.name, OTHER, NOW)
    assert (await desk.called()).ok
    assert len(desk.api.writes) == 1
    (begun,) = [record for record in store.audited() if record.get("proof") == "approval"]
    assert (begun["principal"], begun["by"]) == (ME.id, OTHER)
    await desk.called()
    assert len(desk.api.writes) == 1


@pytest.mark.parametrize("key", TOOLS)
async def test_whoever_asked_cannot_approve(catalogue: Catalogue, store: Store, tmp_path: Path, key: str) -> None:
    desk = Desk(catalogue, store, tmp_path, key)
    wanted = await desk.asked()
    with pytest.raises(Refused) as caught:
        desk.approvals.approve(wanted, wanted.name, ME.id, NOW)
    assert caught.value.why == "two_person"
    assert (await desk.asked()).code == wanted.code, "it stays pending for someone else"


async def test_the_store_refuses_it_too(catalogue: Catalogue, store: Store, tmp_path: Path) -> None:
    desk = Desk(catalogue, store, tmp_path, "auth.DeleteTenant")
    wanted = await desk.asked()
    with pytest.raises(Refused, match="pending no more"):
        desk.approvals.approve(replace(wanted, two_person=False), wanted.name, ME.id, NOW)
    assert not store.decide(wanted.code, "approved", by=ME.id, at=NOW, expires_at=NOW + LIFETIME)
    assert (await desk.asked()).code == wanted.code


async def test_whoever_asked_may_reject(catalogue: Catalogue, store: Store, tmp_path: Path) -> None:
    desk = Desk(catalogue, store, tmp_path, "auth.DeleteTenant")
    desk.approvals.reject(await desk.asked(), ME.id, NOW)
    assert "rejected" in (await desk.called()).text


@pytest.mark.parametrize("by", [None, ME.id], ids=["pending", "approved by oneself"])
async def test_what_was_asked_before_the_policy_wanted_two_people_is_asked_anew(
    catalogue: Catalogue, store: Store, tmp_path: Path, by: str | None
) -> None:
    desk = Desk(catalogue, store, tmp_path, "auth.DeleteTenant", ALONE)
    first = await desk.asked()
    if by is not None:
        desk.approvals.approve(first, first.name, by, NOW)
    desk.rewritten(HARDENED)
    second = await desk.asked()
    assert (second.two_person, second.code != first.code) == (True, True)
    (lead,) = Question.of(second.preview).lead
    assert lead.en == f"The policy now requires approval by another person. {first.code} is no longer valid."
    assert f"承認 {first.code} は無効になりました" in lead.ja


async def test_another_persons_approval_from_before_holds(catalogue: Catalogue, store: Store, tmp_path: Path) -> None:
    desk = Desk(catalogue, store, tmp_path, "auth.DeleteTenant", ALONE)
    wanted = await desk.asked()
    desk.approvals.approve(wanted, wanted.name, OTHER, NOW)
    desk.rewritten(HARDENED)
    assert (await desk.called()).ok


async def test_one_person_is_enough_where_the_policy_does_not_want_two(
    catalogue: Catalogue, store: Store, tmp_path: Path
) -> None:
    desk = Desk(catalogue, store, tmp_path, "auth.DeleteTenant", ALONE)
    wanted = await desk.asked()
    desk.approvals.approve(wanted, wanted.name, ME.id, NOW)
    assert (await desk.called()).ok
