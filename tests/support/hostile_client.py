"""One hostile principal in a process of its own: `python -m tests.support.hostile_client SCENARIO URL TOKEN COUNT`.

It runs until it is killed, and prints for how many seconds it has run and how many answers or closed sockets it got. It
connects to loopback only and has at most COUNT sockets or requests open.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.support.hosting_server import INITIALIZE, MCP

TIMEOUT = 60.0
PAUSE = 0.01
"""Seconds before a socket that was closed is opened again."""
TOLD = 0.5
"""Seconds between two lines."""
WRONG = [1] * 100_000
VALID = ["admin"] * 58_000
PADDING = "x" * 1_000_000
EXPENSIVE = "join('', [" + ",".join(["to_string(@)"] * 12) + "])"
Hostile = Callable[["Attacker"], Awaitable[None]]


class Attacker:
    """What every scenario uses.

    Args:
        count: sockets or requests at once.
    """

    def __init__(self, url: str, token: str, count: int) -> None:
        self.url, self.token, self.count = url, token, count
        self.authority = urlsplit(url).netloc
        self.numbers = itertools.count(1)
        self.ended = 0

    async def tells(self) -> None:
        """Print the progress until the process is killed."""
        began = time.monotonic()
        while True:
            print(f"{time.monotonic() - began:.3f} {self.ended}", flush=True)  # noqa: T201 - the test reads it
            await asyncio.sleep(TOLD)

    async def held(self, head: str) -> None:
        """Keep sockets open that send these words and then nothing. Open a closed one again."""
        host, port = self.authority.split(":")

        async def one() -> None:
            while True:
                with suppress(OSError):
                    reading, writing = await asyncio.open_connection(host, int(port))
                    writing.write(head.encode())
                    while await reading.read(4096):
                        pass
                    writing.close()
                self.ended += 1
                await asyncio.sleep(PAUSE)

        await asyncio.gather(*(one() for _ in range(self.count)))

    def head(self, method: str, path: str, *more: str, token: bool = True) -> str:
        """Return the head of a request."""
        known = [f"Authorization: Bearer {self.token}"] if token else []
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.authority}", *known, *more, "", ""]
        return "\r\n".join(lines)

    async def repeated(self, method: str, params: Callable[[], dict[str, Any]]) -> None:
        """Send requests of an older protocol at once, and repeat each as soon as it is answered."""
        limits = httpx2.Limits(max_connections=self.count)
        headers = {**MCP, "Authorization": f"Bearer {self.token}"}
        async with httpx2.AsyncClient(base_url=self.url, headers=headers, limits=limits, timeout=TIMEOUT) as client:
            opened = await client.post("/mcp", json=INITIALIZE)
            client.headers["Mcp-Session-Id"] = opened.headers["Mcp-Session-Id"]
            await client.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})

            async def one() -> None:
                while True:
                    body = {"jsonrpc": "2.0", "id": next(self.numbers), "method": method, "params": params()}
                    with suppress(httpx2.HTTPError):
                        await client.post("/mcp", json=body)
                    self.ended += 1

            await asyncio.gather(*(one() for _ in range(self.count)))

    async def kept(self) -> str:
        """Return the id of a stored result of the caller."""
        headers = {**MCP, "Authorization": f"Bearer {self.token}"}
        async with httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=TIMEOUT) as client:
            opened = await client.post("/mcp", json=INITIALIZE)
            client.headers["Mcp-Session-Id"] = opened.headers["Mcp-Session-Id"]
            await client.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
            call = {"name": "job_export_users", "arguments": {}}
            body = {"jsonrpc": "2.0", "id": next(self.numbers), "method": "tools/call", "params": call}
            answer = await client.post("/mcp", json=body)
            [found] = set(re.findall(r"saasus://results/[0-9a-f]{24}", answer.text))
            return str(found)

    async def called(self, tool: str, **arguments: Any) -> None:
        """Make calls of one tool at once."""
        await self.repeated("tools/call", lambda: {"name": tool, "arguments": arguments})


async def do_nothing(_: Attacker) -> None:
    """Do nothing, for comparison."""
    await asyncio.sleep(3600)


async def streams(attacker: Attacker) -> None:
    await attacker.held(attacker.head("GET", "/sse", "Accept: text/event-stream"))


async def streams_again(attacker: Attacker) -> None:
    await attacker.held(attacker.head("GET", "/sse", "Accept: text/event-stream", "Connection: close"))


async def wrong_tokens(attacker: Attacker) -> None:
    more = ("Authorization: Bearer saasus_nobody", "Connection: close")
    await attacker.held(attacker.head("POST", "/mcp", *more, token=False))


async def anonymous_pages(attacker: Attacker) -> None:
    await attacker.held(attacker.head("GET", "/console/sign-in", "Connection: close", token=False))


async def static_files(attacker: Attacker) -> None:
    await attacker.held(attacker.head("GET", "/console/style.css", "Connection: close", token=False))


async def health_checks(attacker: Attacker) -> None:
    await attacker.held(attacker.head("GET", "/healthz", "Connection: close", token=False))


async def sessions(attacker: Attacker) -> None:
    headers = {**MCP, "Authorization": f"Bearer {attacker.token}"}
    async with httpx2.AsyncClient(base_url=attacker.url, headers=headers, timeout=TIMEOUT) as client:

        async def one() -> None:
            while True:
                with suppress(httpx2.HTTPError):
                    await client.post("/mcp", json=INITIALIZE)
                attacker.ended += 1

        await asyncio.gather(*(one() for _ in range(min(attacker.count, 16))))


async def forms(attacker: Attacker) -> None:
    more = ("Sec-Fetch-Site: same-origin", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 16000")
    await attacker.held(attacker.head("POST", "/console/sign-in", *more, token=False) + "t")


async def bodies(attacker: Attacker) -> None:
    more = ("Content-Type: application/json", "Content-Length: 16000")
    await attacker.held(attacker.head("POST", "/mcp", *more, token=False) + "{")


async def slow_bodies(attacker: Attacker) -> None:
    more = ("Content-Type: application/json", f"Accept: {MCP['Accept']}", "Content-Length: 16000")
    await attacker.held(attacker.head("POST", "/mcp", *more) + "{")


async def silent(attacker: Attacker) -> None:
    await attacker.held("")


async def half_heads(attacker: Attacker) -> None:
    await attacker.held("POST /mcp HTTP/1.1\r\nHost: ")


async def slow_reads(attacker: Attacker) -> None:
    await attacker.called("auth_get_roles")


async def wrong_lists(attacker: Attacker) -> None:
    await attacker.called("auth_create_tenant_user_roles", tenant_id="t", user_id="u", env_id=1, role_names=WRONG)


async def valid_lists(attacker: Attacker) -> None:
    await attacker.called("auth_create_tenant_user_roles", tenant_id="t", user_id="u", env_id=1, role_names=VALID)


async def expressions(attacker: Attacker) -> None:
    await attacker.called("select_from_result", id=await attacker.kept(), expression=EXPENSIVE)


async def jobs(attacker: Attacker) -> None:
    await attacker.called("job_export_users")


async def refused(attacker: Attacker) -> None:
    await attacker.called("auth_update_customize_pages", sign_in_page={"html_contents": PADDING})


async def listings(attacker: Attacker) -> None:
    await attacker.repeated("tools/list", dict)


async def reads(attacker: Attacker) -> None:
    await attacker.called("auth_get_tenants")


SCENARIOS: dict[str, tuple[Hostile, int]] = {
    "nothing": (do_nothing, 0),
    "streams": (streams, 1000),
    "streams opened again": (streams_again, 1000),
    "wrong tokens": (wrong_tokens, 1000),
    "sign-in pages": (anonymous_pages, 1000),
    "static files": (static_files, 1000),
    "health checks": (health_checks, 1000),
    "sessions": (sessions, 1000),
    "forms without a token": (forms, 1000),
    "bodies without a token": (bodies, 1000),
    "bodies that never come": (slow_bodies, 1000),
    "silent sockets": (silent, 2500),
    "half heads": (half_heads, 2500),
    "slow reads of the API": (slow_reads, 140),
    "lists of wrong items": (wrong_lists, 20),
    "lists of valid items": (valid_lists, 20),
    "expressions": (expressions, 20),
    "starts of jobs": (jobs, 20),
    "refused calls with large arguments": (refused, 20),
    "lists of tools": (listings, 100),
    "small reads": (reads, 200),
}
"""What is done, and how much of it at once by `make load`."""


async def played(hostile: Hostile, attacker: Attacker) -> None:
    """Play a scenario and print the progress."""
    async with asyncio.TaskGroup() as both:
        both.create_task(attacker.tells())
        both.create_task(hostile(attacker))  # type: ignore[arg-type]  # all are coroutines


if __name__ == "__main__":
    _, scenario, url, token, count = sys.argv
    asyncio.run(played(SCENARIOS[scenario][0], Attacker(url, token, int(count))))
