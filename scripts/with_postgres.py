"""Run a command beside a PostgreSQL server of its own, which is gone afterwards: `with_postgres.py COMMAND...`.

The command finds its address in SAASUS_MCP_TEST_POSTGRES. The server listens on a free port of the loopback, keeps its files
in a temporary folder, and runs as another user where this is root, as PostgreSQL demands. Nothing that runs is touched.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
def server(folder: Path) -> Iterator[str]:
    """Yield a server that answers, until the end; gives its address."""
    programs, user, port, password = binaries(), unprivileged(), free_port(), secrets.token_hex(16)
    key, data = folder / "password", folder / "data"
    key.write_text(password, encoding="utf-8")
    if user is not None:
        for path in (folder, key):
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
    try:
        _wait(running, [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], folder)
        yield f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres"
    finally:
        running.send_signal(signal.SIGINT)  # ends the sessions, too
        running.wait(SECONDS)


def _wait(running: subprocess.Popen[bytes], ready: list[Path | str], folder: Path) -> None:
    until = time.monotonic() + SECONDS
    while subprocess.run(ready, check=False).returncode != 0:  # noqa: S603 - our own
        if running.poll() is not None or time.monotonic() > until:
            sys.exit(f"PostgreSQL does not start:\n{(folder / 'log').read_text(encoding='utf-8')}")
        time.sleep(0.1)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-postgres-") as folder, server(Path(folder)) as address:
        return subprocess.run(sys.argv[1:], check=False, env={**os.environ, VARIABLE: address}).returncode  # noqa: S603 - ours


if __name__ == "__main__":
    sys.exit(main())
