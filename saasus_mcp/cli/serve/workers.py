"""`serve --workers N`: several processes on one port, each like a replica on this machine."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from saasus_mcp.cli.command_line import INTERRUPTED
from saasus_mcp.cli.options import SurfaceOptions
from saasus_mcp.cli.serve import metrics_folder
from saasus_mcp.cli.terminal import choose_language, warn
from saasus_mcp.common import working_directory
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.settings import HttpSettings, Settings, SettingsError

if TYPE_CHECKING:
    from saasus_mcp.cli.serve.worker_files import Accepted
    from saasus_mcp.hosting.http.worker_process import Work, Worker

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where the workers count together. The library of Prometheus reads it when it is imported."""


def require_several(settings: Settings, http: HttpSettings) -> None:
    """Check that several processes can serve these settings.

    Raises:
        SettingsError: they cannot.
    """
    if sys.platform == "win32":
        raise SettingsError.of("cli_serve.workers_on_windows", workers=http.workers)
    if settings.sandbox:
        raise SettingsError.of("cli_serve.workers_with_sandbox", workers=http.workers)


def serve_workers(settings: Settings, options: SurfaceOptions, http: HttpSettings) -> None:
    """Start the workers, and keep them running until a signal stops the server.

    Raises:
        SaasusMcpError: the port or the settings cannot be used. What only a worker can find out, the first one reports.
    """
    from saasus_mcp.cli.serve.worker_files import WorkerFiles  # noqa: PLC0415 - imports the policy
    from saasus_mcp.hosting.http import listener, supervisor  # noqa: PLC0415 - imports the web server
    from saasus_mcp.permissions.policy.reload import ReloadListener  # noqa: PLC0415 - imports the policy

    require_several(settings, http)
    files = WorkerFiles(settings, http)
    with ExitStack() as until:
        bound = until.enter_context(listener.open_listener(http.host, http.port))
        folder = until.enter_context(metrics_folder.own_folder())
        work = partial(_work, options, folder)
        running = supervisor.Supervisor(
            http.workers, [bound], work(files.accepted), on_exit=partial(metrics_folder.forget_gauges, folder)
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
    from saasus_mcp.hosting.http import listener, worker_process  # noqa: PLC0415 - imports the web server

    settings = accepted.settings
    return worker_process.Work(
        partial(_run_worker, settings, options, counts),
        listener.stop_seconds(settings.timeout, accepted.http.leave_seconds),
        settings.contents.policy if settings.contents is not None else None,
    )


def _run_worker(
    settings: Settings, options: SurfaceOptions, counts: Path, worker: Worker, sockets: list[socket.socket]
) -> None:
    """Serve in a worker process."""
    os.environ[METRICS_VARIABLE] = str(counts)
    from saasus_mcp.cli.serve import serve_http  # noqa: PLC0415 - it would import the metrics before

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    choose_language(sys.argv[1:])
    try:
        with working_directory.outside_working_directory():
            serve_http.run(settings, options, worker, sockets[0])
    except SaasusMcpError as error:
        warn(error)
        sys.exit(1)
