"""Who is behind a bearer token, and who says so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from saasus_mcp.permissions.policy import Principal

Role = Literal["caller", "approver"]
ID = re.compile(r"local|(local|oidc|token|scope):.*|[^*?\[\]]*[*?\[\]].*", re.DOTALL)
"""What in a policy stands for ids of principals, or for scopes: no group of that name may come from outside."""
LONGEST_GROUP = 200
LONGEST_ID = 200
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
    lacks: tuple[str, ...] = ()
    profiles: frozenset[str] | None = None
    everywhere: bool = False


class Authenticator(Protocol):
    """Says whom a token names."""

    async def authenticate(self, token: str) -> Caller | None:
        """The caller; None where the token is not one that this authenticator believes."""
        ...


class Chain:
    """Several authenticators, asked in turn. The first that believes a token says whom it names."""

    def __init__(self, *links: Authenticator) -> None:
        self._links = links

    async def authenticate(self, token: str) -> Caller | None:
        for link in self._links:
            caller = await link.authenticate(token)
            if caller is not None:
                return caller
        return None


def provider_id(issuer: str, subject: str) -> str:
    """The principal's id of a subject of an identity provider, the same at /mcp and at the console.

    No issuer has a `|` in it, so that no two subjects of any two issuers have one id.
    """
    return f"oidc:{issuer}|{subject}"


def fit_for_group(name: str) -> bool:
    """Whether a group from outside may have this name: not one that a policy would take for an id or a pattern."""
    return 0 < len(name) <= LONGEST_GROUP and name.isprintable() and ID.fullmatch(name) is None


def groups(names: Iterable[str], scopes: Iterable[str] = ()) -> frozenset[str]:
    """The groups of a principal: those it brings, as far as their names are fit, and `scope:NAME` for each scope."""
    return frozenset({*filter(fit_for_group, names), *(f"scope:{scope}" for scope in scopes)})
