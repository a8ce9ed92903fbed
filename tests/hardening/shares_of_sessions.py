"""Attacks by one caller on sessions, and on the metrics of others."""

from __future__ import annotations

import anyio

from saasus_mcp.server.pipeline.call import Call
from tests.support.attack_corpus import AttackContext, attack
from tests.support.hosting_server import error_message
from tests.support.processes import TIMEOUT
from tests.support.shared_server import KNOWN, open_client, open_session, session_works, start_shared_server

AREA = "Fair shares"


@attack(AREA, "One caller who opens sessions without end")
async def sessions_without_end(ground: AttackContext) -> str:
    made = start_shared_server(ground)
    async with made.serve() as url, open_client(url, "alice") as alice, open_client(url) as bob:
        bobs = await open_session(bob)
        found = [await open_session(alice) for _ in range(100)]
        assert all([await session_works(alice, each) for each in (found[0], found[-1])])
        assert await session_works(bob, bobs)
        with anyio.fail_after(TIMEOUT):
            await made.metrics.requests.wait_until_zero()
    return "a session costs the server nothing: it is in its id, encrypted"


@attack(AREA, "An id of a session that was altered, made up, or is of another server")
async def sessions_made_up(ground: AttackContext) -> str:
    async with (
        start_shared_server(ground).serve() as url,
        start_shared_server(ground).serve() as other_url,
        open_client(url, "alice") as alice,
        open_client(other_url, "alice") as elsewhere,
    ):
        own = await open_session(alice)
        altered = own[:40] + ("A" if own[40] != "A" else "B") + own[41:]
        for identifier in (altered, own[:-20], "0" * 32, "A" * 60_000, await open_session(elsewhere)):
            assert not await session_works(alice, identifier)
        assert await session_works(alice, own)
    return "404, as for a session that has ended"


@attack(AREA, "Another caller's session, named to use it or to end it")
async def sessions_of_others(ground: AttackContext) -> str:
    async with (
        start_shared_server(ground).serve() as url,
        open_client(url, "alice") as alice,
        open_client(url) as bob,
    ):
        bobs = await open_session(bob)
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        for method in ("DELETE", "GET", "POST"):
            answer = await alice.request(method, "/mcp", json=ping, headers={"Mcp-Session-Id": bobs})
            assert answer.status_code == 404
        assert await session_works(bob, bobs)
    return "404 as for one that does not exist; it goes on"


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
