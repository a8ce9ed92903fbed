"""The behaviour of each operation: collections, documents, and the few operations that are neither."""

from __future__ import annotations

from saasus_mcp.catalog import Catalogue
from saasus_mcp.sandbox.behaviours import (
    access,
    accounts,
    analysis,
    attributes,
    external_services,
    feedback,
    gateway,
    invitations,
    logs,
    marketplace,
    members,
    metering,
    pricing,
    sessions,
    settings,
    tenants,
)
from saasus_mcp.sandbox.call import Behaviour
from saasus_mcp.sandbox.engine import CollectionResource, DocumentResource
from saasus_mcp.sandbox.state import State

ROWS: tuple[CollectionResource | DocumentResource, ...] = (
    *access.ROWS,
    *accounts.ROWS,
    *feedback.ROWS,
    *gateway.ROWS,
    *invitations.ROWS,
    *logs.ROWS,
    *marketplace.ROWS,
    *members.ROWS,
    *external_services.ROWS,
    *pricing.ROWS,
    *settings.ROWS,
    *tenants.ROWS,
    *attributes.ROWS,
)

SPECIAL: dict[str, Behaviour] = {
    **accounts.SPECIAL,
    **analysis.SPECIAL,
    **feedback.SPECIAL,
    **gateway.SPECIAL,
    **invitations.SPECIAL,
    **logs.SPECIAL,
    **marketplace.SPECIAL,
    **members.SPECIAL,
    **metering.SPECIAL,
    **external_services.SPECIAL,
    **pricing.SPECIAL,
    **sessions.SPECIAL,
    **tenants.SPECIAL,
}


def behaviours_by_operation(catalogue: Catalogue) -> dict[str, Behaviour]:
    """Return the behaviour of each operation by key. An operation without one answers a sample and changes nothing."""
    generic = {key: behaviour for row in ROWS for key, behaviour in row.behaviours(catalogue)}
    return {**generic, **SPECIAL}


def apply_due_changes(state: State, now: int) -> None:
    """Apply changes that are due: reserved plans start, open invitations expire."""
    tenants.apply_due_plans(state, now)
    invitations.expire(state, now)
