"""`saasus-mcp install` on a file of the test's own, and what is in the file then."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from saasus_mcp.clients import jsonc
from saasus_mcp.clients.known import CLIENTS, Client
from tests.cli.running import run


def given(file: Path, text: str | None) -> bytes | None:
    if text is None:
        return None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return text.encode()


def now(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def read(client: Client, raw: bytes | None) -> Any:
    text = (raw or b"").decode("utf-8")
    if client.form == "toml":
        return tomllib.loads(text.removeprefix("\ufeff"))
    return jsonc.parse(text).value if text.strip("\ufeff\n") else {}


def servers(client: str, file: Path) -> dict[str, Any]:
    found: dict[str, Any] = read(CLIENTS[client], now(file))[CLIENTS[client].servers]
    return found


def install(client: str, file: Path, *flags: str) -> str:
    ran = run("install", client, "--file", str(file), "--sandbox", "--yes", *flags)
    assert (ran.status, ran.err) == (0, "")
    return ran.out
