"""The log of a server on a network: as lines of JSON, without floods of one line, and written by a thread."""

from __future__ import annotations

import json
import logging
import os
import queue
import socket
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from saasus_mcp.cli.server_log import configure_logging, without_faults
from saasus_mcp.common.request_id import REQUEST_ID
from saasus_mcp.settings.environment import Settings

FLOOD_LINES, FLOOD_SECONDS = 5, 60.0
MAX_KINDS = 1_000
"""Kinds of lines that are counted. Beyond it, the one that was not seen for the longest time is forgotten."""
MAX_LINES = 10_000
"""Lines that wait. Further ones are left out and counted."""
FLUSH_SECONDS = 2.0
"""How long the end of the process waits for lines to be written."""
STDERR = 2


class JsonFormatter(logging.Formatter):
    """Writes each record as one line of JSON: time, level, replica, worker, request, logger, message, and the traceback of an error."""

    def __init__(self, redact: Callable[[str], str], worker: int = 0) -> None:
        super().__init__()
        self._redact = redact
        self._worker = worker
        self._replica = f"{socket.gethostname()}:{os.getpid()}"

    def format(self, record: logging.LogRecord) -> str:
        record = without_faults(record)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = {
            "time": at,
            "level": record.levelname.lower(),
            "replica": self._replica,
            "worker": self._worker,
            "request": REQUEST_ID.get(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
            "error": self._redact(self.formatException(record.exc_info)) if record.exc_info else "",
        }
        return json.dumps({name: value for name, value in fields.items() if value}, ensure_ascii=False)


class FloodFilter(logging.Filter):
    """Holds repeated lines down: of one kind, a few a minute are written, and the next one tells how many were not.

    A kind is the text before its values are filled in, and the type and the place of an exception, so that one error does not hide
    another. An outage writes the same line for each request otherwise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: dict[tuple[str, int, str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = (record.name, record.levelno, str(record.msg), _origin(record)), self._clock()
        begun, count = self._kinds.pop(kind, (now, 0))
        if now - begun >= FLOOD_SECONDS:
            begun, left_out, count = now, count - FLOOD_LINES, 0
            if left_out > 0:
                record.msg = f"{record.msg} ({left_out} similar lines were left out)"
        self._kinds[kind] = begun, count + 1
        if len(self._kinds) > MAX_KINDS:
            del self._kinds[next(iter(self._kinds))]
        return count < FLOOD_LINES


def _origin(record: logging.LogRecord) -> str:
    """Return the type of the exception of a record and the line that raised it, or an empty text."""
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    error = record.exc_info[1]
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    return f"{type(error).__qualname__} {frames[0].filename}:{frames[0].lineno}" if frames else type(error).__qualname__


class BackgroundHandler(logging.Handler):
    """Writes lines in a thread: while nobody reads standard error, as during the outage of a log driver, requests go on.

    It writes to the descriptor: a thread that is stopped within `sys.stderr` would hold its lock, and break the end of the process.
    """

    def __init__(self, descriptor: int = STDERR) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: queue.Queue[str | threading.Event] = queue.Queue(MAX_LINES)
        self._left_out = 0
        threading.Thread(target=self._write_lines, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._left_out:  # within the message, since a line may be JSON
                note = f"({self._left_out} lines before it were left out, since standard error was not read)"
                record.msg = f"{record.msg} {note}"
            self._lines.put_nowait(self.format(record))
            self._left_out = 0
        except queue.Full:
            self._left_out += 1
        except Exception:  # noqa: BLE001 - as every handler: an error in a line must not end the request
            self.handleError(record)

    def flush(self) -> None:
        """Wait for a moment until the lines so far are written."""
        written = threading.Event()
        with suppress(queue.Full):
            self._lines.put_nowait(written)
            written.wait(FLUSH_SECONDS)

    def _write_lines(self) -> None:
        while True:
            line = self._lines.get()
            if isinstance(line, threading.Event):
                line.set()
                continue
            rest = f"{line}\n".encode(errors="backslashreplace")
            with suppress(OSError):  # the reader has gone
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]


def configure_hosted_log(settings: Settings, worker: int = 0) -> None:
    """Write the log of this process in the background. `worker`: its number among several."""
    configure_logging(
        FloodFilter(),
        log_format=settings.log_format,
        level=settings.log_level,
        at_least=logging.INFO,
        worker=worker,
        handler=BackgroundHandler(),
    )
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # below it, any bad request would fill the log
