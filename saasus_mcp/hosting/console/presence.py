"""A file in the state folder that tells the servers on this machine that a console is running."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from pathlib import Path

import anyio

from saasus_mcp.store.state_files import read_state_file, write_state_file

PRESENCE_FILE = "console.json"
WRITE_SECONDS, FRESH_SECONDS = 5.0, 15.0
"""How often the file is written, and how long it is valid: a console that was killed leaves the file behind."""
URL_PATTERN = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}/console")


async def advertise_console(folder: Path, url: str) -> None:
    """Write the console's URL to the file until canceled."""
    try:
        while True:
            with suppress(OSError):  # a full disk must not end the console
                write_state_file(folder / PRESENCE_FILE, json.dumps({"url": url, "at": time.time()}))
            await anyio.sleep(WRITE_SECONDS)
    finally:
        with suppress(OSError):
            (folder / PRESENCE_FILE).unlink(missing_ok=True)


def find_console(folder: Path, now: float) -> str:
    """Return the URL of the running console, or an empty string."""
    try:
        content = json.loads(read_state_file(folder / PRESENCE_FILE))
        url, age = str(content["url"]), now - float(content["at"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    return url if URL_PATTERN.fullmatch(url) and 0 <= age < FRESH_SECONDS else ""
