"""The time limit of a call, whatever the API does, and the progress that a client with a token gets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client as McpClient
from mcp import types
from mcp.client.context import ClientRequestContext

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import UnsafeAllowAllPolicy
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.mcp_server import build_server
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.progress import WAITING_MESSAGE
from saasus_mcp.store.store import Store
from tests.support.pipeline import CREDENTIALS, ERAS, PLACE, PRINCIPAL, Era, StubApi, build_pipeline, match_operation
from tests.support.policies import build_policy, build_rule

LIMIT = 1.0
GENEROUS = 3
"""Times the limit: an attempt alone may take 30 seconds, and a call makes several."""
RENAME = Call("auth_update_role", {"role_name": "admin", "display_name": "New"}, PRINCIPAL)
DELETE = Call("auth_delete_tenant_user", {"tenant_id": "t-1", "user_id": "u-1"}, PRINCIPAL)
READ = Call("auth_get_roles", {}, PRINCIPAL)


class DrippingBody(httpx2.AsyncByteStream):
    """A body that arrives byte by byte and never ends."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await anyio.sleep(0.05)


class SlowApi(httpx2.AsyncBaseTransport):
    """An API that hangs or drips for some operations, and answers the others at once."""

    def __init__(self, catalogue: Catalogue, slow: Callable[[str], bool], *, drips: bool = False) -> None:
        self.stub = StubApi(catalogue)
        self.sent: list[str] = []
        self._slow, self._drips = slow, drips

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        key = match_operation(self.stub.catalogue, request).key
        self.sent.append(key)
        if not self._slow(key):
            return await self.stub.transport().handle_async_request(request)
        if self._drips:
            return httpx2.Response(200, stream=DrippingBody())
        await anyio.sleep_forever()
        raise AssertionError


def before(api: httpx2.AsyncBaseTransport, catalogue: Catalogue, store: Store, under: Policy) -> Pipeline:
    return Pipeline(
        catalogue=catalogue,
        policy=under,
        client=ApiClient(CREDENTIALS, transport=api),
        open_store=lambda: store,
        encryptor=Encryptor.ephemeral(),
        destination=PLACE,
        call_seconds=LIMIT,
    )


async def assert_in_time(behind: Pipeline, call: Call) -> ToolAnswer:
    began = anyio.current_time()
    given = await behind.run(call)
    assert anyio.current_time() - began < GENEROUS * LIMIT
    assert isinstance(given, ToolAnswer)
    return given


@pytest.mark.slow
@pytest.mark.parametrize("drips", [False, True], ids=["hangs", "drips"])
@pytest.mark.parametrize(
    "under", [UnsafeAllowAllPolicy(), build_policy(build_rule("all", "approve"))], ids=["allow", "approve"]
)
@pytest.mark.parametrize("call", [READ, RENAME, DELETE], ids=lambda call: call.name)
async def test_a_call_ends_in_time_over_an_api_that(
    catalogue: Catalogue, store: Store, drips: bool, under: Policy, call: Call
) -> None:
    api = SlowApi(catalogue, lambda _: True, drips=drips)
    given = await assert_in_time(before(api, catalogue, store, under), call)
    assert not given.ok
    assert len([key for key in api.sent if not catalogue.find(key).reads]) <= 1


@pytest.mark.slow
async def test_a_write_whose_answer_never_came_is_read_back_within_the_limit(
    catalogue: Catalogue, store: Store
) -> None:
    api = SlowApi(catalogue, lambda key: key == "auth.UpdateRole")
    api.stub.answers = {"auth.GetRoles": {"roles": [{"role_name": "admin", "display_name": "New"}]}}
    given = await assert_in_time(before(api, catalogue, store, UnsafeAllowAllPolicy()), RENAME)
    assert given.applied == "applied", given.text
    assert api.sent.count("auth.UpdateRole") == 1


async def test_a_write_is_sent_though_the_reads_before_it_hang(catalogue: Catalogue, store: Store) -> None:
    api = SlowApi(catalogue, lambda key: catalogue.find(key).reads)
    given = await assert_in_time(before(api, catalogue, store, UnsafeAllowAllPolicy()), RENAME)
    assert (given.ok, api.sent.count("auth.UpdateRole")) == (True, 1), given.text


@pytest.mark.slow
async def test_the_time_that_a_person_takes_does_not_count(catalogue: Catalogue, store: Store) -> None:
    class Thinking:
        async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
            await anyio.sleep(1.2 * LIMIT)
            return ClientAnswer("accept", {"name": question.name, "confirm": True})

    api = SlowApi(catalogue, lambda _: False)
    behind = before(
        api,
        catalogue,
        store,
        build_policy(build_rule("all", "confirm", levels=["destructive"]), build_rule("rest", "allow")),
    )
    given = await behind.run(Call(DELETE.name, DELETE.arguments, PRINCIPAL, elicitor=Thinking()))
    assert isinstance(given, ToolAnswer)
    assert given.ok, given.text


@asynccontextmanager
async def listening_client(
    behind: Pipeline, era: Era, answering: Callable[[], Any] | None = None
) -> AsyncIterator[tuple[McpClient, list[float], Callable[..., Any]]]:
    """Return a client that collects progress, and the arguments that request it."""
    told: list[float] = []

    async def elicited(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:  # noqa: ARG001
        assert answering is not None
        given: types.ElicitResult = await answering()
        return given

    async def heard(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the SDK's
        told.append(progress)

    callback = elicited if answering else None
    async with McpClient(
        build_server(behind, lambda _: PRINCIPAL, "en"), mode=era, elicitation_callback=callback
    ) as client:
        yield client, told, heard


@pytest.mark.parametrize("era", ERAS)
async def test_progress_is_sent_between_attempts(catalogue: Catalogue, store: Store, era: Era) -> None:
    api = StubApi(catalogue, answers={"auth.GetRoles": httpx2.Response(503)})
    async with listening_client(build_pipeline(api, store), era) as (client, told, heard):
        result = await client.call_tool("auth_get_roles", {}, progress_callback=heard)
    assert result.is_error
    assert len(api.sent) == 3
    assert len(told) == 2
    assert told == sorted(set(told)), "the numbers grow"


@pytest.mark.slow
async def test_progress_is_sent_while_a_person_is_asked(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saasus_mcp.server.progress.NOTIFICATION_SECONDS", 0.01)
    enough = anyio.Event()

    async def thinking() -> types.ElicitResult:
        await enough.wait()
        return types.ElicitResult(action="decline")

    async with listening_client(build_pipeline(StubApi(catalogue), store), "legacy", thinking) as (client, told, _):

        async def heard(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the SDK's
            told.append(progress)
            assert message == WAITING_MESSAGE
            if len(told) >= 60:
                enough.set()

        with anyio.fail_after(30):
            await client.call_tool(DELETE.name, DELETE.arguments, progress_callback=heard)
    assert told == sorted(set(told)), "the numbers grow"


@pytest.mark.parametrize(
    ("status", "after", "said"),
    [
        (429, "7200", "wait 7200 seconds before the next call"),
        (429, "0", "wait 0 seconds before the next call"),
        (503, "90", "The API asks to wait 90 seconds"),
        (429, "9" * 400, "wait 604800 seconds before the next call"),
    ],
)
async def test_the_seconds_that_the_api_asks_to_wait_are_reported(
    catalogue: Catalogue, store: Store, status: int, after: str, said: str
) -> None:
    api = StubApi(catalogue, answers={"auth.GetRoles": httpx2.Response(status, headers={"Retry-After": after})})
    given = await build_pipeline(api, store).run(READ)
    assert isinstance(given, ToolAnswer)
    assert said in given.text
