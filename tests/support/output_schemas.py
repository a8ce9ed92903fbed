"""The output schemas of operations, compiled once for all clients in memory.

Before a client checks a result, it lists all tools and compiles the schema of the one that it called: 15 ms in each session.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from mcp.client import ClientSession
from referencing import Registry

from saasus_mcp.catalog import Catalogue, Operation, UnknownTool
from saasus_mcp.server.surface.provider_schema import provider_output_schema


class OutputSchemas(dict[str, dict[str, Any] | None]):
    """The schemas that a session knows. It finds those of operations here, and lists tools for any other."""

    def __init__(self, session: ClientSession, catalogue: Catalogue) -> None:
        super().__init__()
        self._session, self._catalogue = session, catalogue

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and self._add(name))

    def _add(self, name: str) -> bool:
        try:
            operation = self._catalogue.find(name)
        except UnknownTool:
            return False
        if operation.tool != name:
            return False
        validator = _validator(operation)
        self[name], self._session._tool_output_validators[name] = validator.schema, validator
        return True


def share_output_schemas(session: ClientSession, catalogue: Catalogue) -> None:
    """Let a session check results of operations without a list of tools. Once it lists them, the list holds."""
    session._tool_output_schemas = OutputSchemas(session, catalogue)


@cache
def _validator(operation: Operation) -> Any:
    schema = provider_output_schema(operation.output_schema)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, registry=Registry())
