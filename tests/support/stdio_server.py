"""A server on stdio, and its messages."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.support.processes import TIMEOUT, Preloaded, start_module

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"elicitation": {}},
    "clientInfo": {"name": "test", "version": "1"},
}


def build_request(id: int, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def encode_lines(*messages: dict[str, Any] | bytes) -> bytes:
    return b"".join(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in messages)


OPENING = (build_request(1, "initialize", **INITIALIZE), {"jsonrpc": "2.0", "method": "notifications/initialized"})


@contextmanager
def start_stdio_server(*args: str, preloaded: Preloaded = "libraries") -> Iterator[subprocess.Popen[bytes]]:
    """Start a server of the sandbox on stdio. By default, it has not loaded the SDK."""
    piped = subprocess.PIPE
    process = start_module(
        "saasus_mcp", "--sandbox", *args, stdin=piped, stdout=piped, stderr=piped, preloaded=preloaded
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


def converse(*messages: dict[str, Any] | bytes) -> tuple[list[dict[str, Any]], str, int]:
    """Send messages and the end of the input at once. Return the answers, the standard error and the exit status."""
    with start_stdio_server() as process:
        out, err = process.communicate(encode_lines(*messages), TIMEOUT)
    return [json.loads(line) for line in out.splitlines()], err.decode(), process.returncode


def read_answers(process: subprocess.Popen[bytes], *ids: int) -> dict[int, dict[str, Any]]:
    """Return the answers to these requests. They may come in any order, but each only once."""
    found: dict[int, dict[str, Any]] = {}
    assert process.stdout is not None
    while found.keys() != set(ids):
        message = json.loads(process.stdout.readline())
        assert message["id"] not in found
        found[message["id"]] = message
    return found


def send_messages(process: subprocess.Popen[bytes], *messages: dict[str, Any] | bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(encode_lines(*messages))
    process.stdin.flush()
