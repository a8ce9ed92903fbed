"""`saasus-mcp install` on a file of the test, and the content of the file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from saasus_mcp.clients import jsonc
from saasus_mcp.clients.known_clients import CLIENTS, KnownClient
from tests.support.commands import run_command


def write_file(file: Path, text: str | None) -> bytes | None:
    if text is None:
        return None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return text.encode()


def file_content(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def parse_file(client: KnownClient, raw: bytes | None) -> Any:
    text = (raw or b"").decode("utf-8")
    if client.format == "toml":
        return tomllib.loads(text.removeprefix("\ufeff"))
    return jsonc.parse_jsonc(text).value if text.strip("\ufeff\n") else {}


def read_servers(client: str, file: Path) -> dict[str, Any]:
    found: dict[str, Any] = parse_file(CLIENTS[client], file_content(file))[CLIENTS[client].servers_key]
    return found


def run_install(client: str, file: Path, *flags: str) -> str:
    ran = run_command("install", client, "--file", str(file), "--sandbox", "--yes", *flags)
    assert (ran.status, ran.err) == (0, "")
    return ran.out
