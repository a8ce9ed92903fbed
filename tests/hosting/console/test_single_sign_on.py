"""Single sign-on to the console: whom the provider names, and everything that could be false on the way."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette

from saasus_mcp.hosting.console.oidc import OidcProvider, PendingSignIn, SignInFailed
from saasus_mcp.hosting.console.signin_routes import SSO_SECONDS, SigninRoutes
from saasus_mcp.hosting.console.signin_sessions import GuessThrottle, LocalSessions, OneTimeLinks
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.settings.hosting import OidcTable
from saasus_mcp.store.signin_sessions import VerifiedApprover
from tests.support.jwt_issuer import Clock, pem, rsa_key
from tests.support.openid_provider import CLIENT, SECRET, OpenIdProvider

ISSUER = "https://login.example.com"
HERE = "https://mcp.example.com/console/sso/callback"


@pytest.fixture
def openid() -> OpenIdProvider:
    return OpenIdProvider(ISSUER)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("TEST_SECRET", SECRET)
    secret = {"env": "TEST_SECRET"}
    return {"issuer": ISSUER, "client_id": CLIENT, "client_secret": secret, "approver_group": "approvers"}


@pytest.fixture
def provider(openid: OpenIdProvider, table: dict[str, Any]) -> OidcProvider:
    return OidcProvider(OidcTable.model_validate(table), HERE, httpx2.ASGITransport(app=openid.app()))


async def chosen(openid: OpenIdProvider, begun: PendingSignIn, person: str = "hanako") -> dict[str, str]:
    """Return the query that the browser brings back after this person signed in."""
    transport = httpx2.ASGITransport(app=openid.app())
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as browser:
        answer = await browser.get(f"/as/{person}?{urlsplit(begun.url).query}")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def signed_in(provider: OidcProvider, openid: OpenIdProvider, person: str = "hanako") -> VerifiedApprover:
    begun = await provider.begin_sign_in()
    return await provider.finish_sign_in(await chosen(openid, begun, person), begun)


async def refused(provider: OidcProvider, openid: OpenIdProvider, person: str = "hanako") -> str:
    with pytest.raises(SignInFailed) as failed:
        await signed_in(provider, openid, person)
    return failed.value.reason


async def test_an_approver_signs_in_under_the_id_that_they_have_at_mcp(
    provider: OidcProvider, openid: OpenIdProvider
) -> None:
    approver = (await signed_in(provider, openid)).approver
    assert (approver.id, approver.groups) == (f"oidc:{ISSUER}|hanako", frozenset({"approvers", "operators"}))
    assert not approver.is_owner


async def test_the_browser_is_sent_with_challenge_state_and_nonce(provider: OidcProvider) -> None:
    begun, other = await provider.begin_sign_in(), await provider.begin_sign_in()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.url).query).items()}
    assert begun.url.startswith(f"{ISSUER}/authorize?")
    assert asked["response_type"] == "code"
    assert (asked["client_id"], asked["redirect_uri"], asked["scope"]) == (CLIENT, HERE, "openid")
    assert (asked["state"], asked["nonce"]) == (begun.state, begun.nonce)
    assert asked["code_challenge_method"] == "S256"
    assert begun.verifier not in begun.url
    assert SECRET not in begun.url
    assert len({begun.state, begun.nonce, begun.verifier, other.state, other.nonce, other.verifier}) == 6


async def test_a_person_without_the_group_reads_its_name(provider: OidcProvider, openid: OpenIdProvider) -> None:
    with pytest.raises(SignInFailed) as failed:
        await signed_in(provider, openid, "taro")
    assert (failed.value.reason, failed.value.group) == ("no_group", "approvers")


async def test_a_person_who_declines_at_the_provider_is_not_signed_in(
    provider: OidcProvider, openid: OpenIdProvider
) -> None:
    assert await refused(provider, openid, "nobody") == "denied"


FALSE: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example.com"},
    "another audience": {"aud": "another"},
    "several audiences and no azp": {"aud": [CLIENT, "another"]},
    "issued to another": {"azp": "another"},
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1},
    "no end": {"exp": None},
    "not yet": {"nbf": 9_999_999_999},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that hides": {"sub": "hana\u202eko"},
    "another access token's": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "groups elsewhere": {"groups": None, "_claim_names": {"groups": "src1"}},
    "groups of another form": {"groups": {"approvers": True}},
}


@pytest.mark.parametrize("says", FALSE.values(), ids=FALSE)
async def test_an_id_token_that_is_not_for_this_sign_in_lets_nobody_in(
    provider: OidcProvider, openid: OpenIdProvider, says: dict[str, Any]
) -> None:
    openid.says = says
    assert await refused(provider, openid) == "failed"


async def test_the_hash_of_the_access_token_and_the_authorized_party_are_accepted_if_right(
    provider: OidcProvider, openid: OpenIdProvider
) -> None:
    half = hashlib.sha256(b"access").digest()[:16]
    at_hash = base64.urlsafe_b64encode(half).decode().rstrip("=")
    openid.says = {"aud": [CLIENT, "another"], "azp": CLIENT, "at_hash": at_hash}
    assert (await signed_in(provider, openid)).approver.id == f"oidc:{ISSUER}|hanako"


async def test_a_subject_that_is_no_text_signs_nobody_in(openid: OpenIdProvider, table: dict[str, Any]) -> None:
    settings = OidcTable.model_validate(table | {"subject_claim": "oid"})
    provider = OidcProvider(settings, HERE, httpx2.ASGITransport(app=openid.app()))
    openid.says = {"oid": 5}
    assert await refused(provider, openid) == "failed"


async def test_an_id_token_signed_by_somebody_else_lets_nobody_in(
    provider: OidcProvider, openid: OpenIdProvider
) -> None:
    openid.key = rsa.generate_private_key(65537, 2048)
    assert await refused(provider, openid) == "failed"


async def test_an_id_token_signed_with_the_public_key_lets_nobody_in(
    provider: OidcProvider, openid: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt.algorithms.HMACAlgorithm.prepare_key", lambda _, key: key)
    openid.key, openid.algorithm = pem(rsa_key()), "HS256"
    assert await refused(provider, openid) == "failed"


@pytest.mark.parametrize("state", ["", "another"])
async def test_an_answer_that_this_browser_did_not_ask_for_is_refused(
    provider: OidcProvider, openid: OpenIdProvider, state: str
) -> None:
    begun = await provider.begin_sign_in()
    answer = await chosen(openid, begun)
    for kept, brought in ((begun, {**answer, "state": state}), (None, answer)):
        with pytest.raises(SignInFailed) as failed:
            await provider.finish_sign_in(brought, kept)
        assert failed.value.reason == "again"
    assert openid.asked == [], "and its code goes nowhere"


async def test_a_code_is_of_no_use_without_the_verifier(provider: OidcProvider, openid: OpenIdProvider) -> None:
    begun = await provider.begin_sign_in()
    answer = await chosen(openid, begun)
    stolen = PendingSignIn(begun.url, begun.state, begun.nonce, "v" * 64)
    with pytest.raises(SignInFailed):
        await provider.finish_sign_in(answer, stolen)
    assert len(openid.asked) == 1


async def test_an_answer_of_another_issuer_is_refused_before_its_code_is_sent(
    provider: OidcProvider, openid: OpenIdProvider
) -> None:
    begun = await provider.begin_sign_in()
    answer = await chosen(openid, begun) | {"iss": "https://evil.example.com"}
    with pytest.raises(SignInFailed):
        await provider.finish_sign_in(answer, begun)
    assert openid.asked == []


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example.com"},
        {"token_endpoint": "http://login.example.com/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=["another issuer", "no TLS", "no keys", "no address"],
)
async def test_a_provider_that_says_something_unsafe_of_itself_is_not_followed(
    provider: OidcProvider, openid: OpenIdProvider, discovery: dict[str, Any]
) -> None:
    openid.discovery = discovery
    with pytest.raises(SignInFailed):
        await provider.begin_sign_in()


async def test_the_client_secret_goes_in_the_header_and_to_the_token_endpoint_only(
    provider: OidcProvider, openid: OpenIdProvider
) -> None:
    await signed_in(provider, openid)
    [asked] = openid.asked
    assert asked["grant_type"] == "authorization_code"
    assert "client_secret" not in asked


async def test_a_code_follows_no_redirect_of_the_token_endpoint(provider: OidcProvider, openid: OpenIdProvider) -> None:
    openid.discovery = {"token_endpoint": f"{ISSUER}/moved"}
    assert await refused(provider, openid) == "failed"
    assert openid.asked == []


async def test_a_sign_in_that_was_begun_too_long_ago_is_begun_again(
    provider: OidcProvider, openid: OpenIdProvider
) -> None:
    clock = Clock()
    doors = SigninRoutes(
        sessions=LocalSessions(),
        links=OneTimeLinks(clock),
        encryptor=Encryptor.ephemeral(),
        clock=clock,
        throttle=GuessThrottle(clock),
        passphrase_throttle=GuessThrottle(clock),
        language="en",
        secure=True,
        provider=provider,
    )
    app = Starlette(routes=doors.routes())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=urljoin(HERE, "/")) as browser:
        for seconds, status in ((SSO_SECONDS, 403), (SSO_SECONDS - 1, 303)):
            begun = await browser.get("/console/sso")
            brought = await chosen(openid, PendingSignIn(begun.headers["location"], "", "", ""))
            clock.now += seconds
            assert (await browser.get(HERE, params=brought)).status_code == status
    assert len(openid.asked) == 1, "the code of the one that was over went nowhere"
