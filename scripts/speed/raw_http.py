"""A load generator that costs little itself: connections that send the same bytes and read answers by their length."""

from __future__ import annotations

import asyncio
import json
import re
import time
from urllib.parse import urlsplit

from scripts.speed.load import WARM, Taken, summarize
from scripts.speed.servers import META, MODERN, Tool, line

LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)


def request_bytes(url: str, tool: Tool) -> bytes:
    """Return a call of a tool by protocol 2026-07-28, as it goes over the wire."""
    place, body = urlsplit(url), line(1, "tools/call", {**tool.params, "_meta": META})
    headers = {
        "Host": place.netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool.name,
    }
    return (
        "\r\n".join([f"POST {place.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]).encode() + body
    )


async def raw_load(url: str, tool: Tool, calls: int, at_once: int) -> Taken:
    """Make so many calls, on so many connections."""
    place, request = urlsplit(url), request_bytes(url, tool)
    times: list[float] = []
    left = calls + WARM

    async def connection() -> None:
        nonlocal left
        reading, writing = await asyncio.open_connection(place.hostname, place.port)
        while left > 0:
            left -= 1
            before = time.perf_counter()
            writing.write(request)
            head = await reading.readuntil(b"\r\n\r\n")
            found = LENGTH.search(head)
            if found is None or not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"an answer that cannot be counted: {head!r}")
            answer = await reading.readexactly(int(found[1]))
            times.append((time.perf_counter() - before) * 1000)
            if len(times) == 1 and json.loads(answer)["result"]["isError"]:
                raise SystemExit(f"the call fails: {answer[:300]!r}")
        writing.close()

    before = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(at_once)))
    return summarize(times, time.perf_counter() - before)
