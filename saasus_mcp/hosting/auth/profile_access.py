"""Which profile a request goes to, and whether its caller may use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.hosting.auth.authentication import Caller
from saasus_mcp.server.pipeline.call_pipeline import Pipeline

EVERYONE = "*"


@dataclass(frozen=True, slots=True)
class ServedProfile:
    """One profile as it is served.

    Attributes:
        groups: of callers who may use it; nobody where empty, "*" is everyone who is authenticated.
        api: the origin that it sends to; empty where the API is emulated.
    """

    pipeline: Pipeline
    groups: frozenset[str]
    api_origin: str = ""

    @property
    def name(self) -> str:
        return self.pipeline.destination.profile

    def admits(self, caller: Caller) -> bool:
        """Whether this caller may use it."""
        if caller.role != "caller" or (caller.profiles is not None and self.name not in caller.profiles):
            return False
        return caller.is_owner or EVERYONE in self.groups or not self.groups.isdisjoint(caller.principal.groups)


class ProfileUnavailable(SaasusMcpError):
    """The request does not go to a profile that its caller may use. `several`: it does not say to which."""

    def __init__(self, message: str, mend: str, *, several: bool = False) -> None:
        super().__init__(message, mend)
        self.ambiguous = several


def resolve_profile(served: Mapping[str, ServedProfile], caller: Caller, wanted: str | None) -> ServedProfile:
    """The profile that a request names, or where it names none the only one that its caller may use.

    Raises:
        NoProfile: they may not use it, or there is a choice. Which profiles there are is told only to who may use them.
    """
    usable = {name: each for name, each in served.items() if each.admits(caller)}
    named = ", ".join(f"/mcp/{name}" for name in usable)
    if wanted is not None:
        if wanted in usable:
            return usable[wanted]
        mend = f"Use {named}." if usable else "Ask the operator to add one of your groups to a profile."
        raise ProfileUnavailable(f"You are not allowed to use the profile {wanted[:40]!r}.", mend)
    if len(usable) == 1:
        return next(iter(usable.values()))
    if usable:
        raise ProfileUnavailable("Several profiles are available to you.", f"Connect to one of {named}.", several=True)
    raise ProfileUnavailable(
        "You are not allowed to use any profile.", "Ask the operator to add one of your groups to a profile."
    )
