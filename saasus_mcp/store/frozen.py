"""The freeze of every store in a folder, those made later included: one file beside them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from saasus_mcp.store.files import StoreError, read, write
from saasus_mcp.store.records import Freeze

FILE = "frozen.json"
UNREADABLE = Freeze(0.0, "an unknown person", f"{FILE} in the state folder cannot be read")


def present(folder: Path) -> Freeze | None:
    """The freeze of a folder, if any: of every profile, whatever the file says. One that cannot be read counts, too."""
    try:
        return replace(Freeze(**json.loads(read(folder / FILE))), profile="")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        return UNREADABLE


def freeze(folder: Path, wanted: Freeze | None) -> None:
    """Hold every write of the folder's stores back, or with None let them go again.

    Raises:
        StoreError: the folder cannot be written.
    """
    file = folder / FILE
    try:
        if wanted is None:
            file.unlink(missing_ok=True)
        else:
            write(file, json.dumps(asdict(wanted)))
    except OSError as error:
        raise StoreError(f"The state folder cannot be used: {error}.", "Set SAASUS_MCP_STATE_DIR.") from None
