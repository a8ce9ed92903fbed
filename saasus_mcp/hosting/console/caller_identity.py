"""Which people on the console are also callers at MCP, and that they have the same principal id in both places.

An approver decides. Only a caller makes calls, from the console too.
"""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from saasus_mcp.common.messages import message
from saasus_mcp.hosting.auth.authentication import Caller
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.permissions.policy.file import reloadable_policy
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.permissions.policy.presets import unwrap_policy
from saasus_mcp.settings.hosting import HttpSettings, JwtTable, OidcTable
from saasus_mcp.settings.validation import SettingsError
from saasus_mcp.store.signin_sessions import Approver

ENTRA_HOSTS = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "sts.windows.net"}
)
"""Hosts of Entra ID, where `sub` differs by application (learn.microsoft.com, "ID token claims reference")."""


def find_caller(http: HttpSettings, served: ServedProfile, approver: Approver) -> Principal | None:
    """Return the approver as a caller of a profile; None if the profile would not admit them at /mcp."""
    caller = _as_caller(http, approver)
    return caller.principal if caller is not None and served.admits(caller) else None


def _as_caller(http: HttpSettings, approver: Approver) -> Caller | None:
    """Return the caller with the identity of an approver; None if the session cannot prove it.

    An approver token is never a caller's. A person of single sign-on is a caller if [auth.jwt] reads the same id and groups
    from the same provider. Scopes that it requires are in access tokens, which the console does not have.
    """
    principal = Principal(approver.id, approver.groups, person=approver.person)
    if not http.authenticated:
        return Caller(principal, "caller", is_owner=True) if approver.is_owner else None
    callers, approvers = http.jwt, http.console.oidc
    if callers is None or approvers is None or not approver.id.startswith(f"oidc:{callers.issuer}|"):
        return None
    same = all(
        getattr(callers, each) == getattr(approvers, each) for each in ("issuer", "subject_claim", "groups_claim")
    )
    if not same or has_id_per_application(callers, approvers) or callers.scopes:
        return None
    return Caller(principal, "caller", issuer=callers.issuer)


def require_two_people(policy: Policy, http: HttpSettings) -> None:
    """Require that no person can approve their own call, under this policy and under every later version of its file.

    Raises:
        SettingsError: a person could.
    """
    check, reloadable = partial(check_two_person, http=http), reloadable_policy(policy)
    if reloadable is not None:
        reloadable.add_check(check)
    else:
        check(unwrap_policy(policy))


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
