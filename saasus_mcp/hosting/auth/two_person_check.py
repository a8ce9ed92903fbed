"""Check that a person has the same principal id at MCP, where calls are made, and on the console, where they are approved."""

from __future__ import annotations

from urllib.parse import urlsplit

from saasus_mcp.common.messages import message
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.settings import HttpSettings, JwtTable, OidcTable, SettingsError

ENTRA_HOSTS = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "sts.windows.net"}
)
"""Hosts of Entra ID, where `sub` differs by application (learn.microsoft.com, "ID token claims reference")."""


def check_two_person(policy: Policy, http: HttpSettings) -> None:
    """Check that no person can approve their own call if the policy requires two people.

    A principal id consists of issuer and subject and is compared exactly. Two spellings are two people.

    Raises:
        SettingsError: a person could approve their own call under another id.
    """
    callers, approvers = http.jwt, http.console.oidc
    if not policy.two_person or callers is None or approvers is None or not http.console.enabled:
        return
    for name in ("issuer", "subject_claim"):
        of_callers, of_approvers = getattr(callers, name), getattr(approvers, name)
        if of_callers != of_approvers:
            raise SettingsError(
                message(
                    "hosting.two_person_mismatch", name=name, callers=repr(of_callers), approvers=repr(of_approvers)
                ),
                message("hosting.two_person_mismatch_hint", name=name),
            )
    if has_id_per_application(callers, approvers):
        raise SettingsError.of("hosting.two_person_entra")


def has_id_per_application(callers: JwtTable, approvers: OidcTable) -> bool:
    """Return True if the provider gives one person another id at MCP than on the console."""
    host = (urlsplit(callers.issuer).hostname or "").lower()
    return host in ENTRA_HOSTS and callers.subject_claim == "sub" and approvers.client_id not in callers.audience
