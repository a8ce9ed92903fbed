"""The completion of arguments from live data. It reads as the caller, under the policy, with a cache of some seconds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.permissions.inspection.target import clean_name
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer

RunRead = Callable[[str, Mapping[str, Any], Principal], Awaitable[ToolAnswer]]
"""Runs a read of a principal through the pipeline."""
MayRead = Callable[[str, Mapping[str, Any], Principal], Awaitable[bool]]
"""Returns whether a principal may make a read now. It is also called for cached values, because the policy may have changed."""

CACHE_SECONDS = 10.0
MAX_CACHED = 200
MAX_TYPED_LENGTH = 200
MAX_VALUES = 100
"""The limit of the protocol."""


@dataclass(frozen=True, slots=True)
class CompletionSource:
    """The read that gives the values of an argument.

    Attributes:
        list_field: the list in the answer of the read.
        name_fields: the first field with a text names an item.
        search_argument: the argument of the read that takes the start of a value. Empty if the read returns everything.
    """

    operation: str
    list_field: str
    name_fields: tuple[str, ...]
    id_field: str
    search_argument: str = ""

    def arguments(self, typed: str) -> dict[str, Any]:
        """Return the arguments of the read for a typed text."""
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
    """The matching values. `more` tells that the API has values that were not read."""

    values: tuple[str, ...] = ()
    more: bool = False


class ArgumentCompletion:
    """Completes arguments by their name. A caller gets no values that the policy does not let it read."""

    def __init__(self, read: RunRead, may: MayRead, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._may_read = may
        self._clock = clock
        self._cached: dict[tuple[str, Principal, tuple[tuple[str, Any], ...]], tuple[float, CompletionValues]] = {}

    async def values(self, argument: str, typed: str, principal: Principal) -> CompletionValues:
        """Return the values that start with the typed text, then those that contain it."""
        prefix = clean_name(typed[:MAX_TYPED_LENGTH])
        folded = prefix.casefold()
        found = [
            await self._read_values(source, prefix, principal)
            for source in COMPLETION_SOURCES.get(argument, ())
            if await self._may_read(source.operation, source.arguments(prefix), principal)
        ]
        values = {value for each in found for value in each.values if folded in value.casefold()}
        ranked = sorted(values, key=lambda value: (not value.casefold().startswith(folded), value))
        return CompletionValues(tuple(ranked), any(each.more for each in found))

    async def _read_values(self, source: CompletionSource, typed: str, principal: Principal) -> CompletionValues:
        arguments = source.arguments(typed)
        key, now = (source.operation, principal, tuple(arguments.items())), self._clock()
        until, found = self._cached.get(key, (0.0, CompletionValues()))
        if until > now:
            return found
        answer = await self._read(source.operation, arguments, principal)
        content = (answer.structured or {}) if answer.ok else {}
        items = content.get(source.list_field) or ()
        shown = tuple(_label(source, item) for item in items if isinstance(item, dict))
        found = CompletionValues(shown, bool(source.search_argument and content.get("cursor")))
        if len(self._cached) >= MAX_CACHED:
            self._cached.clear()
        self._cached[key] = (now + CACHE_SECONDS, found)
        return found


def _label(source: CompletionSource, item: Mapping[str, Any]) -> str:
    """Return an item as a person picks it: its name, and the id that tools take."""
    identifier = clean_name(item.get(source.id_field))
    name = next((text for field in source.name_fields if (text := clean_name(item.get(field)))), "")
    return f"{name} ({identifier})" if name and name != identifier else identifier
