"""The tools of the compact surface as a client uses them."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client as McpClient

from saasus_mcp.catalog import Operation
from saasus_mcp.server.surface.compact_tools import call_tool_for
from saasus_mcp.server.surface.toolsets import CALL_TOOL_LEVELS
from tests.support.arguments import complete_arguments
from tests.support.gate import reply_text
from tests.support.pipeline import ERAS

BY_ERA = pytest.mark.parametrize("era", ERAS)
COMPACT_TOOLS = ["search_operations", "describe_operation", *CALL_TOOL_LEVELS]
BUILT_IN_TOOLS = ["time_now", "time_convert", "select_from_result"]
FULL_SURFACE_TOOLS = [*BUILT_IN_TOOLS, "read_and_select"]
APPROVER = "local:person-in-a-terminal"


def compact_call(operation: Operation, arguments: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """Return the calling tool of an operation on the compact surface, and its arguments."""
    given = complete_arguments(operation) if arguments is None else arguments
    return call_tool_for(operation), {"name": operation.tool, "arguments": given}


async def list_names(client: McpClient) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


async def search_names(client: McpClient, query: str, **given: Any) -> list[str]:
    result = await client.call_tool("search_operations", {"query": query, **given})
    assert result.structured_content is not None, reply_text(result)
    return [each["name"] for each in result.structured_content["operations"]]
