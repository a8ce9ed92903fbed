"""Completion of arguments from live data: read as the caller, decided like the read it is, cached for seconds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.permissions.inspection.target import clean_name
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer

RunRead = Callable[[str, Mapping[str, Any], Principal], Awaitable[ToolAnswer]]
"""Runs a read through the pipeline for a principal."""
MayRead = Callable[[str, Mapping[str, Any], Principal], Awaitable[bool]]
"""Whether a principal may make this read now: asked for what is cached, too, since a policy may have changed."""

CACHE_SECONDS = 10.0
MAX_CACHED = 200
MAX_TYPED_LENGTH = 200
"""Characters of what was typed that count."""
MAX_VALUES = 100
"""The protocol's own bound."""


@dataclass(frozen=True, slots=True)
class CompletionSource:
    """Where the values of an argument come from: a read, the list in its answer, and the fields that name an item."""

    operation: str
    list_field: str
    name_fields: tuple[str, ...]
    id_field: str
    search_argument: str = ""
    """The argument of the read that takes the beginning of a value; empty where the read gives everything."""

    def arguments(self, typed: str) -> dict[str, Any]:
        """Those of the read, for what was typed."""
        if not self.search_argument:
            return {}
        return {"limit": MAX_VALUES, **({self.search_argument: typed} if typed else {})}


TENANTS = CompletionSource("auth.GetTenants", "tenants", ("name",), "id")
USERS = CompletionSource("auth.SearchSaasUsers", "users", ("email", "sign_in_id"), "id", search_argument="email")
USERS_BY_ID = replace(USERS, search_argument="sign_in_id")
COMPLETION_SOURCES: Mapping[str, tuple[CompletionSource, ...]] = {
    "tenant": (TENANTS,),
    "user": (USERS, USERS_BY_ID),
    "who": (TENANTS, USERS, USERS_BY_ID),
    "role": (CompletionSource("auth.GetRoles", "roles", ("display_name",), "role_name"),),
    "environment": (CompletionSource("auth.GetEnvs", "envs", ("display_name", "name"), "id"),),
    "plan": (CompletionSource("pricing.GetPricingPlans", "pricing_plans", ("display_name", "name"), "id"),),
    "attribute": (CompletionSource("auth.GetUserAttributes", "user_attributes", ("display_name",), "attribute_name"),),
    "tenant_attribute": (
        CompletionSource("auth.GetTenantAttributes", "tenant_attributes", ("display_name",), "attribute_name"),
    ),
    "metering_unit": (CompletionSource("pricing.GetMeteringUnits", "units", ("display_name",), "unit_name"),),
}


@dataclass(frozen=True, slots=True)
class CompletionValues:
    """Values that fit. `more`: the API has others, which were not read."""

    values: tuple[str, ...] = ()
    more: bool = False


class ArgumentCompletion:
    """Completes arguments by their name. What a caller may not read, it completes with nothing."""

    def __init__(self, read: RunRead, may: MayRead, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._may = may
        self._clock = clock
        self._cached: dict[tuple[str, Principal, tuple[tuple[str, Any], ...]], tuple[float, CompletionValues]] = {}

    async def values(self, argument: str, typed: str, principal: Principal) -> CompletionValues:
        """What fits the beginning of a value: those that start with it first, then those that contain it."""
        begun = clean_name(typed[:MAX_TYPED_LENGTH])
        wanted = begun.casefold()
        known = [
            await self._known(source, begun, principal)
            for source in COMPLETION_SOURCES.get(argument, ())
            if await self._may(source.operation, source.arguments(begun), principal)
        ]
        values = {value for found in known for value in found.values if wanted in value.casefold()}
        ranked = sorted(values, key=lambda value: (not value.casefold().startswith(wanted), value))
        return CompletionValues(tuple(ranked), any(found.more for found in known))

    async def _known(self, source: CompletionSource, typed: str, principal: Principal) -> CompletionValues:
        arguments = source.arguments(typed)
        key, now = (source.operation, principal, tuple(arguments.items())), self._clock()
        until, found = self._cached.get(key, (0.0, CompletionValues()))
        if until > now:
            return found
        answer = await self._read(source.operation, arguments, principal)
        whole = (answer.structured or {}) if answer.ok else {}
        items = whole.get(source.list_field) or ()
        shown = tuple(_shown(source, item) for item in items if isinstance(item, dict))
        found = CompletionValues(shown, bool(source.search_argument and whole.get("cursor")))
        if len(self._cached) >= MAX_CACHED:
            self._cached.clear()
        self._cached[key] = (now + CACHE_SECONDS, found)
        return found


def _shown(source: CompletionSource, item: Mapping[str, Any]) -> str:
    """An item as a person picks it: its name, and the id that tools take."""
    identifier = clean_name(item.get(source.id_field))
    name = next((text for field in source.name_fields if (text := clean_name(item.get(field)))), "")
    return f"{name} ({identifier})" if name and name != identifier else identifier
