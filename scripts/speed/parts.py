"""The parts of a small read as servers, so that what each adds can be measured.

    parts.py sdk [http]     the SDK on our transport, with a handler that returns a constant
    parts.py ours [http]    this server, whose API answers in the process, without HTTP

The third part, the call of the API, is what `saasus_mcp` itself takes beyond the second.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import anyio
import uvicorn
from mcp.server.lowlevel import Server
from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, TextContent, Tool

from saasus_mcp.cli import main
from saasus_mcp.hosting.http.uvicorn_server import open_listener
from saasus_mcp.saasus.exchange import HttpRequest, HttpResponse
from saasus_mcp.saasus.network_errors import ConnectionTrace
from saasus_mcp.saasus.route import Route
from saasus_mcp.server.stdio.dispatcher import StdioDispatcher
from saasus_mcp.server.stdio.parent_process import ParentProcess
from saasus_mcp.server.stdio.pipe_transport import PipeTransport
from saasus_mcp.server.stdio.protocol_eras import serve
from scripts.speed.servers import OVER_HTTP
from scripts.speed.stub import ROLES, body

LOOPBACK = "127.0.0.1"


def sdk() -> Server[Any]:
    """Return a server of the SDK with one tool."""
    text = json.dumps(ROLES, ensure_ascii=False, separators=(",", ":"))
    tool = Tool(name="auth_get_roles", input_schema={"type": "object", "properties": {}})

    async def list_tools(_: Any, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[tool])

    async def call_tool(_: Any, __: CallToolRequestParams) -> CallToolResult:
        return CallToolResult(content=[TextContent(text=text)], structured_content=ROLES)

    return Server[Any]("sdk", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def serve_stdio(server: Server[Any]) -> None:
    """Serve one client on the transport of this server."""
    transport = PipeTransport.claim(ParentProcess())
    assert transport is not None  # noqa: S101 - for the type
    await serve(server, StdioDispatcher(transport))


async def serve_http(server: Server[Any]) -> None:
    """Serve on a free port with the parser and the loop of this server."""
    config = uvicorn.Config(server.streamable_http_app(), http="h11", log_level="error")
    with open_listener(LOOPBACK, 0) as listener:
        print(f"MCP at http://{LOOPBACK}:{listener.getsockname()[1]}/mcp, the SDK alone", file=sys.stderr, flush=True)
        await uvicorn.Server(config).serve([listener])


class ReadyApi:
    """Answers in the process."""

    async def send(self, request: HttpRequest, _: ConnectionTrace, __: int) -> HttpResponse:
        return HttpResponse(200, ((b"Content-Type", b"application/json"),), body(urlsplit(request.url).path.encode()))

    async def aclose(self) -> None:
        pass


def serve_ours(arguments: tuple[str, ...]) -> None:
    """Serve as `saasus-mcp` does, without HTTP to the API."""
    Route.open = lambda _: Route(ReadyApi())  # type: ignore[method-assign, assignment]  # what is measured is the rest
    sys.argv[1:] = arguments
    main()


if __name__ == "__main__":
    http = sys.argv[2:] == ["http"]
    if sys.argv[1] == "ours":
        serve_ours(OVER_HTTP if http else ())
    else:
        anyio.run(partial(serve_http if http else serve_stdio, sdk()), backend_options={"use_uvloop": http})
