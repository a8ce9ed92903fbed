"""The stores in a folder of this machine, a file for each SaaS, and their freeze. The first opened store imports the database library."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from saasus_mcp.common.messages import message
from saasus_mcp.store.audit.hash_chain import MacKeys
from saasus_mcp.store.audit.key_check import require_key_of_file
from saasus_mcp.store.state_files import (
    create_database_file,
    list_store_files,
    prepare_store_file,
    read_state_file,
    unusable_folder,
    write_state_file,
)

if TYPE_CHECKING:
    from saasus_mcp.store.records import Freeze
    from saasus_mcp.store.store import Store
    from saasus_mcp.store.tokens import TokenStore

FREEZE_FILE = "frozen.json"
DECISIONS_FILE = "decisions.db"


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


class FolderStores:
    """See `Stores`. `keys`: returns the keys of the audit log when the first store is opened."""

    shared = False

    def __init__(self, folder: Path, keys: Callable[[], MacKeys]) -> None:
        self._folder = folder
        self._keys = keys

    @property
    def names(self) -> list[str]:
        return [file.name for file in list_store_files(self._folder)]

    @property
    def audited_names(self) -> list[str]:
        return [*self.names, *([DECISIONS_FILE] if (self._folder / DECISIONS_FILE).is_file() else [])]

    def open(self, name: str) -> Store:
        from saasus_mcp.store.store import Store  # noqa: PLC0415 - imports the database library

        return Store.open_file(self._folder / name, self._keys())

    def open_saas(self, saas_id: str) -> Store:
        return self.open(prepare_store_file(self._folder, saas_id).name)

    def open_decisions(self) -> Store:
        return self.open(create_database_file(self._folder, DECISIONS_FILE).name)

    def require_key(self, saas_id: str) -> None:
        if not require_key_of_file(prepare_store_file(self._folder, saas_id), self._keys()):
            for name in self.audited_names:
                require_key_of_file(self._folder / name, self._keys())

    def open_tokens(self) -> TokenStore:
        from saasus_mcp.store.tokens import TokenStore  # noqa: PLC0415 - as above

        return TokenStore.open(self._folder)

    def set_freeze(self, freeze: Freeze | None) -> None:
        file = self._folder / FREEZE_FILE
        try:
            if freeze is None:
                file.unlink(missing_ok=True)
            else:
                write_state_file(file, json.dumps(asdict(freeze)))
        except OSError as error:
            raise unusable_folder(error) from None

    def close(self) -> None: ...
