"""How the servers of a laptop know that a console runs: a note in the state folder, written anew while it does."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from pathlib import Path

import anyio

from saasus_mcp.store.files import read, write

FILE = "console.json"
EVERY, FRESH = 5.0, 15.0
"""Seconds from one note to the next, and for which one holds: of a console that was killed nothing else is left."""
URL = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}/console")


async def shine(folder: Path, url: str) -> None:
    """Note where the console is, until cancelled."""
    try:
        while True:
            with suppress(OSError):  # a full disk must not end the console
                write(folder / FILE, json.dumps({"url": url, "at": time.time()}))
            await anyio.sleep(EVERY)
    finally:
        with suppress(OSError):
            (folder / FILE).unlink(missing_ok=True)


def find(folder: Path, now: float) -> str:
    """Where the console is; empty where none runs."""
    try:
        note = json.loads(read(folder / FILE))
        url, age = str(note["url"]), now - float(note["at"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    return url if URL.fullmatch(url) and 0 <= age < FRESH else ""
