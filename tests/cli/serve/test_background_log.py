"""A reader of the log that does not read holds up nothing, and learns how much it did not get."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import httpx2
import pytest

from saasus_mcp.cli.serve import hosted_log
from saasus_mcp.cli.serve.hosted_log import BackgroundHandler, JsonFormatter
from tests.support.processes import TIMEOUT, start_module

FILLER = b"."


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def _fill(end: int) -> None:
    """Fill a pipe by an end of its own, which does not wait."""
    own = os.open(f"/proc/self/fd/{end}", os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(own, FILLER)
    os.close(own)


def _read(end: int, until: str) -> str:
    """Read a pipe until the last words of a text have come."""
    found = b""
    while not found.endswith(until.encode()):
        found += os.read(end, 65536)
    return found.decode().lstrip(FILLER.decode())


def _record(text: str) -> logging.LogRecord:
    return logging.LogRecord("name", logging.INFO, __file__, 1, text, (), None)


def _blocked_handler(descriptor: int, places: int, monkeypatch: pytest.MonkeyPatch) -> BackgroundHandler:
    """Return a handler with places for a few lines, whose pipe is full."""
    monkeypatch.setattr(hosted_log, "MAX_LINES", places)
    monkeypatch.setattr(hosted_log, "FLUSH_SECONDS", 0.01)
    _fill(descriptor)
    return BackgroundHandler(descriptor)


def test_lines_are_written_in_order_before_a_flush_ends(pipe: tuple[int, int]) -> None:
    handler = BackgroundHandler(pipe[1])
    for text in ("one", "two", "日本語"):
        handler.handle(_record(text))
    handler.flush()
    assert os.read(pipe[0], 1000).decode() == "one\ntwo\n日本語\n"


@pytest.mark.skipif(sys.platform != "linux", reason="opens the end of a pipe by /proc")
def test_lines_that_find_no_place_are_counted(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    handler = _blocked_handler(pipe[1], 2, monkeypatch)
    for number in range(10):
        handler.handle(_record(f"line {number}"))
    handler.flush()
    before = _read(pipe[0], "\n")
    handler.handle(_record("last"))
    said = _read(pipe[0], "not read)\n")
    assert before.startswith("line 0\n")
    count = 10 - before.count("\n") - said.count("\n") + 1
    assert said.endswith(f"last ({count} lines before it were left out, since standard error was not read)\n")


@pytest.mark.skipif(sys.platform != "linux", reason="opens the end of a pipe by /proc")
def test_a_line_that_tells_of_others_is_still_json(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    handler = _blocked_handler(pipe[1], 1, monkeypatch)
    handler.setFormatter(JsonFormatter(str))
    for _ in range(5):
        handler.handle(_record("100% lost"))
    handler.flush()
    _read(pipe[0], "\n")
    handler.handle(_record("100% here"))
    handler.flush()
    *_, last = os.read(pipe[0], 65536).decode().splitlines()
    assert json.loads(last)["message"].startswith("100% here (")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="opens the end of a pipe by /proc")
async def test_a_server_answers_and_stops_while_nobody_reads_its_log(pipe: tuple[int, int], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = ("--transport", "http", "--port", str(port), "--sandbox")
    env = {**os.environ, "SAASUS_MCP_STATE_DIR": str(tmp_path / "state"), "SAASUS_MCP_LOG_LEVEL": "info"}
    with start_module("saasus_mcp", "serve", *flags, stderr=pipe[1], env=env) as process:
        with anyio.fail_after(TIMEOUT):
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                while True:
                    with suppress(httpx2.ConnectError):
                        assert (await client.get("/healthz")).status_code == 200
                        break
                    await anyio.sleep(0.1)
                _fill(pipe[1])
                process.send_signal(signal.SIGTERM)
            assert await anyio.to_thread.run_sync(process.wait, TIMEOUT) == 0
