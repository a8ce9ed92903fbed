"""Whether one person is one principal: at MCP, where calls are made, and on the console, where they are approved."""

from __future__ import annotations

from urllib.parse import urlsplit

from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.settings import HttpSettings, SettingsError

ENTRA_HOSTS = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "sts.windows.net"}
)
"""Hosts of Entra ID, where `sub` differs by application (learn.microsoft.com, "ID token claims reference")."""


def check_two_person(policy: Policy, http: HttpSettings) -> None:
    """See that nobody can approve their own call where the policy wants two people.

    A principal's id is its issuer and its subject, compared letter by letter. What is spelled differently is somebody else.

    Raises:
        SettingsError: somebody could, under another id.
    """
    callers, approvers = http.jwt, http.console.oidc
    if not policy.two_person or callers is None or approvers is None or not http.console.enabled:
        return
    if callers.issuer != approvers.issuer:
        raise _mismatch("issuer", callers.issuer, approvers.issuer)
    if callers.subject_claim != approvers.subject_claim:
        raise _mismatch("subject_claim", callers.subject_claim, approvers.subject_claim)
    host = (urlsplit(callers.issuer).hostname or "").lower()
    if host in ENTRA_HOSTS and callers.subject_claim == "sub" and approvers.client_id not in callers.audience:
        raise SettingsError(
            "two_person: [auth.jwt] subject_claim and [console.oidc] subject_claim are 'sub', which Entra ID sets "
            "differently for each application: one person would count as two and could approve their own calls.",
            'Set subject_claim = "oid" in both.',
        )


def _mismatch(name: str, callers: str, approvers: str) -> SettingsError:
    return SettingsError(
        f"two_person: [auth.jwt] {name} is {callers!r} and [console.oidc] {name} is {approvers!r}: "
        "one person would count as two and could approve their own calls.",
        f"Write the same {name} in both, exactly, or remove two_person from the policy.",
    )
