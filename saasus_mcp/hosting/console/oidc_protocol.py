"""OpenID Connect for a confidential or public client: authorization URL with PKCE, code exchange, ID token checks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import jwt

from saasus_mcp.hosting.auth.authentication import TokenRejected
from saasus_mcp.hosting.auth.jwks import InvalidProviderDocument, JwksCache, request_document
from saasus_mcp.settings import OidcTable, parse_provider_url

TIMEOUT_SECONDS = 10.0
"""The time limit of one request to the provider."""
REQUIRED_CLAIMS = ["exp", "iat", "iss", "aud", "sub", "nonce"]
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


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


def start_sign_in(settings: OidcTable, metadata: Mapping[str, Any], redirect_uri: str) -> PendingSignIn:
    """Return a new sign-in with fresh state, nonce and PKCE verifier (RFC 7636)."""
    state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    params = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(settings.scopes),
        "state": state,
        "nonce": nonce,
        "code_challenge": _base64url(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    url = httpx2.URL(metadata["authorization_endpoint"]).copy_merge_params(params)
    return PendingSignIn(str(url), state, nonce, verifier)


async def exchange_code(
    settings: OidcTable,
    metadata: Mapping[str, Any],
    form: Mapping[str, str],
    *,
    transport: httpx2.AsyncBaseTransport | None,
) -> Mapping[str, Any]:
    """Return the tokens for an authorization code.

    Args:
        form: code, code_verifier and redirect_uri.

    Raises:
        httpx2.HTTPError, OSError: the provider cannot be reached, or refuses.
        ValueError: the answer has no ID token.
    """
    secret = settings.client_secret.read() if settings.client_secret else None
    methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    fields, auth = {"grant_type": "authorization_code", **form}, None
    if secret and "client_secret_basic" in methods:
        auth = (settings.client_id, secret)
    else:
        fields |= {"client_id": settings.client_id, **({"client_secret": secret} if secret else {})}
    url = metadata["token_endpoint"]
    tokens = json.loads(await request_document(url, TIMEOUT_SECONDS, transport, form=fields, auth=auth))
    if not isinstance(tokens, dict) or not isinstance(tokens.get("id_token"), str):
        raise InvalidProviderDocument
    return tokens


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
