"""Completion of arguments from live data: read as the caller, decided like the read it is, cached for seconds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.permissions.policy import Principal
from saasus_mcp.permissions.target import plain_name
from saasus_mcp.saasus.answer import ToolAnswer

Reading = Callable[[str, Mapping[str, Any], Principal], Awaitable[ToolAnswer]]
"""Runs a read through the pipeline for a principal."""

SECONDS = 10.0
MOST_CACHED = 200
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
    """The argument of the read that takes what was typed; empty where the read gives everything."""


SOURCES: Mapping[str, Source] = {
    "tenant": Source("auth.GetTenants", "tenants", ("name",), "id"),
    "user": Source("auth.SearchSaasUsers", "users", ("email", "sign_in_id"), "id", searched="email"),
    "role": Source("auth.GetRoles", "roles", ("display_name",), "role_name"),
    "environment": Source("auth.GetEnvs", "envs", ("display_name", "name"), "id"),
    "plan": Source("pricing.GetPricingPlans", "pricing_plans", ("display_name", "name"), "id"),
    "attribute": Source("auth.GetUserAttributes", "user_attributes", ("display_name",), "attribute_name"),
    "tenant_attribute": Source("auth.GetTenantAttributes", "tenant_attributes", ("display_name",), "attribute_name"),
    "metering_unit": Source("pricing.GetMeteringUnits", "units", ("display_name",), "unit_name"),
}


class Completion:
    """Completes arguments by their name. What a caller may not read, it completes with nothing."""

    def __init__(self, read: Reading, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._cached: dict[tuple[str, Principal, str], tuple[float, list[str]]] = {}

    async def values(self, argument: str, typed: str, principal: Principal) -> list[str]:
        """What fits the beginning of a value: those that start with it first, then those that contain it."""
        source = SOURCES.get(argument)
        if source is None:
            return []
        wanted = plain_name(typed).casefold()
        found = [value for value in await self._known(source, wanted, principal) if wanted in value.casefold()]
        return sorted(found, key=lambda value: (not value.casefold().startswith(wanted), value))

    async def _known(self, source: Source, typed: str, principal: Principal) -> list[str]:
        key, now = (source.read, principal, typed if source.searched else ""), self._clock()
        until, known = self._cached.get(key, (0.0, []))
        if until > now:
            return known
        arguments = {source.searched: typed} if source.searched and typed else {}
        answer = await self._read(source.read, arguments, principal)
        items = (answer.structured or {}).get(source.items) if answer.ok else None
        known = list(dict.fromkeys(_shown(source, item) for item in items or () if isinstance(item, dict)))
        if len(self._cached) >= MOST_CACHED:
            self._cached.clear()
        self._cached[key] = (now + SECONDS, known)
        return known


def _shown(source: Source, item: Mapping[str, Any]) -> str:
    """An item as a person picks it: its name, and the id that tools take."""
    identifier = plain_name(item.get(source.id))
    name = next((text for field in source.names if (text := plain_name(item.get(field)))), "")
    return f"{name} ({identifier})" if name and name != identifier else identifier
