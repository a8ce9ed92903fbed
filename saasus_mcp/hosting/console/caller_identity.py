"""Which people on the console are also callers of a profile. An approver decides; only a caller makes calls, from the console too."""

from __future__ import annotations

from saasus_mcp.hosting.auth.authentication import Caller
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.auth.two_person_check import has_id_per_application
from saasus_mcp.hosting.console.signin_sessions import Approver
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.settings import HttpSettings


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
