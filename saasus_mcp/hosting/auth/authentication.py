"""Who is behind a bearer token, and who says so."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.policy.presets import Principal

Role = Literal["caller", "approver"]
RESERVED_GROUP_PATTERN = re.compile(r"local|(local|oidc|token|scope):.*|[^*?\[\]]*[*?\[\]].*", re.DOTALL)
"""What in a policy stands for ids of principals, or for scopes: no group of that name may come from outside."""
MAX_GROUP_LENGTH = 200
MAX_ID_LENGTH = 200
"""Of a principal, as the store keeps it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a bearer token names.

    Attributes:
        role: a caller calls tools; an approver decides on the console and does nothing else.
        expires_at: epoch seconds when the token ends; None where it does not.
        client_id: the program that it was issued to; with issuer and principal, whom a session belongs to.
        lacks: the scopes that its issuer's tokens must have and this one has not.
        profiles: those that it was issued for; None where it was issued for the whole server.
        everywhere: the owner of the machine, whom no profile shuts out.
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
    """Whether a token is valid cannot be told now: what it is checked against is away. It may be valid."""


HealthCheck = Callable[[], Awaitable[bool]]
"""Tells whether something that the server depends on works now."""


class Authenticator(Protocol):
    """Says whom a token names."""

    async def authenticate(self, token: str) -> Caller | None:
        """Return the caller, or None where the token is not one that this authenticator believes.

        Raises:
            Unavailable: the token has the right form, and cannot be checked now.
        """
        ...


@runtime_checkable
class HasHealthChecks(Protocol):
    """An authenticator that can tell whether it could check a token now."""

    @property
    def health_checks(self) -> Mapping[str, HealthCheck]:
        """What it depends on, by the name that /readyz shows."""
        ...


class AuthenticatorChain:
    """Several authenticators, asked in turn. The first that believes a token says whom it names."""

    def __init__(self, *links: Authenticator) -> None:
        self._links = links

    async def authenticate(self, token: str) -> Caller | None:
        """Return the caller that the first link believes in.

        Raises:
            Unavailable: no link believes the token, and at least one cannot tell.
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
        """Return the checks of all links."""
        return {name: check for link in self._links for name, check in health_checks_of(link).items()}


def health_checks_of(known: object) -> Mapping[str, HealthCheck]:
    """Return the checks of an authenticator; none where it depends on nothing."""
    return known.health_checks if isinstance(known, HasHealthChecks) else {}


def oidc_principal_id(issuer: str, subject: str) -> str:
    """The principal's id of a subject of an identity provider, the same at /mcp and at the console.

    No issuer has a `|` in it, so that no two subjects of any two issuers have one id.
    """
    return f"oidc:{issuer}|{subject}"


def is_valid_group(name: str) -> bool:
    """Whether a group from outside may have this name: not one that a policy would take for an id or a pattern."""
    return 0 < len(name) <= MAX_GROUP_LENGTH and name.isprintable() and RESERVED_GROUP_PATTERN.fullmatch(name) is None


def principal_groups(names: Iterable[str], scopes: Iterable[str] = ()) -> frozenset[str]:
    """The groups of a principal: those it brings, as far as their names are fit, and `scope:NAME` for each scope."""
    return frozenset({*filter(is_valid_group, names), *(f"scope:{scope}" for scope in scopes)})
