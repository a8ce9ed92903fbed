"""A server in the sandbox, and a client of it that shows apps, for a thread with a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client as McpClient
from mcp.shared.exceptions import MCPError

from tests.support.job_server import JobServer, start_job_server
from tests.support.pipeline import connect_client


@dataclass(frozen=True)
class AppServer:
    """A server, and its answers as JSON."""

    portal: BlockingPortal
    server: JobServer
    client: McpClient

    def call(self, name: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of a tool."""
        result = self.portal.call(self.client.call_tool, name, arguments or {})
        dumped: dict[str, Any] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        return dumped

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer a request of an app, as its client does."""
        params = asked["params"]
        try:
            if asked["method"] == "tools/call":
                return self.call(params["name"], params["arguments"])
            read = self.portal.call(lambda: self.client.read_resource(params["uri"], cache_mode="bypass"))
        except MCPError as error:
            return {"error": {"code": error.error.code, "message": error.error.message}}
        return read.model_dump(by_alias=True, mode="json", exclude_none=True)


@contextmanager
def start_app_server(folder: Path) -> Iterator[AppServer]:
    """Start a server with the demonstration data."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(start_job_server(folder)) as server,
        portal.wrap_async_context_manager(
            connect_client(server.pipeline, "2026-07-28", apps=True, extra_tools=server.tools)
        ) as client,
    ):
        yield AppServer(portal, server, client)
