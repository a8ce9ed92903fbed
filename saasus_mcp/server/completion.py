"""Completion of arguments from live data: read as the caller, decided like the read it is, cached for seconds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.permissions.policy import Principal
from saasus_mcp.permissions.target import plain_name
from saasus_mcp.saasus.answer import ToolAnswer

Reading = Callable[[str, Mapping[str, Any], Principal], Awaitable[ToolAnswer]]
"""Runs a read through the pipeline for a principal."""
May = Callable[[str, Principal], bool]
"""Whether a principal could be allowed this read now: asked for what is cached, too, since a policy may have changed."""

SECONDS = 10.0
MOST_CACHED = 200
LONGEST_TYPED = 200
"""Characters of what was typed that count."""
MOST_VALUES = 100
"""The protocol's own bound."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the values of an argument come from: a read, the list in its answer, and the fields that name an item."""

    read: str
    items: str
    names: tuple[str, ...]
    id: str
    searched: str = ""
    """The argument of the read that takes the beginning of a value; empty where the read gives everything."""

    def arguments(self, typed: str) -> dict[str, Any]:
        """Those of the read, for what was typed."""
        if not self.searched:
            return {}
        return {"limit": MOST_VALUES, **({self.searched: typed} if typed else {})}


TENANTS = Source("auth.GetTenants", "tenants", ("name",), "id")
USERS = Source("auth.SearchSaasUsers", "users", ("email", "sign_in_id"), "id", searched="email")
USERS_BY_ID = replace(USERS, searched="sign_in_id")
SOURCES: Mapping[str, tuple[Source, ...]] = {
    "tenant": (TENANTS,),
    "user": (USERS, USERS_BY_ID),
    "who": (TENANTS, USERS, USERS_BY_ID),
    "role": (Source("auth.GetRoles", "roles", ("display_name",), "role_name"),),
    "environment": (Source("auth.GetEnvs", "envs", ("display_name", "name"), "id"),),
    "plan": (Source("pricing.GetPricingPlans", "pricing_plans", ("display_name", "name"), "id"),),
    "attribute": (Source("auth.GetUserAttributes", "user_attributes", ("display_name",), "attribute_name"),),
    "tenant_attribute": (Source("auth.GetTenantAttributes", "tenant_attributes", ("display_name",), "attribute_name"),),
    "metering_unit": (Source("pricing.GetMeteringUnits", "units", ("display_name",), "unit_name"),),
}


@dataclass(frozen=True, slots=True)
class Found:
    """Values that fit. `more`: the API has others, which were not read."""

    values: tuple[str, ...] = ()
    more: bool = False


class Completion:
    """Completes arguments by their name. What a caller may not read, it completes with nothing."""

    def __init__(self, read: Reading, may: May, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._may = may
        self._clock = clock
        self._cached: dict[tuple[str, Principal, tuple[tuple[str, Any], ...]], tuple[float, Found]] = {}

    async def values(self, argument: str, typed: str, principal: Principal) -> Found:
        """What fits the beginning of a value: those that start with it first, then those that contain it."""
        begun = plain_name(typed[:LONGEST_TYPED])
        wanted = begun.casefold()
        known = [
            await self._known(source, begun, principal)
            for source in SOURCES.get(argument, ())
            if self._may(source.read, principal)
        ]
        values = {value for found in known for value in found.values if wanted in value.casefold()}
        ranked = sorted(values, key=lambda value: (not value.casefold().startswith(wanted), value))
        return Found(tuple(ranked), any(found.more for found in known))

    async def _known(self, source: Source, typed: str, principal: Principal) -> Found:
        arguments = source.arguments(typed)
        key, now = (source.read, principal, tuple(arguments.items())), self._clock()
        until, found = self._cached.get(key, (0.0, Found()))
        if until > now:
            return found
        answer = await self._read(source.read, arguments, principal)
        whole = (answer.structured or {}) if answer.ok else {}
        items = whole.get(source.items) or ()
        shown = tuple(_shown(source, item) for item in items if isinstance(item, dict))
        found = Found(shown, bool(source.searched and whole.get("cursor")))
        if len(self._cached) >= MOST_CACHED:
            self._cached.clear()
        self._cached[key] = (now + SECONDS, found)
        return found


def _shown(source: Source, item: Mapping[str, Any]) -> str:
    """An item as a person picks it: its name, and the id that tools take."""
    identifier = plain_name(item.get(source.id))
    name = next((text for field in source.names if (text := plain_name(item.get(field)))), "")
    return f"{name} ({identifier})" if name and name != identifier else identifier
