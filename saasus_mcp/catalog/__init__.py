"""The catalogue of operations, compiled from the documents in `tool_specs/`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saasus_mcp.catalog.catalogue import Catalogue, UnknownTool, load_catalogue
    from saasus_mcp.catalog.model import Effects, Level, Operation, Target

__all__ = ["Catalogue", "Effects", "Level", "Operation", "Target", "UnknownTool", "load_catalogue"]
_OF_CATALOGUE = frozenset({"Catalogue", "UnknownTool", "load_catalogue"})


def __getattr__(name: str) -> Any:
    """Import the names of this package on demand: a server on stdio lists its tools without the catalogue."""
    if name not in __all__:
        raise AttributeError(name)
    module = "catalogue" if name in _OF_CATALOGUE else "model"
    return getattr(import_module(f"saasus_mcp.catalog.{module}"), name)
