"""The stores in a folder of this machine, a file for each SaaS. Imports the database library with the first that is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from saasus_mcp.store import frozen
from saasus_mcp.store.chain import Keys
from saasus_mcp.store.files import existing, make, prepare
from saasus_mcp.store.key_check import check_file
from saasus_mcp.store.records import Freeze

if TYPE_CHECKING:
    from saasus_mcp.store.accounts import Accounts
    from saasus_mcp.store.store import Store


DECISIONS = "decisions.db"


class Folder:
    """See `Stores`.

    Args:
        keys: of the audit, asked for with the first store.
    """

    shared = False

    def __init__(self, folder: Path, keys: Callable[[], Keys]) -> None:
        self._folder = folder
        self._keys = keys

    @property
    def names(self) -> list[str]:
        return [file.name for file in existing(self._folder)]

    @property
    def audits(self) -> list[str]:
        return [*self.names, *([DECISIONS] if (self._folder / DECISIONS).is_file() else [])]

    def open(self, name: str) -> Store:
        from saasus_mcp.store.store import Store  # noqa: PLC0415 - imports the database library

        return Store.open(self._folder / name, self._keys())

    def of(self, saas_id: str) -> Store:
        return self.open(prepare(self._folder, saas_id).name)

    def decisions(self) -> Store:
        return self.open(make(self._folder, DECISIONS).name)

    def require_key(self, saas_id: str) -> None:
        if not check_file(prepare(self._folder, saas_id), self._keys()):
            for name in self.audits:
                check_file(self._folder / name, self._keys())

    def accounts(self) -> Accounts:
        from saasus_mcp.store.accounts import Accounts  # noqa: PLC0415 - as above

        return Accounts.at(self._folder)

    def freeze(self, freeze: Freeze | None) -> None:
        frozen.freeze(self._folder, freeze)

    def close(self) -> None: ...
