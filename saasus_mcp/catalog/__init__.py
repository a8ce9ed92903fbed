"""What operations exist: spec documents in `tool_specs/`, compiled into Operation records and looked up here."""

from saasus_mcp.catalog.catalogue import Catalogue, UnknownTool, load
from saasus_mcp.catalog.model import Effects, Language, Level, Operation, Target, Text

__all__ = ["Catalogue", "Effects", "Language", "Level", "Operation", "Target", "Text", "UnknownTool", "load"]
