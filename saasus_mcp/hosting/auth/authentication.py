"""Bearer token authentication: the caller, the authenticator interface, and the names of principals and groups, also in a verified JWT."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, Protocol

from pydantic import TypeAdapter

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.policy.model import Principal

Role = Literal["caller", "approver"]
HealthCheck = Callable[[], Awaitable[bool]]
"""Returns whether something that the server depends on works now. An authenticator may have `health_checks`, by their names in /readyz."""
RESERVED_GROUP_PATTERN = re.compile(r"local|(local|oidc|token|scope):.*|[^*?\[\]]*[*?\[\]].*", re.DOTALL)
"""Names that a policy uses for principals and scopes, and patterns. A group from outside may not have such a name."""
MAX_GROUP_LENGTH = 200
MAX_ID_LENGTH = 200
"""The longest id of a principal that the store accepts."""
ASYMMETRIC_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""The only algorithms that are accepted, whatever the configuration: never unsigned tokens or shared secrets."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of a bearer token.

    Attributes:
        role: a caller calls tools; an approver decides on the console and does nothing else.
        expires_at: epoch seconds at which the token expires; None if it does not.
        client_id: the program that the token was issued to. Issuer, client and principal identify the owner of a session.
        missing_scopes: required scopes that the token does not have.
        profiles: the profiles that the token was issued for; None for the whole server.
        is_owner: the owner of the machine, who may use every profile.
    """

    principal: Principal
    role: Role
    expires_at: float | None = None
    client_id: str = ""
    issuer: str = ""
    missing_scopes: tuple[str, ...] = ()
    profiles: frozenset[str] | None = None
    is_owner: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the caller as JSON, without the narrowing of the principal, which belongs to a request."""
        caller = replace(self, principal=self.principal.without_narrowing)
        found: dict[str, Any] = _caller_adapter().dump_python(caller, mode="json")
        return found

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Caller:
        return _caller_adapter().validate_python(given)


@cache
def _caller_adapter() -> TypeAdapter[Caller]:
    return TypeAdapter(Caller)


class AuthUnavailable(SaasusMcpError):
    """A token cannot be checked now, because the service that would check it is unavailable. The token may be valid."""


class Authenticator(Protocol):
    """Finds the caller of a bearer token."""

    async def authenticate(self, token: str) -> Caller | None:
        """Return the caller, or None if this authenticator does not accept the token.

        Raises:
            AuthUnavailable: the token is well-formed and cannot be checked now.
        """
        ...


class AuthenticatorChain:
    """Several authenticators. The first that accepts a token decides who the caller is."""

    def __init__(self, *links: Authenticator) -> None:
        self._links = links

    async def authenticate(self, token: str) -> Caller | None:
        """Return the caller of the first authenticator that accepts the token.

        Raises:
            AuthUnavailable: no authenticator accepts the token, and at least one cannot check it.
        """
        unavailable: AuthUnavailable | None = None
        for link in self._links:
            try:
                caller = await link.authenticate(token)
            except AuthUnavailable as error:
                unavailable = unavailable or error
                continue
            if caller is not None:
                return caller
        if unavailable is not None:
            raise unavailable
        return None

    async def is_revoked(self, principal: Principal) -> bool:
        """Return whether the token of a principal was revoked since it was accepted, as far as an authenticator can tell.

        Raises:
            StoreError: an authenticator cannot tell now.
        """
        checks = (getattr(link, "is_revoked", None) for link in self._links)
        return any([await check(principal) for check in checks if check is not None])

    @property
    def health_checks(self) -> Mapping[str, HealthCheck]:
        return {name: check for link in self._links for name, check in health_checks_of(link).items()}


def health_checks_of(authenticator: object) -> Mapping[str, HealthCheck]:
    """Return the checks of an authenticator; empty if it depends on nothing."""
    checks: Mapping[str, HealthCheck] = getattr(authenticator, "health_checks", {})
    return checks


def is_valid_group(name: str) -> bool:
    """Return True if a group from outside may have this name: a policy must not take it for an id or a pattern."""
    return 0 < len(name) <= MAX_GROUP_LENGTH and name.isprintable() and RESERVED_GROUP_PATTERN.fullmatch(name) is None


def build_groups(names: Iterable[str], scopes: Iterable[str] = ()) -> frozenset[str]:
    """Return the groups of a principal: the valid ones of `names`, and `scope:NAME` for each scope."""
    return frozenset({*filter(is_valid_group, names), *(f"scope:{scope}" for scope in scopes)})


class TokenRejected(Exception):
    """The token is signed, but its content is not acceptable. The text is for the log and repeats nothing of the token."""


def read_principal_id(claims: Mapping[str, Any], claim: str, issuer: str) -> str:
    """Return the principal id of a token's subject, the same at /mcp and on the console.

    An issuer cannot contain `|`, so two users of any two issuers never get the same id.

    Raises:
        TokenRejected: the subject is missing, empty, too long or not printable.
    """
    subject = claims.get(claim)
    if not isinstance(subject, str) or not subject or not subject.isprintable():
        raise TokenRejected("its subject is missing, empty or not printable")
    identity = f"oidc:{issuer}|{subject}"
    if len(identity) > MAX_ID_LENGTH:
        raise TokenRejected("its issuer and subject are too long")
    return identity


def read_groups(claims: Mapping[str, Any], claim: str) -> Sequence[str]:
    """Return the groups of a token, from a claim with this name or at this dotted path.

    Raises:
        TokenRejected: the groups are in an unknown form. Ignoring them could bypass a rule against a group.
    """
    if claim in _omitted_claims(claims):
        raise TokenRejected("the token has too many groups: configure the provider to send only this server's groups")
    groups: Any = claims.get(claim)
    if groups is None:
        groups = claims
        for step in claim.split("."):
            groups = groups.get(step) if isinstance(groups, Mapping) else None
    if groups is None:
        return ()
    names = [groups] if isinstance(groups, str) else groups
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TokenRejected("its groups are not a list of names")
    return names


def _omitted_claims(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the claims that the provider left out because they are too large (OpenID Connect, distributed claims)."""
    if claims.get("hasgroups"):
        return {"groups": ""}
    elsewhere = claims.get("_claim_names")
    return elsewhere if isinstance(elsewhere, Mapping) else {}
