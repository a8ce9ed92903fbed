"""Files that only their owner can read, and that overwrite nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from saasus_mcp.cli.job_wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language


@contextmanager
def reserve_private_file(file: Path, size: int, lang: Language) -> Iterator[Callable[[bytes], None]]:
    """A new file that only its owner can read, with room for so many bytes: what must not be lost can then be written.

    Raises:
        SaasusMcpError: it is there already, or cannot be written.
    """
    write_private_file(file, bytes(size), lang)

    def fill(content: bytes) -> None:
        with file.open("r+b") as handle:
            handle.write(content)
            handle.truncate()
            handle.flush()
            os.fsync(handle.fileno())

    try:
        yield fill
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def write_private_file(file: Path, content: str | bytes, lang: Language) -> None:
    """Write a new file that only its owner can read.

    Raises:
        SaasusMcpError: it is there already, or cannot be written.
    """
    words = WORDS[lang]
    try:
        made = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise SaasusMcpError(words["taken"].format(file=file), words["taken_mend"]) from None
    except OSError as error:
        raise SaasusMcpError(words["cannot_write"].format(file=file, why=error.strerror)) from None
    try:
        with os.fdopen(made, "wb") as handle:
            handle.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise SaasusMcpError(words["cannot_write"].format(file=file, why=error.strerror)) from None
