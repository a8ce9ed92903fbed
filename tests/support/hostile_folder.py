"""A working directory that a model has filled with modules that would run, and with settings files that would block a reader."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

MODULES = (
    "anyio", "click", "cryptography", "dbos", "email", "httpx2", "json", "jwt", "logging", "matplotlib", "mcp", "mcp_types",
    "numpy", "platformdirs", "prometheus_client", "pydantic", "pydantic_settings", "random", "sitecustomize", "socket", "sqlalchemy", "sqlite3", "ssl",
    "starlette", "tomllib", "usercustomize", "uvicorn", "uvloop", "yaml",
)  # fmt: skip
"""Modules that the product or a library of its imports, and those that Python itself looks for."""
SETTINGS = (
    ".env", ".netrc", ".pgpass", ".python-version", "alembic.ini", "approver.json", "config.toml", "dbos-config.yaml", "frozen.json",
    "logging.conf", "matplotlibrc", "openssl.cnf", "policy.yaml", "pyproject.toml", "pyvenv.cfg", "saasus-mcp.toml", "sealing.key",
    "setup.cfg", "sqlite3.dll", "uv.toml",
)  # fmt: skip
"""Files that a library may look for. They are named pipes here: reading one never ends, which a test notices."""
TIMEOUT = 60.0


def create_folder(folder: Path) -> Path:
    """Create the folder. A decoy that is executed writes the file `ran` beside it."""
    folder.mkdir()
    for name in MODULES:
        (folder / f"{name}.py").write_text(
            f"open({str(executed_file(folder))!r}, 'a').write({name!r} + ' ')\nraise SystemExit(99)\n", "utf-8"
        )
    for name in SETTINGS:
        os.mkfifo(folder / name)
    return folder


def executed_file(folder: Path) -> Path:
    """Return the file with the names of executed decoys."""
    return folder.with_name("ran")


def run_in_folder(
    command: Sequence[str], folder: Path, given: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder, without uvx on the path.

    Raises:
        TimeoutExpired: the command waits, as for a file that never ends.
    """
    path = os.pathsep.join(
        each for each in os.environ["PATH"].split(os.pathsep) if shutil.which("uvx", path=each) is None
    )
    return subprocess.run(
        [*command], cwd=folder, env={**os.environ, "PATH": path, **env}, input=given, capture_output=True, text=True,
        encoding="utf-8", timeout=TIMEOUT, check=False,
    )  # fmt: skip
