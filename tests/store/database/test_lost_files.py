"""A file that is removed or replaced while it is open: nothing is read from it or written to it any more, and no new one appears."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from saasus_mcp.store.database.sqlite import create_file_engine
from saasus_mcp.store.errors import StoreGone
from saasus_mcp.store.records import Freeze
from saasus_mcp.store.store import Store
from tests.support.databases import KEY
from tests.support.saas_store import open_saas_store


def remove_file(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def remove_folder(folder: Path) -> None:
    remove_file(folder)
    folder.rmdir()


def replace_file(folder: Path) -> None:
    [file] = folder.glob("*.sqlite3")
    file.rename(folder / "moved")
    open_saas_store(folder, "saas", (KEY,)).close()


USES: dict[str, Callable[[Store], object]] = {
    "a transaction": lambda store: store.freeze(Freeze(time.time(), "local:me", "")),
    "a record alone": lambda store: store.commit("call", {}, time.time()),
    "a read": lambda store: store.list_approvals(time.time()),
    "the probe of readiness": lambda store: store.check_writable(),
}


@pytest.mark.parametrize("lose", [remove_file, remove_folder, replace_file])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_lost_file_is_not_used(tmp_path: Path, lose: Callable[[Path], None], use: Callable[[Store], object]) -> None:
    folder = tmp_path / "state"
    with closing(open_saas_store(folder, "saas", (KEY,))) as store:
        store.commit("earlier", {}, time.time())
        lose(folder)
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(StoreGone) as caught:
            use(store)
        assert sorted(tmp_path.rglob("*")) == before
    assert caught.value.message.id == "store.gone"


def test_a_file_that_is_missing_when_it_is_opened_is_not_created(tmp_path: Path) -> None:
    engine = create_file_engine(tmp_path / "other.sqlite3")
    with pytest.raises(StoreGone):
        engine.connect()
    assert not list(tmp_path.iterdir())
