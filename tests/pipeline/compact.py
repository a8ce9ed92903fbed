"""The tools of the compact surface as a client uses them."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client as McpClient

from saasus_mcp.catalog import Operation
from saasus_mcp.server.compact import caller
from saasus_mcp.server.toolsets import CALLS
from tests.calls import complete
from tests.pipeline.attacks import text
from tests.support import ERAS

BY_ERA = pytest.mark.parametrize("era", ERAS)
COMPACT = ["search_operations", "describe_operation", *CALLS]
ALWAYS = ["time_now", "time_convert", "select_from_result"]
FULL = [*ALWAYS, "read_and_select"]
PERSON = "local:person-in-a-terminal"


def through(operation: Operation, arguments: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """The call of an operation as a client of the compact surface makes it."""
    given = complete(operation) if arguments is None else arguments
    return caller(operation), {"name": operation.tool, "arguments": given}


async def names(client: McpClient) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


async def found(client: McpClient, query: str, **given: Any) -> list[str]:
    result = await client.call_tool("search_operations", {"query": query, **given})
    assert result.structured_content is not None, text(result)
    return [each["name"] for each in result.structured_content["operations"]]
