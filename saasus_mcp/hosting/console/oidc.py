"""Single sign-on to the console with an OpenID Connect provider, as a confidential or public client.

It sends an authorization URL with PKCE, exchanges the code, and checks the ID token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import httpx2
import jwt

from saasus_mcp.common.person import read_person
from saasus_mcp.hosting.auth.authentication import (
    ASYMMETRIC_ALGORITHMS,
    AuthUnavailable,
    TokenRejected,
    build_groups,
    read_groups,
    read_principal_id,
)
from saasus_mcp.hosting.auth.jwks import RETRY_SECONDS, InvalidProviderDocument, JwksCache, request_document
from saasus_mcp.hosting.auth.jwt_auth import INVALID_TOKEN, describe_invalid_token
from saasus_mcp.settings.addresses import parse_provider_url
from saasus_mcp.settings.hosting import OidcTable
from saasus_mcp.store.signin_sessions import Approver, VerifiedApprover

TIMEOUT_SECONDS = 10.0
"""The time limit of one request to the provider."""
REQUIRED_CLAIMS = ["exp", "iat", "iss", "aud", "sub", "nonce"]
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
log = logging.getLogger(__name__)
METADATA_SECONDS = 10 * 60.0
"""How long the provider's metadata is used before it is fetched again."""
SignInFailureReason = Literal["denied", "again", "failed", "no_group", "unavailable"]


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A sign-in that waits for the provider: the URL for the browser, and what the answer must match."""

    url: str
    state: str
    nonce: str
    verifier: str


async def discover(issuer: str, transport: httpx2.AsyncBaseTransport | None) -> Mapping[str, Any]:
    """Return the metadata of a provider.

    Raises:
        httpx2.HTTPError, OSError: the provider cannot be reached.
        ValueError: the document is invalid, belongs to another issuer, or names an unsafe URL.
    """
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    metadata = json.loads(await request_document(url, TIMEOUT_SECONDS, transport))
    if not isinstance(metadata, dict) or metadata.get("issuer") != issuer:
        raise InvalidProviderDocument
    for name in ENDPOINTS:
        parse_provider_url(metadata.get(name))
    return metadata


async def verify_id_token(
    settings: OidcTable, tokens: Mapping[str, Any], nonce: str, *, keys: JwksCache, algorithms: Sequence[str]
) -> Mapping[str, Any]:
    """Return the claims of an ID token that is for this client and this sign-in (OpenID Connect Core, 3.1.3.7).

    Raises:
        AuthUnavailable: the provider's keys cannot be read.
        PyJWTError, TokenRejected, ValueError, TypeError: the ID token is not valid.
    """
    header = jwt.get_unverified_header(tokens["id_token"])
    algorithm = str(header.get("alg", ""))
    if algorithm not in algorithms:
        raise jwt.InvalidAlgorithmError
    key = await keys.find_key(header.get("kid", ""), algorithm)
    if key is None:
        raise TokenRejected("its key is not one of the provider's")
    claims: dict[str, Any] = jwt.PyJWT(options={"enforce_minimum_key_length": True}).decode(
        tokens["id_token"],
        key,
        algorithms=algorithms,
        audience=settings.client_id,
        issuer=settings.issuer,
        leeway=settings.leeway,
        options={"require": REQUIRED_CLAIMS},
    )
    if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
        raise TokenRejected("its nonce is of another sign-in")
    _check_authorized_party(claims, settings.client_id)
    _check_access_token_hash(claims, tokens.get("access_token"), algorithm)
    return claims


def _check_authorized_party(claims: Mapping[str, Any], client_id: str) -> None:
    """Check `azp`: it must be this client, and it is required if the token has several audiences."""
    party = claims.get("azp")
    if not party and claims["aud"] not in (client_id, [client_id]):
        raise TokenRejected("it has several audiences and no authorized party")
    if party and party != client_id:
        raise TokenRejected("it was issued to another client")


def _check_access_token_hash(claims: Mapping[str, Any], access_token: Any, algorithm: str) -> None:
    """Check `at_hash`, the left half of the access token's hash, if the token has one."""
    expected = claims.get("at_hash")
    if not expected or not access_token:
        return
    digest = "sha512" if algorithm == "EdDSA" else f"sha{algorithm[2:]}"
    actual = hashlib.new(digest, str(access_token).encode()).digest()
    if not hmac.compare_digest(_base64url(actual[: len(actual) // 2]).encode(), str(expected).encode()):
        raise TokenRejected("its access token hash does not match")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class SignInFailed(Exception):
    """The person is not signed in.

    Attributes:
        reason: why; `unavailable` if the provider cannot be reached, and the person's account is not the cause.
        group: the group that the person lacks.
    """

    def __init__(self, reason: SignInFailureReason, group: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.group = group


@dataclass(frozen=True, slots=True)
class _Provider:
    """The metadata of the provider, its keys, and when the metadata was fetched."""

    metadata: Mapping[str, Any]
    keys: JwksCache
    fetched_at: float


class OidcProvider:
    """The identity provider whose users may sign in to the console if they are in the approvers' group.

    Args:
        redirect_uri: the URL that the provider sends people back to.
        transport: replaces the network in tests.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        settings: OidcTable,
        redirect_uri: str,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._transport = transport
        self._clock = clock
        self._known: _Provider | None = None
        self._lock = anyio.Lock()
        self._failed_at, self._failure = float("-inf"), SignInFailed("unavailable")
        self._algorithms = [each for each in settings.algorithms if each in ASYMMETRIC_ALGORITHMS]

    async def begin_sign_in(self) -> PendingSignIn:
        """Return the URL to send a browser to, and the values that its answer must match.

        Raises:
            SignInFailed: the provider cannot be reached.
        """
        provider, settings = await self._provider(), self._settings
        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        params = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": _base64url(hashlib.sha256(verifier.encode()).digest()),  # PKCE, RFC 7636
            "code_challenge_method": "S256",
        }
        url = httpx2.URL(provider.metadata["authorization_endpoint"]).copy_merge_params(params)
        return PendingSignIn(str(url), state, nonce, verifier)

    async def finish_sign_in(self, answer: Mapping[str, str], pending: PendingSignIn | None) -> VerifiedApprover:
        """Return the approver that the provider's answer signs in.

        Args:
            answer: the query parameters that the browser brought back.
            pending: the sign-in that this browser started; None if it did not start one, or it took too long.

        Raises:
            SignInFailed: the person is not signed in.
        """
        if pending is None or not hmac.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
            raise SignInFailed("again")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:
            log.warning("console sign-in: the answer comes from another issuer")
            raise SignInFailed("failed")
        if "error" in answer or not answer.get("code"):
            log.info("console sign-in: the provider refused")
            raise SignInFailed("denied")
        provider = await self._provider()
        tokens = await self._exchange_code(provider, answer["code"], pending)
        try:
            claims = await verify_id_token(
                self._settings, tokens, pending.nonce, keys=provider.keys, algorithms=self._algorithms
            )
            return self._to_approver(claims)
        except AuthUnavailable as error:
            log.warning("console sign-in: %s", error.message)
            raise SignInFailed("unavailable") from None
        except INVALID_TOKEN as error:
            log.warning("console sign-in: the ID token was rejected: %s", describe_invalid_token(error))
            raise SignInFailed("failed") from None

    async def _exchange_code(self, provider: _Provider, code: str, pending: PendingSignIn) -> Mapping[str, Any]:
        """Return the tokens for an authorization code, one of which is an ID token."""
        settings, metadata = self._settings, provider.metadata
        secret = settings.client_secret.read() if settings.client_secret else None
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        form = {"code": code, "code_verifier": pending.verifier, "redirect_uri": self._redirect_uri}
        fields, auth = {"grant_type": "authorization_code", **form}, None
        if secret and "client_secret_basic" in methods:
            auth = (settings.client_id, secret)
        else:
            fields |= {"client_id": settings.client_id, **({"client_secret": secret} if secret else {})}
        url = metadata["token_endpoint"]
        try:
            answer = await request_document(url, TIMEOUT_SECONDS, self._transport, form=fields, auth=auth)
            tokens = json.loads(answer)
            if not isinstance(tokens, dict) or not isinstance(tokens.get("id_token"), str):
                raise InvalidProviderDocument
        except (httpx2.HTTPError, OSError) as error:
            raise _to_failure(error) from None
        except (ValueError, RecursionError) as error:
            log.warning("console sign-in: the code was not exchanged: %s", type(error).__name__)
            raise SignInFailed("failed") from None
        return tokens

    def _to_approver(self, claims: Mapping[str, Any]) -> VerifiedApprover:
        settings = self._settings
        identity = read_principal_id(claims, settings.subject_claim, settings.issuer)
        groups = build_groups(read_groups(claims, settings.groups_claim))
        if settings.approver_group not in groups:
            log.info("console sign-in: the person is not in the approvers' group")
            raise SignInFailed("no_group", settings.approver_group)
        person = read_person(claims, settings.name_claim, settings.email_claim)
        return VerifiedApprover(Approver(identity, groups, person=person))

    async def _provider(self) -> _Provider:
        """Return the provider, with metadata that is fetched again now and then.

        Raises:
            SignInFailed: the provider cannot be reached, or its metadata is not acceptable.
        """
        async with self._lock:
            if self._known is not None and self._clock() - self._known.fetched_at < METADATA_SECONDS:
                return self._known
            if self._clock() - self._failed_at < RETRY_SECONDS:
                raise SignInFailed(self._failure.reason)
            return await self._discover()

    async def _discover(self) -> _Provider:
        # Set before the request: a canceled sign-in must not let the next one try at once.
        self._failed_at, self._failure = self._clock(), SignInFailed("unavailable")
        try:
            metadata = await discover(self._settings.issuer, self._transport)
        except (httpx2.HTTPError, OSError) as error:
            self._failure = _to_failure(error)
        except (ValueError, RecursionError) as error:
            log.warning("console sign-in: the provider's metadata cannot be read: %s", type(error).__name__)
            self._failure = SignInFailed("failed")
        else:
            return self._remember(metadata)
        self._failed_at = self._clock()  # the pause begins now: others have waited, and must not wait as long again
        raise self._failure

    def _remember(self, metadata: Mapping[str, Any]) -> _Provider:
        """Store the metadata. Keep the cached keys if their URL has not changed."""
        self._failed_at = float("-inf")
        previous, url = self._known, metadata["jwks_uri"]
        if previous is not None and previous.metadata["jwks_uri"] == url:
            keys = previous.keys
        else:
            keys = JwksCache(url, self._algorithms, self._transport, self._clock)
        self._known = _Provider(metadata, keys, self._clock())
        return self._known


def _to_failure(error: Exception) -> SignInFailed:
    """Return `failed` if the provider answered with a client error or a redirect, and `unavailable` otherwise."""
    log.warning("console sign-in: the provider cannot be reached: %s", type(error).__name__)
    answered = isinstance(error, httpx2.HTTPStatusError) and not error.response.is_server_error
    return SignInFailed("failed" if answered else "unavailable")
