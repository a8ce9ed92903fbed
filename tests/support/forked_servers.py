"""Servers that the SDK's stdio client starts as forks: a new interpreter that imports the product takes a second of CPU."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import IO, Any

import pytest
from anyio import BrokenResourceError, EndOfStream
from anyio.abc import ByteReceiveStream, ByteSendStream
from mcp.client import stdio

from tests.support.processes import FORKING, start_module


class _Input(ByteSendStream):
    """The standard input of a server. Tests send little, which a pipe holds."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe

    async def send(self, item: bytes) -> None:
        try:
            self._pipe.write(item)
            self._pipe.flush()
        except BrokenPipeError:
            raise BrokenResourceError from None
        await asyncio.sleep(0)

    async def aclose(self) -> None:
        self._pipe.close()


class _Output(ByteReceiveStream):
    """The standard output of a server."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.ReadTransport) -> None:
        self._reader, self._transport = reader, transport

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if received := await self._reader.read(max_bytes):
            return received
        raise EndOfStream

    async def aclose(self) -> None:
        self._transport.close()
        await asyncio.sleep(0)


class _Server:
    """A forked server, with what the client uses of a process."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: _Input, stdout: _Output) -> None:
        self._forked, self.stdin, self.stdout, self.pid = process, stdin, stdout, process.pid

    @property
    def returncode(self) -> int | None:
        return self._forked.poll()


async def _fork(
    command: str,  # noqa: ARG001 - that of this installation
    args: list[str],
    env: dict[str, str] | None = None,
    errlog: object = None,  # noqa: ARG001 - the fork has that of the tests
    cwd: Path | str | None = None,
) -> Any:
    words = args[2:] if args[:1] == ["-m"] else args
    interpreter = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    process = start_module(
        "saasus_mcp",
        *words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**interpreter, **(os.environ if env is None else env)},
        cwd=None if cwd is None else Path(cwd),
        start_new_session=True,
    )
    assert process.stdin is not None
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, process.stdout)
    return _Server(process, _Input(process.stdin), _Output(reader, transport))


@pytest.fixture
def forked_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDK's client fork `saasus_mcp`, where tests fork."""
    if FORKING:
        monkeypatch.setattr(stdio, "_create_platform_compatible_process", _fork)
