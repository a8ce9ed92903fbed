"""The tools in a `tools/list` result: the SDK dumps each tool once for each protocol version, not for every request.

To dump and validate some two hundred tools takes about 70 ms of processor time, during which every other caller waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mcp.types import ListToolsResult
from mcp_types.methods import serialize_server_result

from saasus_mcp.catalog import Operation
from saasus_mcp.common.language import Language
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.tools import builtin_tool, operation_tool

LIST_TOOLS_METHOD = "tools/list"


class ToolListCache:
    """Serialized tools, cached by protocol version and name: as many as the server has, whoever asks for which of them.

    Args:
        language: of titles.
    """

    def __init__(self, language: Language) -> None:
        self._language = language
        self._serialized: dict[tuple[str, str], dict[str, Any]] = {}

    def serialize(self, shown: Iterable[BuiltinTool | Operation], version: str) -> list[dict[str, Any]]:
        """The tools as the SDK sends them in this protocol version. Do not change the result: it is shared."""
        return [self._tool(each, version) for each in shown]

    def _tool(self, shown: BuiltinTool | Operation, version: str) -> dict[str, Any]:
        key = version, shown.name if isinstance(shown, BuiltinTool) else shown.tool
        if key not in self._serialized:
            built = (
                builtin_tool(shown, self._language)
                if isinstance(shown, BuiltinTool)
                else operation_tool(shown, self._language)
            )
            alone = ListToolsResult(tools=[built], ttl_ms=0, cache_scope="private")
            dumped = alone.model_dump(by_alias=True, mode="json", exclude_none=True)
            [self._serialized[key]] = serialize_server_result(LIST_TOOLS_METHOD, version, dumped)["tools"]
        return self._serialized[key]
