"""Callers whom an identity provider names: access tokens that are JWTs, verified against its keys."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jwt
from jwt.types import Options

from saasus_mcp.hosting.auth.authentication import (
    MAX_ID_LENGTH,
    AuthUnavailable,
    Caller,
    HealthCheck,
    oidc_principal_id,
    principal_groups,
)
from saasus_mcp.hosting.auth.jwks import JwksCache
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.settings import HttpSettings, JwtTable

log = logging.getLogger(__name__)

MAX_TOKEN_LENGTH = 8 * 1024
TOKEN_PARTS = 3
REQUIRED_CLAIMS = ["exp", "iss", "aud", "sub"]
UNSIGNED_OPTIONS: Options = {
    "verify_signature": False,
    "verify_exp": True,
    "verify_nbf": True,
    "verify_aud": True,
    "verify_iss": True,
}
ACCESS_TOKEN_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""Of tokens that say what they are (RFC 9068): one that was signed for logging out, or to prove something else, is no access."""
ASYMMETRIC_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Whatever a configuration says: no token without a signature, none signed with a shared secret."""


class TokenRejected(Exception):
    """The token is signed, and says something that nobody can be let in with."""


class JwtAuthenticator:
    """Believes the tokens of one provider.

    Args:
        settings: whose they are and what they must say.
        audiences: what `aud` must contain one of, and the profiles that this opens; None: all of them.
        keys: makes the provider's keys, by the algorithms that they may be used with.
    """

    def __init__(
        self,
        settings: JwtTable,
        audiences: Mapping[str, frozenset[str] | None],
        keys: Callable[[Sequence[str]], JwksCache] | None = None,
    ) -> None:
        self._settings = settings
        self._audiences = audiences
        self._algorithms = [each for each in settings.algorithms if each in ASYMMETRIC_ALGORITHMS]
        self._keys = keys(self._algorithms) if keys else JwksCache(settings.jwks_url, self._algorithms)
        self._jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})

    async def authenticate(self, token: str) -> Caller | None:
        """Return the caller whom the provider names.

        Raises:
            Unavailable: the token may be valid, and the provider's keys cannot be read.
        """
        if len(token) > MAX_TOKEN_LENGTH or token.count(".") != TOKEN_PARTS - 1:
            return None
        try:
            key = await self._key(token)
            claims = self._claims(token, key)
            return self._caller(claims)
        except (jwt.PyJWTError, TokenRejected, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            # The kind alone: PyJWT's words may repeat what the token says.
            log.info("token rejected: %s", str(error) if isinstance(error, TokenRejected) else type(error).__name__)
            return None

    @property
    def health_checks(self) -> Mapping[str, HealthCheck]:
        """Whether there are keys to check tokens with."""
        return {"keys": self._keys.has_usable_keys}

    async def _key(self, token: str) -> jwt.PyJWK:
        header = jwt.get_unverified_header(token)
        algorithm, kid = header.get("alg"), header.get("kid", "")
        if algorithm not in self._algorithms:
            raise jwt.InvalidAlgorithmError
        if str(header.get("typ", "JWT")).lower() not in ACCESS_TOKEN_TYPES:
            raise TokenRejected("it is not an access token")
        try:
            key = await self._keys.find_key(kid, algorithm)
        except AuthUnavailable:
            self._claims(token, None)  # one that has expired, or is another server's, is refused all the same
            raise
        if key is None:
            raise TokenRejected("it is not signed with one of the provider's keys")
        return key

    def _claims(self, token: str, key: jwt.PyJWK | None) -> dict[str, Any]:
        """What a token says, where it is for this server and its time is not over.

        Args:
            key: that it must be signed with; None: nothing that it says is to be believed.
        """
        options: Options = {"require": REQUIRED_CLAIMS}
        if key is None:
            options = {**UNSIGNED_OPTIONS, "require": REQUIRED_CLAIMS}
        return self._jwt.decode(
            token,
            key or "",
            algorithms=self._algorithms,
            audience=list(self._audiences),
            issuer=self._settings.issuer,
            leeway=self._settings.leeway,
            options=options,
        )

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        subject, issuer = claims.get(self._settings.subject_claim), self._settings.issuer
        if not isinstance(subject, str) or not subject or not subject.isprintable():
            raise TokenRejected("its subject is missing, empty or not printable")
        identity = oidc_principal_id(issuer, subject)
        if len(identity) > MAX_ID_LENGTH:
            raise TokenRejected("its issuer and subject are too long")
        scopes = _words(claims.get("scope", claims.get("scp", "")))
        named = principal_groups(read_groups(claims, self._settings.groups_claim), scopes)
        return Caller(
            principal=Principal(identity, named, claims),
            role="caller",
            expires_at=float(claims["exp"]) + self._settings.leeway,
            client_id=str(claims.get("azp") or claims.get("client_id") or ""),
            issuer=issuer,
            missing_scopes=tuple(scope for scope in self._settings.scopes if scope not in scopes),
            profiles=self._profiles(claims["aud"]),
        )

    def _profiles(self, audience: str | list[str]) -> frozenset[str] | None:
        """The profiles that a token's audiences open."""
        opened: set[str] = set()
        for each in [audience] if isinstance(audience, str) else audience:
            profiles = self._audiences.get(each, frozenset())
            if profiles is None:
                return None
            opened |= profiles
        return frozenset(opened)


def accepted_audiences(http: HttpSettings, profiles: Iterable[str]) -> dict[str, frozenset[str] | None]:
    """What a token's `aud` must contain one of, and the profiles that this opens; None: all of them.

    Where nothing is set, it is the URL that a client connects to: /mcp or /sse, or that of one profile, which then opens only that.
    """
    if http.jwt is not None and http.jwt.audience:
        return dict.fromkeys(http.jwt.audience)
    whole: dict[str, frozenset[str] | None] = dict.fromkeys(http.resources)
    return whole | {f"{resource}/{name}": frozenset({name}) for resource in whole for name in profiles}


def read_groups(claims: Mapping[str, Any], claim: str) -> Sequence[str]:
    """The groups that a token says, by the claim's name or a dotted path.

    Raises:
        Unfit: they are there in a form that is not understood: a rule against one of them must not be passed by.
    """
    if claim in _overflowing(claims):
        raise TokenRejected("the token has too many groups: configure the provider to send only this server's groups")
    found: Any = claims.get(claim)
    if found is None:
        found = claims
        for step in claim.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    if found is None:
        return ()
    names = [found] if isinstance(found, str) else found
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TokenRejected("its groups are not a list of names")
    return names


def _overflowing(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """Claims that a provider left out because they are too large (OpenID Connect, distributed claims)."""
    if claims.get("hasgroups"):
        return {"groups": ""}
    elsewhere = claims.get("_claim_names")
    return elsewhere if isinstance(elsewhere, Mapping) else {}


def _words(value: Any) -> list[str]:
    """Scopes: a text with spaces, or a list."""
    if isinstance(value, str):
        return value.split()
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
