"""The log of a server as lines of JSON, for programs that collect logs."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime

from saasus_mcp.cli.server_log import without_faults
from saasus_mcp.common.request_id import REQUEST_ID


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
