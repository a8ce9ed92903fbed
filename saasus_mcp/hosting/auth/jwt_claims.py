"""Read the principal id and the groups from the claims of a verified JWT. Used for access tokens and ID tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from saasus_mcp.hosting.auth.authentication import MAX_ID_LENGTH, oidc_principal_id

ASYMMETRIC_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""The only algorithms that are accepted, whatever the configuration: never unsigned tokens or shared secrets."""


class TokenRejected(Exception):
    """The token is signed, but its content is not acceptable. The text is for the log and repeats nothing of the token."""


def read_principal_id(claims: Mapping[str, Any], claim: str, issuer: str) -> str:
    """Return the principal id of a token.

    Raises:
        TokenRejected: the subject is missing, empty, too long or not printable.
    """
    subject = claims.get(claim)
    if not isinstance(subject, str) or not subject or not subject.isprintable():
        raise TokenRejected("its subject is missing, empty or not printable")
    identity = oidc_principal_id(issuer, subject)
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
