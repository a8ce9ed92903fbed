"""The log of a hosted server, written by a thread: while nobody reads standard error, as during the outage of a log driver, requests go on."""

from __future__ import annotations

import logging
import os
import queue
import threading
from contextlib import suppress

MAX_LINES = 10_000
"""Lines that wait. Further ones are left out and counted."""
FLUSH_SECONDS = 2.0
"""How long the end of the process waits for lines to be written."""
STDERR = 2


class BackgroundHandler(logging.Handler):
    """Writes lines in a thread.

    It writes to the descriptor: a thread that is stopped within `sys.stderr` would hold its lock, and break the end of the process.

    Args:
        descriptor: where the lines go.
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
