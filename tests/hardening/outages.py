"""Attacks through dependencies: outages that look like invalid tokens, and one person who looks like two."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest
from starlette.applications import Starlette

from saasus_mcp.cli.serve.console_composition import make_token_verifier
from saasus_mcp.hosting.auth.authentication import Authenticator, AuthenticatorChain, AuthUnavailable
from saasus_mcp.hosting.auth.jwks import RETRY_SECONDS, JwksCache
from saasus_mcp.hosting.auth.token_auth import MAX_LOOKUPS, TokenAuthenticator
from saasus_mcp.hosting.console.oidc import OidcProvider as SignOn
from saasus_mcp.hosting.console.routes import Console
from saasus_mcp.hosting.console.service import ConsoleService, PolicyText
from saasus_mcp.hosting.console.signin_routes import SigninRoutes
from saasus_mcp.hosting.console.signin_sessions import GuessThrottle, LocalSessions, OneTimeLinks
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.settings.hosting import OidcTable
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.tokens import TokenStore
from tests.support.attack_corpus import AttackContext, attack
from tests.support.hosting_server import INITIALIZE, PUBLIC, HostingServer, build_server, provider_table
from tests.support.jwt_issuer import ISSUER, Clock, JwtIssuer, rsa_key
from tests.support.outages import UNKNOWN_TOKEN, database_behind, exhaust_files, lose_database, open_accounts

AREA = "Outages"
CONSOLE = "https://mcp.example.com/console"
Made = Callable[[], HostingServer]
OUTAGE = "503 with Retry-After and no challenge"


async def send_requests(made: Made, *bearers: str, path: str = "/mcp") -> list[httpx2.Response]:
    """Return the answers to requests with these bearer tokens, one after the other."""
    async with made().client(None) as client:
        return [await send_request(client, bearer, path) for bearer in bearers]


async def send_request(client: httpx2.AsyncClient, bearer: str, path: str = "/mcp") -> httpx2.Response:
    headers = {"Authorization": f"Bearer {bearer}"}
    if path == "/mcp":
        return await client.post(path, json=INITIALIZE, headers=headers)
    return await client.get(path, headers=headers)


def assert_outage(answers: list[httpx2.Response]) -> str:
    for found in answers:
        assert found.status_code == 503, found.text
        assert int(found.headers["Retry-After"]) > 0
        assert "www-authenticate" not in found.headers
        assert "invalid_token" not in found.text
    return OUTAGE


def assert_refused(answers: list[httpx2.Response]) -> str:
    for found in answers:
        assert found.status_code == 401, found.text
        assert "invalid_token" in found.headers["www-authenticate"]
    return "401 invalid_token"


def assert_accepted(answers: list[httpx2.Response]) -> str:
    assert [found.status_code for found in answers] == [200] * len(answers)
    return "let in"


def build_app(ground: AttackContext, known: Authenticator) -> Made:
    return partial(build_server, ground.catalogue, known=known, jwt=provider_table())


# -- tokens of this server -------------------------------------------------------------------------------------------


@attack(AREA, "The database of tokens is gone while a valid token is shown")
async def no_database(ground: AttackContext) -> str:
    with open_accounts(ground.folder) as (kept, token):
        made = build_app(ground, TokenAuthenticator(kept))
        assert_accepted(await send_requests(made, token))
        lose_database(kept, ground.folder)
        return assert_outage(await send_requests(made, token))


@attack(AREA, "The database of tokens is gone while Prometheus shows a valid token")
async def no_database_metrics(ground: AttackContext) -> str:
    with open_accounts(ground.folder) as (kept, token):
        lose_database(kept, ground.folder)
        return assert_outage(await send_requests(build_app(ground, TokenAuthenticator(kept)), token, path="/metrics"))


@attack(AREA, "No file can be opened any more while a valid token is shown")
async def no_files(ground: AttackContext) -> str:
    with open_accounts(ground.folder) as (kept, token):
        made = build_app(ground, TokenAuthenticator(kept))
        async with made().client(None) as client:
            assert_accepted([await send_request(client, token)])
            kept.close()  # the next look opens the file again
            with exhaust_files():
                found = [await send_request(client, token)]
            assert_accepted([await send_request(client, token)])
        return f"{assert_outage(found)}; let in again afterwards"


@attack(AREA, "Tokens that have no token's form are shown while their database is gone")
async def malformed(ground: AttackContext) -> str:
    with open_accounts(ground.folder) as (kept, token):
        lose_database(kept, ground.folder)
        made = build_app(ground, TokenAuthenticator(kept))
        assert_refused(await send_requests(made, "smcp_", token[:-1], token + "a", token[:-1] + "~", "x" * 48))
        return "401 invalid_token for each: the database is not asked"


@attack(AREA, "The database of tokens is full when somebody comes back after an hour")
async def full_accounts(ground: AttackContext) -> str:
    with open_accounts(ground.folder) as (kept, token):
        with ground.monkeypatch.context() as full:
            full.setattr(kept, "_database", _ReadOnly(kept))
            assert await TokenAuthenticator(kept).authenticate(token) is not None
        return "let in: only the note of the last use is lost"


class _ReadOnly(Database):
    """A database of tokens that can only be read."""

    def __init__(self, kept: TokenStore) -> None:
        self._kept = database_behind(kept)

    def read_transaction(self, **options: Any) -> Any:
        return self._kept.read_transaction(**options)

    def transaction(self, **_: Any) -> Any:
        raise StoreError.of("store.unusable", reason="database or disk is full")


@attack(AREA, "Made-up tokens are shown at once while the database of tokens hangs")
async def hanging(ground: AttackContext) -> str:
    with open_accounts(ground.folder) as (kept, _):
        began, goes_on = 0, anyio.Event()

        def hang(*_: object) -> None:
            nonlocal began
            began += 1
            anyio.from_thread.run(goes_on.wait)

        ground.monkeypatch.setattr(kept, "authenticate", hang)
        made = build_app(ground, TokenAuthenticator(kept))()
        async with made.client(UNKNOWN_TOKEN) as client, anyio.create_task_group() as many:
            for _ in range(5 * MAX_LOOKUPS):
                many.start_soon(partial(client.post, "/mcp", json=INITIALIZE))
            while began < MAX_LOOKUPS:
                await anyio.lowlevel.checkpoint()
            assert (await client.get("/healthz")).status_code == 200
            store = made.served["default"].pipeline.store
            await anyio.to_thread.run_sync(store.active_freeze)
            assert began == MAX_LOOKUPS
            goes_on.set()
        return "health and the stores answer meanwhile; the lookups at once are bounded"


# -- access tokens of a provider -------------------------------------------------------------------------------------


@attack(AREA, "The identity provider is down when a new server is shown a valid JWT")
async def no_provider(ground: AttackContext) -> str:
    provider = JwtIssuer(down=True)
    return assert_outage(await send_requests(build_app(ground, provider.callers()), provider.token()))


@attack(AREA, "The identity provider answers its keys with an error page, an empty set or a redirect")
async def no_keys(ground: AttackContext) -> str:
    wrong = (
        httpx2.Response(200, text="<html>down for maintenance</html>"),
        httpx2.Response(200, json={"keys": []}),
        httpx2.Response(302, headers={"Location": "https://elsewhere.example.com"}),
        httpx2.Response(500),
    )
    for each in wrong:
        provider = JwtIssuer(answer=each)
        assert_outage(await send_requests(build_app(ground, provider.callers()), provider.token()))
    return f"{OUTAGE} for each"


@attack(AREA, "No file can be opened any more when the keys must be fetched")
async def no_files_for_keys(_: AttackContext) -> str:
    keys = JwksCache("https://127.0.0.1:9/keys", ["RS256"])
    with exhaust_files(), pytest.raises(AuthUnavailable):
        await keys.find_key("one", "RS256")
    return "unknown; no token is called forged"


@attack(AREA, "Expired, foreign and unsigned JWTs are shown while the identity provider is down")
async def certainly_bad(ground: AttackContext) -> str:
    provider = JwtIssuer(down=True)
    made = build_app(ground, provider.callers())
    expired = {"exp": time.time() - 600}
    claims = (expired, {"iss": "https://evil.example.com"}, {"aud": "https://other.example.com"}, {"exp": None})
    _, body, signature = provider.token().split(".")
    forms = ("a.b.c", f"e30.{body}.{signature}", f"{provider.token()}.x")
    found = assert_refused(await send_requests(made, *(provider.token(**each) for each in claims), *forms))
    return f"{found} for each"


@attack(AREA, "A forged signature under a known key is shown while the identity provider is down")
async def forged(ground: AttackContext) -> str:
    provider = JwtIssuer()
    made = build_app(ground, provider.callers())
    assert_accepted(await send_requests(made, provider.token()))
    provider.down = True
    found = assert_refused(await send_requests(made, provider.token(key=rsa_key(1))))
    assert_accepted(await send_requests(made, provider.token()))
    return f"{found}; valid tokens go on under the known keys"


@attack(AREA, "A hundred made-up key ids are shown to make every token unverifiable")
async def unknown_kids(ground: AttackContext) -> str:
    provider = JwtIssuer()
    made = build_app(ground, provider.callers())
    assert_refused(
        await send_requests(made, *(provider.token(f"made-up-{number}", key=rsa_key(1)) for number in range(100)))
    )
    assert provider.asked == 1
    assert_accepted(await send_requests(made, provider.token()))
    return "401 invalid_token for each, one request to the provider"


@attack(AREA, "A hundred made-up key ids are shown while the identity provider is down")
async def unknown_kids_in_an_outage(ground: AttackContext) -> str:
    provider = JwtIssuer(down=True)
    made = build_app(ground, provider.callers())
    assert_outage(
        await send_requests(made, *(provider.token(f"made-up-{number}", key=rsa_key(1)) for number in range(100)))
    )
    assert provider.asked == 1
    provider.down = False
    provider.clock.now += RETRY_SECONDS
    assert_refused(await send_requests(made, provider.token("made-up", key=rsa_key(1))))
    return f"{OUTAGE}, one request to the provider; 401 when it is back"


@attack(AREA, "One way to check tokens is away while the other knows the token, and the other way round")
async def chain(ground: AttackContext) -> str:
    provider = JwtIssuer()
    with open_accounts(ground.folder) as (kept, token):
        made = build_app(ground, AuthenticatorChain(provider.callers(), TokenAuthenticator(kept)))
        assert_accepted(await send_requests(made, provider.token()))
        provider.down = True
        provider.clock.now += 24 * 3600
        assert_accepted(await send_requests(made, token))
        provider.down = False
        provider.clock.now += RETRY_SECONDS
        lose_database(kept, ground.folder)
        assert_accepted(await send_requests(made, provider.token()))
        assert_outage(await send_requests(made, token))
    return f"let in by the one that works; {OUTAGE} where neither can tell"


# -- the console -----------------------------------------------------------------------------------------------------


def console(ground: AttackContext, **ways: Any) -> tuple[Starlette, GuessThrottle]:
    sealer, guesses = Encryptor.ephemeral(), GuessThrottle(time.time)
    desk = ConsoleService(
        list_contexts=list,
        catalogue=ground.catalogue,
        policy=PRESETS["guarded"],
        read_policy=lambda: PolicyText(""),
        encryptor=sealer,
        clock=time.time,
    )
    doors = SigninRoutes(
        sessions=LocalSessions(),
        links=OneTimeLinks(time.time),
        encryptor=sealer,
        clock=time.time,
        throttle=guesses,
        passphrase_throttle=GuessThrottle(time.time),
        language="en",
        secure=True,
        **ways,
    )
    return Starlette(routes=list(Console(desk, doors, "en").routes())), guesses


def open_browser(app: Starlette) -> httpx2.AsyncClient:
    headers = {"origin": PUBLIC, "accept-language": "en"}
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=PUBLIC, headers=headers)


@attack(AREA, "The database of tokens is gone while an approver signs in twenty times")
async def console_without_database(ground: AttackContext) -> str:
    with open_accounts(ground.folder) as (kept, _):
        app, guesses = console(ground, verify_token=make_token_verifier(kept))
        lose_database(kept, ground.folder)
        async with open_browser(app) as person:
            for _ in range(20):
                page = await person.post("/console/sign-in", data={"token": UNKNOWN_TOKEN})
                assert page.status_code == 503
                assert "does not open" not in page.text
        assert not guesses.is_blocked
    return "503 that says so each time; no attempt counts as a guess"


@attack(AREA, "The identity provider is down while fifty people begin a single sign-on")
async def console_without_provider(ground: AttackContext) -> str:
    asked = 0

    def down(request: httpx2.Request) -> httpx2.Response:
        nonlocal asked
        asked += 1
        raise httpx2.ConnectError("down", request=request)

    table = OidcTable(issuer=ISSUER, client_id="console", approver_group="approvers")
    app, _ = console(ground, provider=SignOn(table, f"{CONSOLE}/sso/callback", httpx2.MockTransport(down), Clock()))
    async with open_browser(app) as person:
        for _ in range(50):
            page = await person.get("/console/sso")
            assert page.status_code == 503
            assert "Your account is not the cause" in page.text
    assert asked == 1
    return "503 that says so, one request to the provider"
