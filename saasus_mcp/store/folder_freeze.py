"""The freeze of every store in a folder, those made later included: one file beside them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from saasus_mcp.store.records import Freeze
from saasus_mcp.store.state_files import StoreError, read_state_file, write_state_file

FREEZE_FILE = "frozen.json"
UNREADABLE_FREEZE = Freeze(0.0, "an unknown person", f"{FREEZE_FILE} in the state folder cannot be read")


def read_folder_freeze(folder: Path) -> Freeze | None:
    """The freeze of a folder, if any: of every profile, whatever the file says. One that cannot be read counts, too."""
    try:
        return replace(Freeze(**json.loads(read_state_file(folder / FREEZE_FILE))), profile="")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        return UNREADABLE_FREEZE


def set_folder_freeze(folder: Path, wanted: Freeze | None) -> None:
    """Hold every write of the folder's stores back, or with None let them go again.

    Raises:
        StoreError: the folder cannot be written.
    """
    file = folder / FREEZE_FILE
    try:
        if wanted is None:
            file.unlink(missing_ok=True)
        else:
            write_state_file(file, json.dumps(asdict(wanted)))
    except OSError as error:
        raise StoreError(f"The state folder cannot be used: {error}.", "Set SAASUS_MCP_STATE_DIR.") from None
