"""Which profile a request goes to, and whether its caller may use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message
from saasus_mcp.hosting.auth.authentication import Caller
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.settings.profiles import EVERYONE

MAX_SHOWN_NAME = 40


@dataclass(frozen=True, slots=True)
class ServedProfile:
    """A profile that is served over HTTP.

    Attributes:
        groups: the groups whose members may use it; "*" is every authenticated caller.
        api_origin: the origin of its API; empty for the sandbox.
    """

    pipeline: Pipeline
    groups: frozenset[str]
    api_origin: str = ""

    @property
    def name(self) -> str:
        return self.pipeline.destination.profile

    def admits(self, caller: Caller) -> bool:
        """Return True if the caller may use the profile."""
        if caller.role != "caller" or (caller.profiles is not None and self.name not in caller.profiles):
            return False
        return caller.is_owner or EVERYONE in self.groups or not self.groups.isdisjoint(caller.principal.groups)


class ProfileUnavailable(SaasusMcpError):
    """The caller may not use the profile. `ambiguous`: the request has to name one of several profiles."""

    def __init__(self, message: Message, hint: Message, *, ambiguous: bool = False) -> None:
        super().__init__(message, hint)
        self.ambiguous = ambiguous


def resolve_profile(profiles: Mapping[str, ServedProfile], caller: Caller, name: str | None) -> ServedProfile:
    """Return the profile that a request names, or the only one that its caller may use.

    Raises:
        ProfileUnavailable: the caller may not use it, or may use several. Only the profiles of the caller are named.
    """
    usable = {profile: each for profile, each in profiles.items() if each.admits(caller)}
    paths = tuple(f"/mcp/{profile}" for profile in usable)
    if name in usable:
        return usable[name]
    if name is not None:
        hint = message("hosting.use_profile", paths=paths) if usable else message("hosting.ask_for_group")
        raise ProfileUnavailable(message("hosting.profile_denied", profile=repr(name[:MAX_SHOWN_NAME])), hint)
    if len(usable) == 1:
        return next(iter(usable.values()))
    if usable:
        hint = message("hosting.connect_to_one", paths=paths)
        raise ProfileUnavailable(message("hosting.profile_ambiguous"), hint, ambiguous=True)
    raise ProfileUnavailable(message("hosting.no_profile"), message("hosting.ask_for_group"))
