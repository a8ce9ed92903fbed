"""A tool is serialized once per protocol version, exactly as the SDK would serialize it."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.types import ListToolsResult
from mcp_types.methods import serialize_server_result
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from saasus_mcp.catalog import Catalogue
from saasus_mcp.server.surface import tool_list
from saasus_mcp.server.surface.tool_list import LIST_TOOLS_METHOD, ToolListCache, operation_tool


@pytest.mark.usefixtures("unshared_tools")
@pytest.mark.parametrize("version", [*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS])
def test_the_tools_are_what_the_sdk_sends_in_each_version(catalogue: Catalogue, version: str) -> None:
    shown = list(catalogue)
    whole = ListToolsResult(tools=[operation_tool(each, "ja") for each in shown], ttl_ms=1, cache_scope="private")
    dumped = whole.model_dump(by_alias=True, mode="json", exclude_none=True)
    assert (
        ToolListCache("ja").serialize(shown, version)
        == serialize_server_result(LIST_TOOLS_METHOD, version, dumped)["tools"]
    )


@pytest.mark.usefixtures("unshared_tools")
def test_no_tool_is_serialized_again_for_any_caller_or_selection(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(method: str, version: str, data: dict[str, Any]) -> dict[str, Any]:
        made.append(version)
        return serialize_server_result(method, version, data)

    monkeypatch.setattr(tool_list, "serialize_server_result", counted)
    tools, shown = ToolListCache("en"), list(catalogue)[:20]
    first = tools.serialize(shown[:10], "2025-11-25")
    for some in (shown, shown[::2], shown[5:7], shown[::-1]):
        tools.serialize(some, "2025-11-25")
    assert len(made) == len(shown)
    assert tools.serialize(shown[:10], "2025-11-25") == first
    tools.serialize(shown, "2026-07-28")
    assert made[len(shown) :] == ["2026-07-28"] * len(shown)
