"""The freeze of every store in a folder, later stores included: a file beside them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from saasus_mcp.common.messages import message
from saasus_mcp.store.state_files import read_state_file, unusable_folder, write_state_file

if TYPE_CHECKING:
    from saasus_mcp.store.records import Freeze

FREEZE_FILE = "frozen.json"


def read_folder_freeze(folder: Path) -> Freeze | None:
    """Return the freeze of a folder, of every profile. A file that cannot be read counts as a freeze."""
    from saasus_mcp.store.records import Freeze  # noqa: PLC0415 - a server checks its state folder before it answers

    try:
        return replace(Freeze(**json.loads(read_state_file(folder / FREEZE_FILE))), profile="")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        by, reason = message("store.freezer_unknown"), message("store.freeze_unreadable", file=FREEZE_FILE)
        return Freeze(0.0, str(by), str(reason))


def set_folder_freeze(folder: Path, wanted: Freeze | None) -> None:
    """Freeze every write of the folder's stores, or lift the freeze with None.

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
        raise unusable_folder(error) from None
