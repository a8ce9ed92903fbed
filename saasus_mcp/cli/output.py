"""What a command puts out: JSON, times, lists that may be longer than the screen, and files for their user only."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from io import UnsupportedOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saasus_mcp.cli.terminal import format_json, is_terminal, prints_json, say
from saasus_mcp.cli.text_layout import wrap_prose
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.private_files import create_private_file
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.common.text import display_width

if TYPE_CHECKING:
    from saasus_mcp.permissions.question.formatting import Reader

LESS_OPTIONS = "FRX"
"""Options of `less` if the person has set none: colours, no paging of a short list, and the list stays on the screen."""
MINUTE, HOUR, DAY = 60, 3600, 86_400


def colour_preference() -> bool | None:
    """Return what NO_COLOR (https://no-color.org), FORCE_COLOR or TERM say about colours, or None: as the stream can."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def print_json(value: Any) -> None:
    """Print a JSON value to standard output: indented on a terminal, and on one line elsewhere."""
    click.echo(format_json(value, indent=2 if has_screen() else None))


def complete_output() -> None:
    """Wait until what was printed has arrived, on the disk if standard output is a file.

    Raises:
        OSError, ClickException: it cannot be written.
    """
    sys.stdout.flush()
    try:
        number = sys.stdout.fileno()
    except (UnsupportedOperation, ValueError):  # no file, such as the stream of a test
        return
    if stat.S_ISREG(os.fstat(number).st_mode):
        os.fsync(number)


def print_outcome(fields: Mapping[str, Any] | None, *texts: Message | str) -> None:
    """Print what a command did: as JSON with --json, and as texts without it."""
    if prints_json():
        print_json(fields)
        return
    for text in texts:
        say(text)


def has_screen() -> bool:
    """Return True if a person reads the output on a screen."""
    return is_terminal(sys.stdout)


def print_list(lines: Iterable[str]) -> None:
    """Print lines: through the person's pager if they do not fit on their screen, and as they are without a screen."""
    if has_screen():
        lines = [wrap_prose(line, shutil.get_terminal_size().columns) for line in lines]
    if not is_terminal(sys.stdin, sys.stdout) or os.environ.get("PAGER") in ("", "cat"):
        for line in lines:
            click.echo(line)
        return
    listed = list(lines)
    columns, rows = shutil.get_terminal_size()
    if sum(_count_rows(line, columns) for line in listed) < rows:
        click.echo("\n".join(listed))
        return
    os.environ.setdefault("LESS", LESS_OPTIONS)
    click.echo_via_pager(f"{line}\n" for line in listed)


def _count_rows(text: str, columns: int) -> int:
    """Return how many rows of the screen a text takes."""
    return sum(1 + max(0, display_width(line) - 1) // columns for line in click.unstyle(text).split("\n"))


def iso_time(at: float | None) -> str | None:
    """Return epoch seconds for programs, as `2026-01-31T09:00:00Z`."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def json_times(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record for programs, with its times as text."""
    return {name: iso_time(value) if name == "at" or name.endswith("_at") else value for name, value in fields.items()}


def relative_time(at: float, now: float) -> Message:
    """Return how long ago a time is, or how far ahead, in its largest unit."""
    seconds = abs(now - at)
    if seconds < MINUTE:
        return message("cli.just_now" if at <= now else "cli.in_a_moment")
    unit, size = ("minute", MINUTE) if seconds < HOUR else ("hour", HOUR) if seconds < DAY else ("day", DAY)
    return one_of("cli.ago" if at <= now else "cli.ahead", unit, number=int(seconds // size))


def format_time(at: float, now: float, reader: Reader) -> str:
    """Return a time to the minute, in the reader's zone, with how long ago it is."""
    shown = f"{datetime.fromtimestamp(at, reader.zone):%Y-%m-%d %H:%M %Z}"
    return f"{shown} ({relative_time(at, now).text(reader.language)})"


@contextmanager
def reserve_private_file(file: Path, size: int) -> Iterator[Callable[[bytes], None]]:
    """Create a new private file of `size` bytes, and give a function that writes its content.

    The space is there before the content is taken from where it can be read only once. An error deletes the file.

    Raises:
        SaasusMcpError: the file exists already, or cannot be written.
    """
    write_private_file(file, bytes(size))

    def write(content: bytes) -> None:
        with file.open("r+b") as handle:
            handle.write(content)
            handle.truncate()
            handle.flush()
            os.fsync(handle.fileno())

    try:
        yield write
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def write_private_file(file: Path, content: str | bytes) -> None:
    """Write a new file that only its owner can read. Raise SaasusMcpError if the file exists already, or cannot be written."""
    try:
        create_private_file(file, content.encode() if isinstance(content, str) else content)
    except FileExistsError:
        raise file_exists(file) from None
    except OSError as error:
        file.unlink(missing_ok=True)
        reason = os_reason(error)
        raise SaasusMcpError(message("cli.file_unwritable", file=str(file), reason=reason)) from None


def file_exists(file: Path) -> SaasusMcpError:
    return SaasusMcpError.of("cli.file_exists", file=str(file))
