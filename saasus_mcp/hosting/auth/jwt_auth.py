"""Authenticate callers by access tokens of an identity provider: JWTs that are verified with its keys."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jwt
from jwt.types import Options

from saasus_mcp.common.person import read_person
from saasus_mcp.hosting.auth.authentication import (
    ASYMMETRIC_ALGORITHMS,
    AuthUnavailable,
    Caller,
    HealthCheck,
    TokenRejected,
    build_groups,
    read_groups,
    read_principal_id,
)
from saasus_mcp.hosting.auth.jwks import JwksCache
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.settings.hosting import HttpSettings, JwtTable
from saasus_mcp.store.tokens import TOKEN_PREFIX

log = logging.getLogger(__name__)

MAX_TOKEN_LENGTH = 8 * 1024
TOKEN_PARTS = 3
REQUIRED_CLAIMS = ["exp", "iss", "aud", "sub"]
TIME_CLAIMS = ("exp", "nbf", "iat")
END_OF_TIME = 253_402_300_800
"""The year 10000, in epoch seconds."""
UNSIGNED_OPTIONS: Options = {
    "verify_signature": False,
    "verify_exp": True,
    "verify_nbf": True,
    "verify_aud": True,
    "verify_iss": True,
}
ACCESS_TOKEN_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""Accepted `typ` headers (RFC 9068). A token that was signed for another purpose, such as a logout, gives no access."""
INVALID_TOKEN = (jwt.PyJWTError, TokenRejected, ValueError, TypeError, ArithmeticError, RecursionError)
"""What an invalid token can raise while it is decoded and read."""


class JwtAuthenticator:
    """Accepts the access tokens of one provider.

    Args:
        settings: the provider, and what its tokens must contain.
        audiences: the accepted values of `aud`, each with the profiles that it gives access to; None for all profiles.
        keys: creates the key cache for some algorithms.
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
        """Return the caller, or None if the token is not valid.

        Raises:
            AuthUnavailable: the token may be valid, and the provider's keys cannot be read.
        """
        if token.startswith(TOKEN_PREFIX):
            return None  # of this server itself
        try:
            _require_form(token)
            return self._to_caller(self._decode(token, await self._find_key(token)))
        except INVALID_TOKEN as error:
            log.info("token rejected: %s", describe_invalid_token(error))
            return None

    @property
    def health_checks(self) -> Mapping[str, HealthCheck]:
        """Return the check that keys are available."""
        return {"keys": self._keys.has_usable_keys}

    async def _find_key(self, token: str) -> jwt.PyJWK:
        header = jwt.get_unverified_header(token)
        algorithm, kid = header.get("alg"), header.get("kid", "")
        if algorithm not in self._algorithms:
            raise jwt.InvalidAlgorithmError
        if str(header.get("typ", "JWT")).lower() not in ACCESS_TOKEN_TYPES:
            raise TokenRejected("it is not an access token")
        try:
            key = await self._keys.find_key(kid, algorithm)
        except AuthUnavailable:
            self._decode(token, None)  # reject a token that is expired or for another server even without the keys
            raise
        if key is None:
            raise TokenRejected("it is not signed with one of the provider's keys")
        return key

    def _decode(self, token: str, key: jwt.PyJWK | None) -> dict[str, Any]:
        """Return the claims of a token that is meant for this server and has not expired.

        Args:
            key: the key of the signature. With None the signature is not checked, and the claims must not be trusted.
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

    def _to_caller(self, claims: Mapping[str, Any]) -> Caller:
        settings = self._settings
        _require_times(claims)
        identity = read_principal_id(claims, settings.subject_claim, settings.issuer)
        scopes = _read_scopes(claims.get("scope", claims.get("scp", "")))
        groups = build_groups(read_groups(claims, settings.groups_claim), scopes)
        person = read_person(claims, settings.name_claim, settings.email_claim)
        return Caller(
            principal=Principal(identity, groups, claims, person=person),
            role="caller",
            expires_at=float(claims["exp"]) + settings.leeway,
            client_id=str(claims.get("azp") or claims.get("client_id") or ""),
            issuer=settings.issuer,
            missing_scopes=tuple(scope for scope in settings.scopes if scope not in scopes),
            profiles=self._profiles_of(claims["aud"]),
        )

    def _profiles_of(self, audience: str | list[str]) -> frozenset[str] | None:
        """Return the profiles that the audiences of a token give access to; None for all."""
        accessible: set[str] = set()
        for each in [audience] if isinstance(audience, str) else audience:
            profiles = self._audiences.get(each, frozenset())
            if profiles is None:
                return None
            accessible |= profiles
        return frozenset(accessible)


def _require_form(token: str) -> None:
    """Raise TokenRejected if a token is too long, or no signed JWT."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise TokenRejected(f"it is longer than {MAX_TOKEN_LENGTH} characters")
    if token.count(".") != TOKEN_PARTS - 1:
        raise TokenRejected("it is not a signed JWT, which has three parts")


def _require_times(claims: Mapping[str, Any]) -> None:
    """Raise TokenRejected if a time is no number of seconds (RFC 7519): the library takes text and truth values for one."""
    for name in TIME_CLAIMS:
        value = claims.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < END_OF_TIME:
            raise TokenRejected(f"its {name} is not a time")


REASONS = {
    "ExpiredSignatureError": "it has expired; if it is new, compare the clocks of this server and of the provider",
    "ImmatureSignatureError": "it is not valid yet: compare the clocks of this server and of the provider",
    "InvalidAudienceError": "it is for another audience: compare its aud with [auth.jwt].audience",
    "InvalidIssuerError": "it is of another issuer: compare its iss with [auth.jwt].issuer",
    "InvalidSignatureError": "its signature does not belong to the keys of [auth.jwt].jwks_url",
    "InvalidAlgorithmError": "its algorithm is not in [auth.jwt].algorithms",
    "MissingRequiredClaimError": "a claim is missing: aud, exp, iss and the subject are required",
    "DecodeError": "it is not a JWT",
}
"""What an operator can do about the errors of PyJWT, by type."""


def describe_invalid_token(error: Exception) -> str:
    """Return why a token is invalid, for the log. PyJWT's own text may repeat the token, so only its type is used."""
    if isinstance(error, TokenRejected):
        return str(error)
    name = type(error).__name__
    return f"{REASONS[name]} ({name})" if name in REASONS else name


def accepted_audiences(http: HttpSettings, profiles: Iterable[str]) -> dict[str, frozenset[str] | None]:
    """Return the accepted values of `aud`, each with the profiles that it gives access to; None for all profiles.

    Without a setting, the audience is the URL that a client connects to: /mcp or /sse for all profiles, or that of one profile.
    """
    if http.jwt is not None and http.jwt.audience:
        return dict.fromkeys(http.jwt.audience)
    server: dict[str, frozenset[str] | None] = dict.fromkeys(http.resources)
    return server | {f"{resource}/{name}": frozenset({name}) for resource in server for name in profiles}


def _read_scopes(value: Any) -> list[str]:
    """Return the scopes in a space-separated string or a list."""
    if isinstance(value, str):
        return value.split()
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
