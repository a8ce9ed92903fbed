"""Bearer token authentication: the caller, the authenticator interface, and the names of principals and groups."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.policy.presets import Principal

Role = Literal["caller", "approver"]
RESERVED_GROUP_PATTERN = re.compile(r"local|(local|oidc|token|scope):.*|[^*?\[\]]*[*?\[\]].*", re.DOTALL)
"""Names that a policy uses for principals and scopes, and patterns. A group from outside may not have such a name."""
MAX_GROUP_LENGTH = 200
MAX_ID_LENGTH = 200
"""The longest id of a principal that the store accepts."""


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


class AuthUnavailable(SaasusMcpError):
    """A token cannot be checked now, because the service that would check it is unavailable. The token may be valid."""


HealthCheck = Callable[[], Awaitable[bool]]
"""Returns whether something that the server depends on works now."""


class Authenticator(Protocol):
    """Finds the caller of a bearer token."""

    async def authenticate(self, token: str) -> Caller | None:
        """Return the caller, or None if this authenticator does not accept the token.

        Raises:
            AuthUnavailable: the token is well-formed and cannot be checked now.
        """
        ...


@runtime_checkable
class HasHealthChecks(Protocol):
    """An authenticator that can report whether it is able to check tokens."""

    @property
    def health_checks(self) -> Mapping[str, HealthCheck]:
        """Return the checks by their names in /readyz."""
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

    @property
    def health_checks(self) -> Mapping[str, HealthCheck]:
        """Return the checks of all authenticators."""
        return {name: check for link in self._links for name, check in health_checks_of(link).items()}


def health_checks_of(authenticator: object) -> Mapping[str, HealthCheck]:
    """Return the checks of an authenticator; empty if it depends on nothing."""
    return authenticator.health_checks if isinstance(authenticator, HasHealthChecks) else {}


def oidc_principal_id(issuer: str, subject: str) -> str:
    """Return the principal id of an identity provider's user, the same at /mcp and on the console.

    An issuer cannot contain `|`, so two users of any two issuers never get the same id.
    """
    return f"oidc:{issuer}|{subject}"


def is_valid_group(name: str) -> bool:
    """Return True if a group from outside may have this name: a policy must not take it for an id or a pattern."""
    return 0 < len(name) <= MAX_GROUP_LENGTH and name.isprintable() and RESERVED_GROUP_PATTERN.fullmatch(name) is None


def principal_groups(names: Iterable[str], scopes: Iterable[str] = ()) -> frozenset[str]:
    """Return the groups of a principal: the valid ones of `names`, and `scope:NAME` for each scope."""
    return frozenset({*filter(is_valid_group, names), *(f"scope:{scope}" for scope in scopes)})
