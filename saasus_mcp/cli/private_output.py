"""Files that commands write for their user only, without overwriting any."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.private_files import create_private_file
from saasus_mcp.common.system_reasons import os_reason


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
    """Write a new file that only its owner can read.

    Raises:
        SaasusMcpError: the file exists already, or cannot be written.
    """
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
