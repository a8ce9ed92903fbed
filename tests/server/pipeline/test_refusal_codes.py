"""Each refusal that only a person can lift names the approval to decide on: in its text, for an app, and in the audit log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.approval.approvals import MAX_PENDING
from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt
from saasus_mcp.permissions.policy.model import DecisionOutcome
from saasus_mcp.permissions.refusal import Reason
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.records import Approval
from saasus_mcp.store.store import Store
from tests.support.gate import Clock
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline
from tests.support.policies import build_policy, build_rule

Named = Literal["awaited", "text", "none"]
"""`awaited`: the text, the app and the record name the approval that the call waits for; `text`: the text names those decided
or waiting; `none`: no approval helps."""
TENANT = {"tenant_id": "t-1"}
SECONDS_TO_READ = 30.0


class Desk:
    """A pipeline under one rule, and a client that answers as the test says."""

    def __init__(self, catalogue: Catalogue, store: Store, outcome: DecisionOutcome, **policy: Any) -> None:
        self.store, self.clock = store, Clock(1_790_000_000.0)
        self.api = StubApi(catalogue)
        self.pipeline = build_pipeline(
            self.api, store, build_policy(build_rule("all", outcome), **policy), clock=self.clock
        )

    async def call(self, action: Any = None, seconds: float = SECONDS_TO_READ, **arguments: str) -> ToolAnswer:
        desk = self

        class Client:
            async def ask(self, question: ConfirmationPrompt) -> ClientAnswer:
                desk.clock.now += seconds
                return ClientAnswer(action)

        elicitor = Client() if action else None
        call = Call("auth_delete_tenant", {**TENANT, **arguments}, PRINCIPAL, elicitor=elicitor)
        answer = await self.pipeline.run(call)
        assert isinstance(answer, ToolAnswer)
        return answer

    def approvals(self) -> list[Approval]:
        return self.store.list_approvals(self.clock())

    @property
    def service(self) -> Any:
        return self.pipeline.approval_gate.approvals


Refuse = Callable[[Desk], Awaitable[ToolAnswer]]


async def rejected(desk: Desk) -> ToolAnswer:
    await desk.call()
    [approval] = desk.approvals()
    desk.service.reject(approval, "local:boss", desk.clock())
    return await desk.call()


async def flooded(desk: Desk) -> ToolAnswer:
    for number in range(MAX_PENDING):
        await desk.call(tenant_id=f"t-{number + 10}")
    return await desk.call()


REFUSALS: Mapping[Reason, tuple[DecisionOutcome, Refuse, Named]] = {
    Reason.APPROVAL: ("approve", lambda desk: desk.call(), "awaited"),
    Reason.CLIENT_CANCEL: ("confirm", lambda desk: desk.call("cancel"), "awaited"),
    Reason.CLIENT_FAILED: ("confirm", lambda desk: desk.call("failed"), "awaited"),
    Reason.FAST_NO: ("confirm", lambda desk: desk.call("decline", seconds=0.1), "awaited"),
    Reason.REJECTED: ("approve", rejected, "text"),
    Reason.FLOODED: ("approve", flooded, "text"),
    Reason.DECLINED: ("confirm", lambda desk: desk.call("decline"), "none"),
    Reason.DENIED: ("deny", lambda desk: desk.call(), "none"),
}
WITHOUT_APPROVAL = frozenset(
    {
        *(Reason.BUSY, Reason.CHANGED, Reason.EXPIRED, Reason.LATE, Reason.NARROWED, Reason.NO_CHANGE),
        *(Reason.NOT_FOUND, Reason.PRECONDITION, Reason.REVOKED, Reason.STORE, Reason.STRICTER, Reason.TOO_LARGE),
        *(
            Reason.TWO_PERSON,
            Reason.UNASKED,
            Reason.UNDO_ELSEWHERE,
            Reason.UNDO_NONE,
            Reason.UNDO_OTHERS,
            Reason.UNDONE,
        ),
        *(Reason.UNFOUNDED, Reason.UNKNOWN, Reason.UNREADABLE, Reason.UNSEEN),
    }
)
"""Reasons that no decision on an approval lifts: another call, another state or another caller does."""


def test_each_reason_is_known_to_need_an_approval_or_not() -> None:
    assert set(REFUSALS) | WITHOUT_APPROVAL == set(Reason)


@pytest.mark.parametrize("reason", REFUSALS, ids=str)
async def test_a_refusal_names_the_approval_that_a_person_decides_on(
    catalogue: Catalogue, store: Store, reason: Reason
) -> None:
    outcome, refuse, named = REFUSALS[reason]
    desk = Desk(catalogue, store, outcome)
    answer = await refuse(desk)
    assert (answer.ok, answer.why, desk.api.writes) == (False, reason, []), answer.text
    record = [each for each in store.audit_log.list_records() if each["event"] == "refused"][-1]
    assert record["refused"] == reason
    codes = [approval.code for approval in desk.approvals()]
    assert [code for code in codes if code not in answer.text] == []
    assert bool(codes) == (named != "none")
    if named == "awaited":
        assert (answer.app_data["approval"]["code"], record["code"]) == (codes[0], codes[0])
    else:
        assert ("approval" in answer.app_data, "code" in record) == (False, False)


async def test_a_call_that_another_person_must_approve_names_the_approval_and_says_so(
    catalogue: Catalogue, store: Store
) -> None:
    desk = Desk(catalogue, store, "approve", two_person=True)
    answer = await desk.call()
    [approval] = desk.approvals()
    assert approval.code in answer.text
    assert answer.app_data["approval"]["two_person"] is True
