"""Run a command beside a PostgreSQL server of its own, which is gone afterwards: `with_postgres.py COMMAND...`.

The command finds its address in SAASUS_MCP_TEST_POSTGRES. The server listens on a free port of the loopback, keeps its files
in a temporary folder, and runs as another user where this is root, as PostgreSQL demands. Nothing that runs is touched.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

VARIABLE = "SAASUS_MCP_TEST_POSTGRES"
USER = "saasus"
UNPRIVILEGED = ("postgres", "nobody")
SECONDS = 30.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "fsync": "off",  # what it keeps need not survive
    "logging_collector": "off",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A server with its files.

    Attributes:
        address: as applications write it, with the password.
        folder: has the data and the log.
        user: owns the server, or None for the current user.
    """

    address: str = field(repr=False)
    folder: Path
    user: str | None

    def restart(self, mode: Literal["fast", "immediate"]) -> None:
        """End all sessions and start again: `fast` as an operator does, `immediate` as after a crash.

        Raises:
            CalledProcessError: it does not start.
        """
        self._control("restart", mode)

    def stop(self) -> None:
        """Stop the server, whichever process it is now, if it runs."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self._control("stop", "fast")

    def _control(self, action: str, mode: str) -> None:
        command: list[Path | str] = [binaries() / "pg_ctl", action, "-s", "-w", "-t", str(int(SECONDS)), "-m", mode]
        command += ["-D", self.folder / "data"]
        if action == "restart":
            command += ["-l", self.folder / "log"]
        subprocess.run(command, check=True, user=self.user, cwd=self.folder, stdin=subprocess.DEVNULL)  # noqa: S603 - our own


def binaries() -> Path:
    """Where the server's programs are: on the path, or where Debian puts them, newest version first."""
    found = shutil.which("postgres")
    if found is not None:
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(versions, key=lambda each: float(each.parts[-3]), default=None)
    if newest is None:
        sys.exit("No PostgreSQL server is installed: `apt-get install postgresql` is enough.")
    return newest.parent


def unprivileged() -> str | None:
    """Return the user of the database server, or None for the current user."""
    if os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415 - not on every system

    known = {each.pw_name for each in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def server(folder: Path) -> Iterator[Cluster]:
    """Yield a server that answers, and stop it at the end."""
    programs, user, port, password = binaries(), unprivileged(), free_port(), secrets.token_hex(16)
    key, data = folder / "password", folder / "data"
    key.write_text(password, encoding="utf-8")
    (folder / "log").touch()
    if user is not None:
        for path in (folder, key, folder / "log"):
            shutil.chown(path, user)
    made: list[Path | str] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        USER,
        "-A",
        "scram-sha-256",
        "--pwfile",
        key,
        "-E",
        "UTF8",
        "--locale=C",
    ]
    subprocess.run(made, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    options = {**SETTINGS, "port": str(port), "unix_socket_directories": str(folder)}
    asked = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        started: list[Path | str] = [programs / "postgres", "-D", data, *asked]
        running = subprocess.Popen(started, user=user, cwd=folder, stdout=log, stderr=log)  # noqa: S603 - our own
    cluster = Cluster(f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres", folder, user)
    try:
        _wait(running, [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], folder)
        yield cluster
    finally:
        cluster.stop()  # not by its process: a restart makes another one
        running.wait(SECONDS)


def _wait(running: subprocess.Popen[bytes], ready: list[Path | str], folder: Path) -> None:
    until = time.monotonic() + SECONDS
    while subprocess.run(ready, check=False).returncode != 0:  # noqa: S603 - our own
        if running.poll() is not None or time.monotonic() > until:
            sys.exit(f"PostgreSQL does not start:\n{(folder / 'log').read_text(encoding='utf-8')}")
        time.sleep(0.1)


@contextmanager
def temporary_server() -> Iterator[Cluster]:
    """Yield a server whose files are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-postgres-") as folder, server(Path(folder)) as made:
        yield made


def main() -> int:
    with temporary_server() as made:
        return subprocess.run(sys.argv[1:], check=False, env={**os.environ, VARIABLE: made.address}).returncode  # noqa: S603 - ours


if __name__ == "__main__":
    sys.exit(main())
