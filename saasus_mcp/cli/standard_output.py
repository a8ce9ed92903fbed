"""Standard output that says in one line that it cannot be written: the disk is full, the device fails, or the stream is closed."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter, RawIOBase, TextIOWrapper
from typing import IO, Any, NoReturn

import click

from saasus_mcp.cli.terminal import warn
from saasus_mcp.common.messages import message
from saasus_mcp.common.system_reasons import os_reason


class OutputLost(click.ClickException):
    """Standard output cannot be written. The command may have done its work before."""

    def __init__(self, error: OSError) -> None:
        reason = os_reason(error)
        super().__init__(str(reason))
        self.text = message("cli.output_lost", reason=reason)

    def show(self, file: IO[Any] | None = None) -> None:
        warn(self.text)


class _CheckedOutput(TextIOWrapper):
    """Standard output whose failures are errors of their own. A broken pipe is left to click, which ends quietly: `| head`."""

    is_lost = False

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._fail(error)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> NoReturn:
        self.is_lost = True
        if isinstance(error, BrokenPipeError):
            raise error
        raise OutputLost(error) from None


class _ClosedStream(RawIOBase):
    """The stream of a process that was started without standard output, for which Python has none."""

    def writable(self) -> bool:
        return True

    def write(self, _: Any) -> NoReturn:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


@contextmanager
def checked_output() -> Iterator[None]:
    """Check each write to standard output, and what is left at the end.

    Raises:
        SystemExit: with status 1, once the failure is said, if the rest cannot be written.
    """
    known = sys.stdout
    if known is not None and not isinstance(known, TextIOWrapper):  # of a test, or of a program that imports this one
        yield
        return
    checked = _check(known)
    sys.stdout = checked
    try:
        yield
    finally:
        _end(checked, known)


def _check(known: TextIOWrapper | None) -> _CheckedOutput:
    """Return the checked stream over the buffer of a stream. A terminal or pipe that cannot write Japanese must not stop a command."""
    if known is None:
        return _CheckedOutput(BufferedWriter(_ClosedStream()), "utf-8")
    known.flush()
    return _CheckedOutput(known.buffer, known.encoding, "backslashreplace", line_buffering=known.line_buffering)


def _end(checked: _CheckedOutput, known: TextIOWrapper | None) -> None:
    """Write the rest. What cannot be written is forgotten, or Python would try again at its end and report that as well."""
    failure: OutputLost | None = None
    try:
        if not checked.is_lost:
            checked.flush()
    except OutputLost as error:
        failure = error
    except BrokenPipeError:
        pass
    vars(sys)["stdout"] = known
    if checked.is_lost:
        vars(sys).update(stdout=None, __stdout__=None)
    elif known is not None:
        checked.detach()
    if failure is not None:
        failure.show()
        sys.exit(failure.exit_code)
