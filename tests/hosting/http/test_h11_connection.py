"""Targets of requests that are absolute URIs."""

from __future__ import annotations

import pytest

from saasus_mcp.catalog import Catalogue
from tests.support.hosting_server import build_server, open_socket

TARGETS = {
    "http://localhost/healthz": (b"elsewhere.example.com", 200),
    "HTTPS://localhost:8000/console?q=http://a/": (b"localhost", 404),  # a server without a console
    "http://localhost/.well-known/nothing": (b"elsewhere.example.com", 404),
    "http://localhost": (b"localhost", 404),
    "http://localhost?q=/healthz": (b"localhost", 404),
    "http://elsewhere.example.com/mcp": (b"localhost", 421),
    "http://localhost@elsewhere.example.com/mcp": (b"localhost", 421),
    "http:///mcp": (b"localhost", 421),
    "ftp://localhost/healthz": (b"localhost", 404),
    "http:/healthz": (b"localhost", 404),
    "//healthz": (b"localhost", 404),
    "http://localhost/mcp": (b"elsewhere.example.com", 401),
}
"""Targets of a request, a Host header, and the status of the answer: the host of an absolute URI is the one that counts."""


@pytest.mark.parametrize(("target", "expected"), TARGETS.items(), ids=TARGETS)
async def test_a_target_may_be_an_absolute_uri(catalogue: Catalogue, target: str, expected: tuple[bytes, int]) -> None:
    host, status = expected
    async with build_server(catalogue).serve() as url, await open_socket(url) as stream:
        await stream.send(b"GET " + target.encode() + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
        answer = b"".join([part async for part in stream])
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
