"""Attacks by one caller on sessions, and on the metrics of others."""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio

from saasus_mcp.server.pipeline.call import Call
from tests.support.attack_corpus import AttackContext, attack
from tests.support.hosting_server import (
    INITIALIZE,
    error_message,
)
from tests.support.shared_server import (
    KNOWN,
    STREAM,
    open_client,
    open_session,
    open_streams,
    read_status,
    session_works,
    start_shared_server,
)

AREA = "Fair shares"


@attack(AREA, "One caller who opens sessions without end")
async def sessions_without_end(ground: AttackContext) -> str:
    async with (
        start_shared_server(ground, sessions_per_caller=3).serve() as url,
        open_client(url, "alice") as alice,
        open_client(url) as bob,
    ):
        bobs = await open_session(bob)
        found = [await open_session(alice) for _ in range(8)]
        assert [await session_works(alice, each) for each in found] == [False] * 5 + [True] * 3
        assert await session_works(bob, bobs)
    return "the caller's own oldest ones end; another's goes on"


@attack(AREA, "One caller who opens many sessions at the same moment")
async def sessions_at_once(ground: AttackContext) -> str:
    made = start_shared_server(ground, connections=200, sessions_per_caller=3)
    found: list[str] = []
    async with made.serve() as url, open_client(url, "alice") as alice:

        async def one() -> None:
            answer = await alice.post("/mcp", json=INITIALIZE)
            assert answer.status_code in {200, 429}
            found.extend([answer.headers["Mcp-Session-Id"]] if answer.status_code == 200 else [])

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(one)
        assert 1 <= sum([await session_works(alice, each) for each in found]) <= 3
    return "no more than the share stay open"


@attack(AREA, "One caller whose sessions all have an open stream, and who opens another")
async def sessions_in_use(ground: AttackContext) -> str:
    made = start_shared_server(ground, connections=50, sessions_per_caller=2)
    async with (
        made.serve() as url,
        open_client(url, "alice") as alice,
        open_client(url) as bob,
        AsyncExitStack() as until,
    ):
        for _ in range(2):
            head = STREAM.replace("/sse", "/mcp").replace(
                "Host", f"Mcp-Session-Id: {await open_session(alice)}\r\nHost"
            )
            [stream] = await until.enter_async_context(open_streams(url, 1, head))
            assert await read_status(stream) == 200
        answer = await alice.post("/mcp", json=INITIALIZE)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
        assert "sessions_per_caller" in error_message(answer)
        assert await open_session(bob)
    return "429 with Retry-After, naming the setting; another caller opens one"


@attack(AREA, "Another caller's session, named to keep it from being used or to end it")
async def sessions_of_others(ground: AttackContext) -> str:
    async with (
        start_shared_server(ground, sessions_per_caller=2).serve() as url,
        open_client(url, "alice") as alice,
        open_client(url) as bob,
    ):
        bobs = await open_session(bob)
        for method in ("DELETE", "GET", "POST"):
            answer = await alice.request(method, "/mcp", json=INITIALIZE, headers={"Mcp-Session-Id": bobs})
            assert answer.status_code == 404
        assert await session_works(bob, bobs)
        for _ in range(2):
            await anyio.wait_all_tasks_blocked()  # the answer is there before its request is over for the server
            await open_session(bob)
        await anyio.wait_all_tasks_blocked()
        assert not await session_works(bob, bobs)
    return "404 as for one that does not exist; its owner's share is as before"


@attack(AREA, "The metrics, asked for with a caller's token or by a caller in no group")
async def metrics_for_callers(ground: AttackContext) -> str:
    async with start_shared_server(ground).serve() as url:
        for token in ("alice", "outsider"):
            async with open_client(url, token) as asking:
                answer = await asking.get("/metrics")
            assert answer.status_code == 403
            assert "approver" in error_message(answer)
    return "403; the error says which token it takes"


@attack(AREA, "The metrics of a profile, asked for by an approver of another one")
async def metrics_of_others(ground: AttackContext) -> str:
    made = start_shared_server(ground)
    for one in made.served.values():
        await one.pipeline.run(Call("auth_get_tenants", {}, KNOWN["alice"].principal))
    async with made.serve() as url, open_client(url, "neighbour") as asking:
        page = (await asking.get("/metrics")).text
    assert 'profile="other"' in page
    assert 'profile="default"' not in page
    return "only their own profile is shown"
