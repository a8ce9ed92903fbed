"""Access tokens of an identity provider: which are believed, whom they name, and what becomes of its keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from saasus_mcp.hosting.auth.authentication import AuthUnavailable, Caller
from saasus_mcp.hosting.auth.jwks import FRESH_SECONDS, RETRY_SECONDS, STALE_SECONDS, JwksCache
from saasus_mcp.hosting.auth.jwt_auth import JwtAuthenticator
from saasus_mcp.settings.hosting import JwtTable
from tests.support.jwt_issuer import ISSUER, RESOURCE, JwtIssuer, ec_key, pem, rsa_key

NOW = time.time()  # when tests are collected; the tests below may run an hour later
REFUSED: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://login.example.com/realms/other"},
    "an issuer with a slash more": {"iss": f"{ISSUER}/"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "https://api.example.com"},
    "an audience with a slash more": {"aud": f"{RESOURCE}/"},
    "no audience": {"aud": None},
    "an empty list of audiences": {"aud": []},
    "expired": {"exp": NOW - 60},
    "no end": {"exp": None},
    "an end that is no time": {"exp": "soon"},
    "an endless end": {"exp": float("inf")},
    "not yet valid": {"nbf": NOW + 86_400},
    "issued in the future": {"iat": NOW + 86_400},
    "nobody": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 7},
    "a subject with a line break": {"sub": "hanako\nlocal:root"},
    "a subject too long for the store": {"sub": "x" * 200},
    "a key that is not known": {"kid": "two", "key": rsa_key()},
    "another key under a known name": {"key": rsa_key(1)},
    "a key that is too short": {"kid": "short"},
    "an algorithm that is not set": {"algorithm": "RS512"},
    "a type for logging out": {"headers": {"typ": "logout+jwt"}},
    "a type that is no text": {"headers": {"typ": ["JWT"]}},
    "an extension nobody knows": {"headers": {"crit": ["x"], "x": 1}},
    "groups that are no names": {"groups": {"admin": True}},
    "a list of groups with something else in it": {"groups": ["support", 7]},
    "groups to be asked for elsewhere": {"_claim_names": {"groups": "src1"}},
    "groups too many to say": {"hasgroups": True},
    "a token of nine kilobytes": {"filler": "x" * 9000},
}


@pytest.mark.parametrize("claims", REFUSED.values(), ids=REFUSED)
@pytest.mark.filterwarnings("ignore:The RSA key is:UserWarning")
async def test_a_token_is_refused_with(claims: dict[str, Any]) -> None:
    provider = JwtIssuer()
    if claims.get("kid") == "short":
        provider.keys["short"] = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    assert await provider.callers().authenticate(provider.token()) is not None
    assert await provider.callers().authenticate(provider.token(**claims)) is None


def forged(header: dict[str, Any], secret: bytes | None) -> str:
    """Return a token that no library would produce."""
    claims = {"iss": ISSUER, "aud": RESOURCE, "sub": "hanako", "exp": int(NOW) + 600}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signed = b".".join(parts)
    mac = hmac.new(secret, signed, hashlib.sha256).digest() if secret is not None else b""
    return b".".join([signed, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


FORGED = {
    "algorithm none": forged({"alg": "none", "kid": "one"}, None),
    "algorithm None": forged({"alg": "None", "kid": "one"}, None),
    "no algorithm": forged({"kid": "one"}, None),
    "algorithm null": forged({"alg": None, "kid": "one"}, None),
    "HS256 with the public key": forged({"alg": "HS256", "kid": "one"}, pem(rsa_key())),
    "HS256 with nothing": forged({"alg": "HS256", "kid": "one"}, b""),
    "RS256 and no signature": forged({"alg": "RS256", "kid": "one"}, None),
    "RS256 and another signature": forged({"alg": "RS256", "kid": "one"}, b"secret"),
    "a key in the token itself": forged({"alg": "RS256", "jwk": {"kty": "oct", "k": "c2VjcmV0"}}, b"secret"),
    "a key elsewhere": forged({"alg": "RS256", "jku": "https://evil.example.com/keys", "kid": "two"}, b"secret"),
    "a key's name that is a list": forged({"alg": "RS256", "kid": ["one"]}, b"secret"),
    "no token at all": "hello",
    "three empty parts": "..",
    "deep nonsense": base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.x",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
async def test_a_forged_token_is_refused(token: str) -> None:
    assert await JwtIssuer().callers().authenticate(token) is None


async def test_a_shared_secret_among_the_providers_keys_is_never_used() -> None:
    provider, secret = JwtIssuer(), b"a secret of thirty-two characters"
    key = {"kty": "oct", "kid": "one", "k": base64.urlsafe_b64encode(secret).decode(), "alg": "HS256"}
    provider.answer = httpx2.Response(200, json={"keys": [key]})
    assert await provider.callers().authenticate(provider.token(key=secret, algorithm="HS256")) is None


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512", "RS1", "rs256"])
def test_no_configuration_allows_an_algorithm_that_anybody_could_sign_with(algorithm: str) -> None:
    with pytest.raises(ValueError, match="RS256"):
        JwtTable.model_validate({"issuer": ISSUER, "jwks_url": ISSUER, "algorithms": [algorithm]})


async def test_algorithms_slipped_past_the_configuration_are_not_used() -> None:
    provider = JwtIssuer()
    callers = provider.callers()
    callers._settings = callers._settings.model_copy(update={"algorithms": ("HS256", "none")})
    again = type(callers)(callers._settings, {RESOURCE: None}, provider._keys)
    for token in (FORGED["HS256 with the public key"], FORGED["algorithm none"]):
        assert await again.authenticate(token) is None


async def test_the_person_named_by_a_token() -> None:
    provider = JwtIssuer()
    end = time.time() + 300
    token = provider.token(groups=["support"], scope="mcp:tools profile", tenants=["t1"], exp=end)
    caller = await provider.callers(scopes=["mcp:tools", "mcp:admin"]).authenticate(token)
    assert caller is not None
    assert caller.principal.id == f"oidc:{ISSUER}|hanako"
    assert caller.principal.groups == {"support", "scope:mcp:tools", "scope:profile"}
    assert caller.principal.claims["tenants"] == ["t1"]
    assert (caller.role, caller.client_id, caller.issuer, caller.missing_scopes) == (
        "caller",
        "desktop",
        ISSUER,
        ("mcp:admin",),
    )
    assert caller.expires_at == pytest.approx(end + 30)


async def test_a_configured_claim_alone_names_the_person_of_a_token() -> None:
    provider = JwtIssuer()
    callers = provider.callers(subject_claim="oid")
    caller = await callers.authenticate(provider.token(oid="the-person"))
    assert caller is not None
    assert caller.principal.id == f"oidc:{ISSUER}|the-person"
    assert await callers.authenticate(provider.token()) is None


GROUPS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "a list": ("groups", {"groups": ["a", "b"]}, {"a", "b"}),
    "one": ("groups", {"groups": "a"}, {"a"}),
    "none": ("groups", {}, set()),
    "a dotted path": ("realm_access.roles", {"realm_access": {"roles": ["a"]}}, {"a"}),
    "a path to nowhere": ("realm_access.roles", {"realm_access": ["roles"]}, set()),
    "a name with dots": ("https://example.com/groups", {"https://example.com/groups": ["a"]}, {"a"}),
    "names that a policy takes for principals": (
        "groups",
        {
            "groups": [
                "local",
                "local:root",
                "token:ci",
                "oidc:x|y",
                "scope:admin",
                "*",
                "a?",
                "[a]",
                "",
                "a\n",
                "locals",
            ]
        },
        {"locals"},
    ),
}


@pytest.mark.parametrize(("claim", "claims", "meant"), GROUPS.values(), ids=GROUPS)
async def test_groups_are_read_from(claim: str, claims: dict[str, Any], meant: set[str]) -> None:
    provider = JwtIssuer()
    caller = await provider.callers(groups_claim=claim).authenticate(provider.token(**claims))
    assert caller is not None
    assert caller.principal.groups == meant


@pytest.mark.parametrize("kind", ["at+jwt", "application/at+jwt", "JWT", "jwt"])
async def test_a_token_that_says_it_is_for_access_is_believed(kind: str) -> None:
    provider = JwtIssuer()
    assert await provider.callers().authenticate(provider.token(headers={"typ": kind})) is not None


async def test_scopes_may_be_a_list_as_some_providers_write_them() -> None:
    provider = JwtIssuer()
    caller = await provider.callers(scopes=["a"]).authenticate(provider.token(scp=["a", "b"]))
    assert caller is not None
    assert caller.missing_scopes == ()


@pytest.mark.parametrize(
    ("audience", "opened"),
    [
        (RESOURCE, None),
        ([RESOURCE, "https://api.example.com"], None),
        (f"{RESOURCE}/staging", {"staging"}),
        ([f"{RESOURCE}/staging", f"{RESOURCE}/test"], {"staging", "test"}),
        ([f"{RESOURCE}/staging", RESOURCE], None),
        ([f"{RESOURCE}/staging", "https://api.example.com"], {"staging"}),
    ],
    ids=["all", "all and elsewhere", "one", "two", "one and all", "one and elsewhere"],
)
async def test_a_token_for_one_profile_opens_only_that(audience: Any, opened: set[str] | None) -> None:
    provider = JwtIssuer()
    known = {RESOURCE: None, f"{RESOURCE}/staging": frozenset({"staging"}), f"{RESOURCE}/test": frozenset({"test"})}
    caller = await provider.callers(known).authenticate(provider.token(aud=audience))
    assert caller is not None
    assert caller.profiles == opened


@pytest.mark.parametrize(("leeway", "let_in"), [(0, False), (60, True)])
async def test_clocks_may_differ_by_the_leeway(leeway: int, let_in: bool) -> None:
    provider = JwtIssuer()
    times: dict[str, Any] = {"exp": time.time() - 20, "nbf": time.time() + 20, "iat": time.time() + 20}
    for claims in ({name: at} for name, at in times.items()):
        assert (await provider.callers(leeway=leeway).authenticate(provider.token(**claims)) is not None) is let_in


async def test_elliptic_curves_and_tokens_that_name_no_key_are_understood() -> None:
    provider = JwtIssuer({"one": rsa_key(), "curve": ec_key()})
    callers = provider.callers()
    assert await callers.authenticate(provider.token("curve", "ES256")) is not None
    assert await callers.authenticate(provider.token(None)) is not None, "the only key of its kind"
    provider = JwtIssuer({"one": rsa_key(), "two": rsa_key(1)})
    assert await provider.callers().authenticate(provider.token(None, key=rsa_key())) is None, "one of two"


async def test_a_new_key_is_found_without_a_restart() -> None:
    provider = JwtIssuer()
    callers = provider.callers()
    assert await callers.authenticate(provider.token()) is not None
    provider.keys = {"two": rsa_key(1)}
    provider.clock.now += RETRY_SECONDS
    assert await callers.authenticate(provider.token("two")) is not None
    assert await callers.authenticate(provider.token("one", key=rsa_key())) is None, "withdrawn"


async def test_made_up_keys_do_not_make_the_server_ask_again_and_again() -> None:
    provider = JwtIssuer()
    callers = provider.callers()
    for number in range(20):
        assert await callers.authenticate(provider.token(f"made-up-{number}", key=rsa_key(1))) is None
    assert provider.asked == 1
    provider.clock.now += RETRY_SECONDS
    assert await callers.authenticate(provider.token("made-up", key=rsa_key(1))) is None
    assert provider.asked == 2


async def test_keys_are_fetched_again_periodically_and_a_withdrawn_one_ends() -> None:
    provider = JwtIssuer()
    callers = provider.callers()
    for _ in range(5):
        assert await callers.authenticate(provider.token()) is not None
    assert provider.asked == 1
    provider.keys = {"two": rsa_key(1)}
    provider.clock.now += FRESH_SECONDS
    assert await callers.authenticate(provider.token("one", key=rsa_key())) is None
    assert provider.asked == 2


async def test_known_keys_hold_through_an_outage_but_not_for_ever() -> None:
    provider = JwtIssuer()
    callers = provider.callers()
    assert await callers.authenticate(provider.token()) is not None
    provider.down = True
    provider.clock.now += STALE_SECONDS - 1
    for _ in range(5):
        assert await callers.authenticate(provider.token()) is not None
    assert provider.asked == 2, "and the provider is not pressed meanwhile"
    provider.clock.now += 1
    with pytest.raises(AuthUnavailable):
        await callers.authenticate(provider.token())
    provider.down = False
    provider.clock.now += RETRY_SECONDS
    assert await callers.authenticate(provider.token()) is not None


@dataclass
class Slow(httpx2.AsyncBaseTransport):
    """A provider that answers when the test lets it, once it is slow."""

    inner: httpx2.AsyncBaseTransport
    slow: bool = False
    asked: anyio.Event = field(default_factory=anyio.Event)
    answers: anyio.Event = field(default_factory=anyio.Event)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.slow:
            self.asked.set()
            await self.answers.wait()
        return await self.inner.handle_async_request(request)


async def test_callers_with_a_known_key_do_not_wait_while_keys_are_fetched() -> None:
    provider = JwtIssuer()
    slow = Slow(provider.transport())
    table = JwtTable(issuer=ISSUER, jwks_url=f"{ISSUER}/keys")
    callers = JwtAuthenticator(
        table, {RESOURCE: None}, lambda given: JwksCache(table.jwks_url, given, slow, provider.clock)
    )
    assert await callers.authenticate(provider.token()) is not None
    slow.slow = True
    provider.clock.now += FRESH_SECONDS
    first: list[Caller | None] = []

    async def who_asks() -> None:
        first.append(await callers.authenticate(provider.token()))

    async with anyio.create_task_group() as both:
        both.start_soon(who_asks)
        await slow.asked.wait()
        with anyio.fail_after(30):
            assert await callers.authenticate(provider.token()) is not None
        assert first == []
        slow.answers.set()
    assert first != [None]


ANSWERS = {
    "500": httpx2.Response(500),
    "redirect": httpx2.Response(302, headers={"Location": "https://evil.example.com/keys"}),
    "HTML": httpx2.Response(200, text="<html>"),
    "a list": httpx2.Response(200, json=[]),
    "no keys": httpx2.Response(200, json={"keys": []}),
    "keys of nothing": httpx2.Response(200, json={"keys": [7, None, {"kty": "RSA"}, {"kty": "RSA", "n": 1, "e": []}]}),
    "a key for encryption": httpx2.Response(200, json={"keys": [{**JwtIssuer().document()["keys"][0], "use": "enc"}]}),
    "a key for another algorithm": httpx2.Response(
        200, json={"keys": [{**JwtIssuer().document()["keys"][0], "alg": "RS512"}]}
    ),
    "too much": httpx2.Response(200, content=b" " * 300_000 + json.dumps(JwtIssuer().document()).encode()),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_an_invalid_key_set_admits_nobody_and_keeps_the_known_keys(answer: httpx2.Response) -> None:
    provider = JwtIssuer(answer=answer)
    with pytest.raises(AuthUnavailable):
        await provider.callers().authenticate(provider.token())
    provider = JwtIssuer()
    callers = provider.callers()
    assert await callers.authenticate(provider.token()) is not None
    provider.answer = answer
    provider.clock.now += FRESH_SECONDS
    assert await callers.authenticate(provider.token()) is not None


async def test_why_a_token_is_refused_is_logged_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    provider = JwtIssuer()
    with caplog.at_level("DEBUG", logger="saasus_mcp"):
        token = provider.token(aud="https://secret-audience.example.com", sub="secret-subject")
        assert await provider.callers().authenticate(token) is None
    assert "InvalidAudienceError" in caplog.text
    assert "secret" not in caplog.text
    assert token not in caplog.text
