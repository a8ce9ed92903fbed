"""The servers that are measured beside ours: the stand-in, the official server, or any other on stdio."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.speed.servers import Tool

FOLDER = Path(__file__).with_name("stand_in")
TOOLS = Path(__file__).resolve().parents[2] / "saasus_mcp" / "server" / "stdio" / "early" / "ready.json"
PATIENCE = 300


@dataclass(frozen=True, slots=True)
class OtherServer:
    """A server to measure beside ours.

    Attributes:
        key: its name in the tables: `stand_in`, `official` or `other`.
        tool: the tool of it that reads roles.
    """

    key: str
    command: tuple[str, ...]
    tool: Tool = field(default_factory=Tool)

    @property
    def folder(self) -> Path | None:
        """The folder with its files, if the command names a file."""
        return next((Path(part).resolve().parent for part in self.command if Path(part).is_file()), None)


def official(folder: Path) -> OtherServer:
    """Return the official Node server from a checkout of saasus-platform/saasus-api-mcp-server after `npm ci`."""
    return OtherServer("official", ("node", str(folder / "mcpServer.js")), Tool("getroles"))


@contextmanager
def stand_in() -> Iterator[OtherServer | str]:
    """Install the stand-in into a temporary folder, as its lock pins it. Yield it, or why it cannot be measured."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        yield "node and npm are not on the path: nothing is measured beside this server."
        return
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-stand-in-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for file in FOLDER.iterdir():
            shutil.copy(file, folder / file.name)
        try:
            subprocess.run(  # noqa: S603 - what the lock pins
                (npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--prefix", name),
                check=True,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
        except subprocess.SubprocessError as error:
            said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            yield f"npm cannot install the stand-in ({said[-1] if said else error}): nothing is measured beside this server."
            return
        yield OtherServer("stand_in", (node, str(folder / "server.mjs"), str(TOOLS)))
