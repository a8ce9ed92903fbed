"""The catalogue of operations, compiled from the documents in `tool_specs/`."""

from saasus_mcp.catalog.catalogue import Catalogue, UnknownTool, load_catalogue
from saasus_mcp.catalog.model import Effects, Level, Operation, Target

__all__ = ["Catalogue", "Effects", "Level", "Operation", "Target", "UnknownTool", "load_catalogue"]
