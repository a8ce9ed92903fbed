"""The log of a server on standard error, as text or JSON, without the server's own secrets."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from saasus_mcp.saasus.redaction import KnownSecrets
    from saasus_mcp.settings.environment import LogFormat, LogLevel

LOG_FORMAT = "saasus-mcp: %(levelname)s: %(message)s"


class RedactingFormatter(logging.Formatter):
    """Removes known secrets from each finished line, tracebacks included, as the last line of defence."""

    def __init__(self, form: str = LOG_FORMAT) -> None:
        super().__init__(form)
        self._known: KnownSecrets | None = None
        self.worker = 0

    def add_secrets(self, *secrets: str) -> None:
        from saasus_mcp.saasus.redaction import NO_SECRETS  # noqa: PLC0415 - not every start needs it

        self._known = (self._known or NO_SECRETS).with_texts(secrets)

    def redact(self, text: str) -> str:
        return self._known.text(text) if self._known is not None else text

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text without the secrets, with the worker if there are several."""
        text = self.redact(super().format(without_faults(record)))
        return f"saasus-mcp[worker {self.worker}]{text.removeprefix('saasus-mcp')}" if self.worker else text


def without_faults(record: logging.LogRecord) -> logging.LogRecord:
    """Return a record that can be made a line. If a value has no text, the logging module would print all values, secrets too."""
    try:
        record.getMessage()
    except Exception as error:  # noqa: BLE001 - whatever the value raises
        record.msg, record.args = f"{record.msg} (without its values: {type(error).__name__})", ()
    return record


_FORMATTER = RedactingFormatter()
"""One for the process, because all of its servers write to the same standard error."""
redact_in_log = _FORMATTER.add_secrets
without_secrets = _FORMATTER.redact


def configure_logging(
    *filters: logging.Filter,
    log_format: LogFormat = "text",
    level: LogLevel | None = None,
    at_least: int = logging.WARNING,
    worker: int = 0,
    handler: logging.Handler | None = None,
) -> None:
    """Write the lines that pass the filters to standard error.

    Args:
        handler: writes the lines, by default at once.
        level: of this program; other libraries write warnings and errors at most.
        at_least: the level of hosting if none is set.
        worker: the number of this process among several that serve one port.
    """
    handler = handler or logging.StreamHandler(sys.stderr)
    for each in filters:
        handler.addFilter(each)
    handler.setFormatter(_formatter(log_format, worker))
    own = logging.getLevelNamesMapping()[level.upper()] if level else logging.WARNING
    logging.basicConfig(handlers=[handler], level=max(own, logging.WARNING))
    logging.getLogger("saasus_mcp").setLevel(own)
    logging.getLogger("saasus_mcp.hosting").setLevel(own if level else at_least)


def _formatter(log_format: LogFormat, worker: int) -> logging.Formatter:
    if log_format == "text":
        _FORMATTER.worker = worker
        return _FORMATTER
    from saasus_mcp.cli.serve.hosted_log import JsonFormatter  # noqa: PLC0415 - only if it is chosen

    return JsonFormatter(without_secrets, worker)
