"""Serve over HTTP: in this process, or with `--workers N` in several on one port, each like a replica, which count together in a folder."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import TextIOWrapper
from pathlib import Path

from saasus_mcp.cli.command_line import INTERRUPTED
from saasus_mcp.cli.options import SurfaceOptions
from saasus_mcp.cli.serve.hosted_log import configure_hosted_log
from saasus_mcp.cli.serve.worker_files import Accepted, WorkerFiles
from saasus_mcp.cli.terminal import choose_language, warn
from saasus_mcp.common import working_directory
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.hosting.http import listener, supervisor
from saasus_mcp.hosting.http.worker_process import Work, Worker
from saasus_mcp.permissions.policy.reload import ReloadListener
from saasus_mcp.settings.config import load_http_settings, require_named_file
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.hosting import HttpSettings
from saasus_mcp.settings.validation import SettingsError

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where the workers count together. The library of Prometheus reads it when it is imported."""
PREFIX = "saasus-mcp-metrics-"
LOCK = "owner.lock"
"""Locked while the owner of the folder runs. The system drops the lock of a process that is killed."""
NEW_SECONDS = 60.0
"""A folder may be so new that its owner has not locked it yet."""


def require_several(settings: Settings, http: HttpSettings) -> None:
    """Raise SettingsError if several processes cannot serve these settings."""
    if sys.platform == "win32":
        raise SettingsError.of("cli_serve.workers_on_windows", workers=http.workers)
    if settings.sandbox:
        raise SettingsError.of("cli_serve.workers_with_sandbox", workers=http.workers)


def serve(settings: Settings, options: SurfaceOptions) -> None:
    """Serve until a signal stops the server: in this process, or in workers that are kept running.

    Raises:
        SaasusMcpError: the port or the settings cannot be used, or other computers could reach the server without authentication.
            What only a worker can find out, the first one reports.
    """
    require_named_file(settings)
    http = load_http_settings(settings)
    if http.workers == 1:
        from saasus_mcp.cli.serve import serve_http  # noqa: PLC0415 - imports the web server, which a supervisor does without

        serve_http.run(settings, options)
        return
    configure_hosted_log(settings)
    require_several(settings, http)
    files = WorkerFiles(settings, http)
    with ExitStack() as until:
        bound = until.enter_context(listener.open_listener(http.host, http.port))
        folder = until.enter_context(own_folder())
        work = partial(_work, options, folder)
        running = supervisor.Supervisor(
            http.workers, [bound], work(files.accepted), on_exit=partial(forget_gauges, folder)
        )
        files.replace_workers = lambda accepted: running.replace_all(work(accepted))
        files.give_policy = lambda accepted: running.give_policy(work(accepted))
        running.on_hangup = files.reload_all
        if settings.policy is not None:
            requests = ReloadListener(settings.state_folder, files, files.say)
            until.callback(requests.close)
            running.on_tick = requests.poll
        running.run()
    if running.failed:
        sys.exit(1)
    if running.interrupted:
        sys.exit(INTERRUPTED)


def _work(options: SurfaceOptions, counts: Path, accepted: Accepted) -> Work:
    settings = accepted.settings
    return Work(
        partial(_run_worker, settings, options, counts),
        listener.stop_seconds(settings.timeout, accepted.http.leave_seconds),
        settings.contents.policy if settings.contents is not None else None,
    )


def _run_worker(
    settings: Settings, options: SurfaceOptions, counts: Path, worker: Worker, sockets: list[socket.socket]
) -> None:
    """Serve in a worker process."""
    os.environ[METRICS_VARIABLE] = str(counts)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    choose_language(sys.argv[1:])
    try:
        with working_directory.outside_working_directory():
            from saasus_mcp.cli.serve import serve_http  # noqa: PLC0415 - imports the metrics, which read the variable

            serve_http.run(settings, options, worker, sockets[0])
    except SaasusMcpError as error:
        warn(error)
        sys.exit(1)


@contextmanager
def own_folder() -> Iterator[Path]:
    """Make the folder, and remove it at the end, and those of servers that were killed.

    Raises:
        SaasusMcpError: it cannot be made.
    """
    import fcntl  # noqa: PLC0415 - not on Windows, where one process serves

    try:
        with suppress(OSError):  # the folders of others are no reason not to start
            _remove_abandoned()
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
        lock = (Path(folder.name) / LOCK).open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise SaasusMcpError.of(
            "cli_serve.no_metrics_folder", folder=tempfile.gettempdir(), reason=os_reason(error)
        ) from None
    with folder, lock:
        yield Path(folder.name)


def forget_gauges(folder: Path, pid: int) -> None:
    """Forget what a worker that has ended had in progress. Its counters stay, because counters never fall."""
    for file in folder.glob(f"gauge_live*_{pid}.db"):
        with suppress(OSError):
            file.unlink()


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if _is_abandoned(folder):
                shutil.rmtree(folder)


def _is_abandoned(folder: Path) -> bool:
    """Return whether a folder is of this user, and its owner has ended."""
    import fcntl  # noqa: PLC0415 - as above

    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or time.time() - status.st_mtime < NEW_SECONDS:
        return False
    with (folder / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
