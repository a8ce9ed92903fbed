"""Attacks by what a server depends on: outages that could pass for bad tokens, and people who could pass for two."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest
from starlette.applications import Starlette

from saasus_mcp.cli.consoles import _by_token
from saasus_mcp.hosting.console.desk import Desk, Written
from saasus_mcp.hosting.console.doors import Doors
from saasus_mcp.hosting.console.oidc import Provider as SignOn
from saasus_mcp.hosting.console.pages import Console
from saasus_mcp.hosting.console.sessions import LocalSessions, Tickets
from saasus_mcp.hosting.console.throttle import Throttle
from saasus_mcp.hosting.identity import Authenticator, Chain, Unavailable
from saasus_mcp.hosting.jwks import PAUSE, Keys
from saasus_mcp.hosting.token_callers import LOOKUPS, TokenCallers
from saasus_mcp.permissions.policy import PRESETS
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.settings.console import OidcTable
from saasus_mcp.store import StoreError
from saasus_mcp.store.accounts import Accounts
from tests.hardening.corpus import Ground, attack
from tests.hosting.away import MADE_UP, accounts, database_of, lost, no_files_left
from tests.hosting.provider import ISSUER, Clock, Provider, rsa_key
from tests.hosting.stage import INITIALIZE, PUBLIC, Stage, provider_table, stage

AREA = "Outages"
CONSOLE = "https://mcp.example.com/console"
Made = Callable[[], Stage]
OUTAGE = "503 with Retry-After and no challenge"


async def answer(made: Made, *bearers: str, path: str = "/mcp") -> list[httpx2.Response]:
    """What a server answers to requests with these bearer tokens, one after the other."""
    async with made().asked(None) as client:
        return [await request(client, bearer, path) for bearer in bearers]


async def request(client: httpx2.AsyncClient, bearer: str, path: str = "/mcp") -> httpx2.Response:
    headers = {"Authorization": f"Bearer {bearer}"}
    if path == "/mcp":
        return await client.post(path, json=INITIALIZE, headers=headers)
    return await client.get(path, headers=headers)


def outage(answers: list[httpx2.Response]) -> str:
    for found in answers:
        assert found.status_code == 503, found.text
        assert int(found.headers["Retry-After"]) > 0
        assert "www-authenticate" not in found.headers
        assert "invalid_token" not in found.text
    return OUTAGE


def refused(answers: list[httpx2.Response]) -> str:
    for found in answers:
        assert found.status_code == 401, found.text
        assert "invalid_token" in found.headers["www-authenticate"]
    return "401 invalid_token"


def let_in(answers: list[httpx2.Response]) -> str:
    assert [found.status_code for found in answers] == [200] * len(answers)
    return "let in"


def served(ground: Ground, known: Authenticator) -> Made:
    return partial(stage, ground.catalogue, known=known, jwt=provider_table())


# -- tokens of this server -------------------------------------------------------------------------------------------


@attack(AREA, "The database of tokens is gone while a valid token is shown")
async def no_database(ground: Ground) -> str:
    with accounts(ground.folder) as (kept, token):
        made = served(ground, TokenCallers(kept))
        let_in(await answer(made, token))
        lost(kept, ground.folder)
        return outage(await answer(made, token))


@attack(AREA, "The database of tokens is gone while Prometheus shows a valid token")
async def no_database_metrics(ground: Ground) -> str:
    with accounts(ground.folder) as (kept, token):
        lost(kept, ground.folder)
        return outage(await answer(served(ground, TokenCallers(kept)), token, path="/metrics"))


@attack(AREA, "No file can be opened any more while a valid token is shown")
async def no_files(ground: Ground) -> str:
    with accounts(ground.folder) as (kept, token):
        made = served(ground, TokenCallers(kept))
        async with made().asked(None) as client:
            let_in([await request(client, token)])
            kept.close()  # the next look opens the file again
            with no_files_left():
                found = [await request(client, token)]
            let_in([await request(client, token)])
        return f"{outage(found)}; let in again afterwards"


@attack(AREA, "Tokens that have no token's form are shown while their database is gone")
async def malformed(ground: Ground) -> str:
    with accounts(ground.folder) as (kept, token):
        lost(kept, ground.folder)
        made = served(ground, TokenCallers(kept))
        refused(await answer(made, "smcp_", token[:-1], token + "a", token[:-1] + "~", "x" * 48))
        return "401 invalid_token for each: the database is not asked"


@attack(AREA, "The database of tokens is full when somebody comes back after an hour")
async def full_accounts(ground: Ground) -> str:
    with accounts(ground.folder) as (kept, token):
        with ground.monkeypatch.context() as full:
            full.setattr(kept, "_database", _ReadOnly(kept))
            assert await TokenCallers(kept).authenticate(token) is not None
        return "let in: only the note of the last use is lost"


class _ReadOnly:
    """The accounts' database, of which only reading works."""

    def __init__(self, kept: Accounts) -> None:
        self.reading = database_of(kept).reading

    def transaction(self) -> Any:
        raise StoreError("database or disk is full")


@attack(AREA, "Made-up tokens are shown at once while the database of tokens hangs")
async def hanging(ground: Ground) -> str:
    with accounts(ground.folder) as (kept, _):
        began, goes_on = 0, anyio.Event()

        def hang(*_: object) -> None:
            nonlocal began
            began += 1
            anyio.from_thread.run(goes_on.wait)

        ground.monkeypatch.setattr(kept, "find", hang)
        made = served(ground, TokenCallers(kept))()
        async with made.asked(MADE_UP) as client, anyio.create_task_group() as many:
            for _ in range(5 * LOOKUPS):
                many.start_soon(partial(client.post, "/mcp", json=INITIALIZE))
            while began < LOOKUPS:
                await anyio.lowlevel.checkpoint()
            assert (await client.get("/healthz")).status_code == 200
            store = made.served["default"].pipeline.store
            await anyio.to_thread.run_sync(store.frozen)
            assert began == LOOKUPS
            goes_on.set()
        return "health and the stores answer meanwhile; the lookups at once are bounded"


# -- access tokens of a provider -------------------------------------------------------------------------------------


@attack(AREA, "The identity provider is down when a new server is shown a valid JWT")
async def no_provider(ground: Ground) -> str:
    provider = Provider(down=True)
    return outage(await answer(served(ground, provider.callers()), provider.token()))


@attack(AREA, "The identity provider answers its keys with an error page, an empty set or a redirect")
async def no_keys(ground: Ground) -> str:
    wrong = (
        httpx2.Response(200, text="<html>down for maintenance</html>"),
        httpx2.Response(200, json={"keys": []}),
        httpx2.Response(302, headers={"Location": "https://elsewhere.example.com"}),
        httpx2.Response(500),
    )
    for each in wrong:
        provider = Provider(answer=each)
        outage(await answer(served(ground, provider.callers()), provider.token()))
    return f"{OUTAGE} for each"


@attack(AREA, "No file can be opened any more when the keys must be fetched")
async def no_files_for_keys(_: Ground) -> str:
    keys = Keys("https://127.0.0.1:9/keys", ["RS256"])
    with no_files_left(), pytest.raises(Unavailable):
        await keys.find("one", "RS256")
    return "cannot be told; nobody is called a forger"


@attack(AREA, "Expired, foreign and unsigned JWTs are shown while the identity provider is down")
async def certainly_bad(ground: Ground) -> str:
    provider = Provider(down=True)
    made = served(ground, provider.callers())
    expired = {"exp": time.time() - 600}
    claims = (expired, {"iss": "https://evil.example.com"}, {"aud": "https://other.example.com"}, {"exp": None})
    _, body, signature = provider.token().split(".")
    forms = ("a.b.c", f"e30.{body}.{signature}", f"{provider.token()}.x")
    found = refused(await answer(made, *(provider.token(**each) for each in claims), *forms))
    return f"{found} for each"


@attack(AREA, "A forged signature under a known key is shown while the identity provider is down")
async def forged(ground: Ground) -> str:
    provider = Provider()
    made = served(ground, provider.callers())
    let_in(await answer(made, provider.token()))
    provider.down = True
    found = refused(await answer(made, provider.token(key=rsa_key(1))))
    let_in(await answer(made, provider.token()))
    return f"{found}; valid tokens go on under the known keys"


@attack(AREA, "A hundred made-up key ids are shown to make every token unverifiable")
async def unknown_kids(ground: Ground) -> str:
    provider = Provider()
    made = served(ground, provider.callers())
    refused(await answer(made, *(provider.token(f"made-up-{number}", key=rsa_key(1)) for number in range(100))))
    assert provider.asked == 1
    let_in(await answer(made, provider.token()))
    return "401 invalid_token for each, one request to the provider"


@attack(AREA, "A hundred made-up key ids are shown while the identity provider is down")
async def unknown_kids_in_an_outage(ground: Ground) -> str:
    provider = Provider(down=True)
    made = served(ground, provider.callers())
    outage(await answer(made, *(provider.token(f"made-up-{number}", key=rsa_key(1)) for number in range(100))))
    assert provider.asked == 1
    provider.down = False
    provider.clock.now += PAUSE
    refused(await answer(made, provider.token("made-up", key=rsa_key(1))))
    return f"{OUTAGE}, one request to the provider; 401 when it is back"


@attack(AREA, "One way to check tokens is away while the other knows the token, and the other way round")
async def chain(ground: Ground) -> str:
    provider = Provider()
    with accounts(ground.folder) as (kept, token):
        made = served(ground, Chain(provider.callers(), TokenCallers(kept)))
        let_in(await answer(made, provider.token()))
        provider.down = True
        provider.clock.now += 24 * 3600
        let_in(await answer(made, token))
        provider.down = False
        provider.clock.now += PAUSE
        lost(kept, ground.folder)
        let_in(await answer(made, provider.token()))
        outage(await answer(made, token))
    return f"let in by the one that works; {OUTAGE} where neither can tell"


# -- the console -----------------------------------------------------------------------------------------------------


def console(ground: Ground, **ways: Any) -> tuple[Starlette, Throttle]:
    sealer, guesses = Sealer.ephemeral(), Throttle(time.time)
    desk = Desk(list, ground.catalogue, PRESETS["guarded"], lambda: Written(""), sealer, time.time)
    doors = Doors(LocalSessions(), Tickets(time.time), sealer, time.time, guesses, "en", secure=True, **ways)
    return Starlette(routes=list(Console(desk, doors, "en").routes())), guesses


def browser(app: Starlette) -> httpx2.AsyncClient:
    headers = {"origin": PUBLIC, "accept-language": "en"}
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=PUBLIC, headers=headers)


@attack(AREA, "The database of tokens is gone while an approver signs in twenty times")
async def console_without_database(ground: Ground) -> str:
    with accounts(ground.folder) as (kept, _):
        app, guesses = console(ground, sign_in=_by_token(kept))
        lost(kept, ground.folder)
        async with browser(app) as person:
            for _ in range(20):
                page = await person.post("/console/sign-in", data={"token": MADE_UP})
                assert page.status_code == 503
                assert "does not open" not in page.text
        assert not guesses.holds
    return "503 that says so each time; no attempt counts as a guess"


@attack(AREA, "The identity provider is down while fifty people begin a single sign-on")
async def console_without_provider(ground: Ground) -> str:
    asked = 0

    def down(request: httpx2.Request) -> httpx2.Response:
        nonlocal asked
        asked += 1
        raise httpx2.ConnectError("down", request=request)

    table = OidcTable(issuer=ISSUER, client_id="console", approver_group="approvers")
    app, _ = console(ground, provider=SignOn(table, f"{CONSOLE}/sso/callback", httpx2.MockTransport(down), Clock()))
    async with browser(app) as person:
        for _ in range(50):
            page = await person.get("/console/sso")
            assert page.status_code == 503
            assert "Your account is not the reason" in page.text
    assert asked == 1
    return "503 that says so, one request to the provider"
