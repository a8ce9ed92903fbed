"""Files that only their owner can read, and that overwrite nothing."""

from __future__ import annotations

import os
from pathlib import Path

from saasus_mcp.catalog import Language
from saasus_mcp.cli.job_wording import WORDS
from saasus_mcp.errors import SaasusMcpError


def write_private(file: Path, content: str | bytes, lang: Language) -> None:
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
    with os.fdopen(made, "wb") as handle:
        handle.write(content.encode() if isinstance(content, str) else content)
