"""A token that is revoked while its call waits sends nothing any more: for a slot, for a person, for the API."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.route import CONNECTIONS
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.scheduling.fair_queue import FairQueue, Slot
from saasus_mcp.store.errors import StoreUnavailable
from saasus_mcp.store.store import Store
from tests.support.pipeline import StubApi, build_pipeline

HOLDER = Principal("token:ci")
TENANT = {"id": "t-1", "name": "Acme", "plan_id": "free"}
ROLE = {"role_name": "viewer", "display_name": "Viewer"}


class Token:
    """The token of the caller, as the store knows it."""

    revoked = False
    known = True

    async def is_revoked(self, principal: Principal) -> bool:
        assert principal.id == HOLDER.id
        if not self.known:
            raise StoreUnavailable.of("store.database_failed")
        return self.revoked

    def revoke(self) -> None:
        self.revoked = True

    def forget(self) -> None:
        self.known = False


class BusyQueue(FairQueue):
    """Lets every call wait, and something happen meanwhile."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def take_free(self, principal: str) -> Slot | None:
        return None

    async def acquire(self, principal: str, max_wait: float = math.inf) -> Slot:
        self._meanwhile()
        free = super().take_free(principal)
        assert free is not None
        return free


@pytest.fixture
def token() -> Token:
    return Token()


@pytest.fixture
def api(catalogue: Catalogue) -> StubApi:
    return StubApi(catalogue, answers={"auth.GetTenant": TENANT, "auth.GetRoles": {"roles": []}})


async def answer_of(api: StubApi, store: Store, token: Token, call: Call, **given: Any) -> ToolAnswer:
    answer = await build_pipeline(api, store, is_revoked=token.is_revoked, **given).run(call)
    assert isinstance(answer, ToolAnswer)
    return answer


@pytest.mark.parametrize(("event", "reason"), [("revoke", "revoked"), ("forget", "store")])
@pytest.mark.parametrize("name", ["auth_get_roles", "auth_create_role"])
async def test_a_call_that_waits_for_a_slot_is_not_sent(
    api: StubApi, store: Store, token: Token, name: str, event: str, reason: str
) -> None:
    call = Call(name, ROLE if name == "auth_create_role" else {}, HOLDER)
    answer = await answer_of(api, store, token, call, call_queue=BusyQueue(getattr(token, event)))
    assert (answer.ok, answer.applied, answer.why) == (False, Outcome.NOT_APPLIED, reason), answer.text
    assert api.sent == []
    assert [each.get("refused") for each in store.audit_log.list_records()] == [reason]


async def test_a_slot_that_is_not_used_is_given_back(api: StubApi, store: Store, token: Token) -> None:
    queue = BusyQueue(token.revoke)
    for _ in range(CONNECTIONS + 1):
        answer = await answer_of(api, store, token, Call("auth_get_roles", {}, HOLDER), call_queue=queue)
        assert answer.why == "revoked"


async def test_a_yes_that_comes_after_the_token_is_revoked_sends_nothing(
    api: StubApi, store: Store, token: Token
) -> None:
    class Person:
        async def ask(self, question: ConfirmationPrompt) -> ClientAnswer:
            token.revoke()
            return ClientAnswer("accept", {"name": question.name, "confirm": True})

    call = Call("communication_delete_feedback", {"feedback_id": "f-1"}, HOLDER, elicitor=Person())
    answer = await answer_of(api, store, token, call)
    assert (answer.ok, answer.why) == (False, "revoked"), answer.text
    assert api.writes == []


async def test_a_read_that_waits_for_the_api_is_not_sent_again(api: StubApi, store: Store, token: Token) -> None:
    def busy(_: httpx2.Request) -> httpx2.Response:
        token.revoke()
        return httpx2.Response(429, headers={"Retry-After": "0"})

    api.answers["auth.GetRoles"] = busy
    answer = await answer_of(api, store, token, Call("auth_get_roles", {}, HOLDER))
    assert (answer.ok, answer.why, len(api.sent)) == (False, "revoked", 1), answer.text


async def test_a_call_that_waits_for_nothing_asks_nobody(api: StubApi, store: Store, token: Token) -> None:
    token.forget()
    assert (await answer_of(api, store, token, Call("auth_get_roles", {}, HOLDER))).ok
