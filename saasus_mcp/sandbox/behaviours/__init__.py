"""The behaviour of each operation: collections, documents, and the few operations that are neither."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from saasus_mcp.catalog import Catalogue
from saasus_mcp.sandbox.behaviours import invitations, tenants
from saasus_mcp.sandbox.call import Behaviour
from saasus_mcp.sandbox.state import State

_MODULES = [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]
"""The modules of this folder. Each has the operations of one part of the API in `ROWS` and `SPECIAL`."""


def behaviours_by_operation(catalogue: Catalogue) -> dict[str, Behaviour]:
    """Return the behaviour of each operation by key. An operation without one answers a sample and changes nothing."""
    found: dict[str, Behaviour] = {}
    for module in _MODULES:
        for resource in getattr(module, "ROWS", ()):
            found.update(resource.behaviours(catalogue))
    for module in _MODULES:
        found.update(getattr(module, "SPECIAL", {}))
    return found


def apply_due_changes(state: State, now: int) -> None:
    """Apply changes that are due: reserved plans start, open invitations expire."""
    tenants.apply_due_plans(state, now)
    invitations.expire(state, now)
