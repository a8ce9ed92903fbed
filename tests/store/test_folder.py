"""The folder of the store: who can read it, what its files are named, and what makes it unusable."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from saasus_mcp.common import private_files
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.state_files import MAX_CREATION_SECONDS, create_database_file
from tests.support.approvals import NOW
from tests.support.saas_store import open_saas_store

WRITE_AHEAD = b"\x02\x02"
"""The versions for writing and reading in the head of a database with a write-ahead log (sqlite.org/fileformat2.html, 1.3.3)."""
RECORD = {"operation": "auth.DeleteTenant"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps others out by other means")
def test_only_the_owner_can_read_what_is_kept(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = tmp_path / "deep" / "state"
        store = open_saas_store(folder, "saas")
        store.commit("c-1", RECORD, NOW)
        files = list(folder.iterdir())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        store.close()
    finally:
        os.umask(before)


@pytest.mark.parametrize("saas_id", ["../escape", "a/b", "..", "CON", "con", "x" * 500, "株式会社", "a:b*c?", "", "."])
def test_any_saas_id_has_a_file_of_its_own_inside_the_folder(tmp_path: Path, saas_id: str) -> None:
    for one in (saas_id, saas_id + "2"):
        open_saas_store(tmp_path / "state", one).close()
    files = [file.name for file in (tmp_path / "state").iterdir() if file.suffix == ".sqlite3"]
    assert len(files) == 2
    assert all(len(name) < 100 and name.isascii() for name in files)
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def no_links(*_: object) -> None:
    raise PermissionError(errno.EPERM, "no links here")


def test_a_new_database_has_its_log_before_anybody_can_open_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link, heads = os.link, []

    def linked(source: Path, file: Path) -> None:
        heads.append((source.read_bytes()[18:20], file.exists()))
        link(source, file)

    monkeypatch.setattr(os, "link", linked)
    file = create_database_file(tmp_path / "state", "new.sqlite3")
    assert heads == [(WRITE_AHEAD, False)]
    assert list(file.parent.iterdir()) == [file]


def test_a_database_that_another_program_made_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link, made = os.link, []

    def linked(source: Path, file: Path) -> None:
        private_files.create_private_file(file, source.read_bytes())
        made.append(file.stat())
        link(source, file)

    monkeypatch.setattr(os, "link", linked)
    open_saas_store(tmp_path / "state", "saas").close()
    [file] = (tmp_path / "state").iterdir()
    assert [each.st_ino for each in made] == [file.stat().st_ino]


def test_a_file_system_without_links_has_databases_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", no_links)
    open_saas_store(tmp_path / "state", "saas").close()
    assert len(list((tmp_path / "state").iterdir())) == 1


class Killed(BaseException):
    """Ends a process where it is: it removes nothing."""


def killed(*_: object) -> None:
    raise Killed


def left_by(kill_at: str, folder: Path) -> Path:
    """Return the database of a process that ended while it created it."""
    unlink, link = Path.unlink, os.link
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", lambda file, **given: killed() if file.name[0] == "." else unlink(file, **given))
        patch.setattr(os, "link", link if kill_at == "after the link" else killed)
        with pytest.raises(Killed):
            create_database_file(folder, "new.sqlite3")
    return folder / "new.sqlite3"


def test_a_process_that_was_killed_between_its_link_and_its_end_locks_nobody_out(tmp_path: Path) -> None:
    file = left_by("after the link", tmp_path / "state")
    assert file.stat().st_nlink == 2
    create_database_file(file.parent, file.name)
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes()[18:20] == WRITE_AHEAD


def test_a_database_that_gets_its_name_while_another_process_looks_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = left_by("after the link", tmp_path / "state")
    [temporary] = [each for each in made.parent.iterdir() if each != made]
    made.unlink()
    check = private_files.require_private_file

    def linked_meanwhile(path: Path) -> None:
        if path == made and not made.exists():
            os.link(temporary, made)
        check(path)

    monkeypatch.setattr(private_files, "require_private_file", linked_meanwhile)
    create_database_file(made.parent, made.name)
    assert list(made.parent.iterdir()) == [made]


def test_any_other_second_name_of_a_database_is_refused(tmp_path: Path) -> None:
    file = create_database_file(tmp_path / "state", "new.sqlite3")
    for name in ("copy", ".other.sqlite3.01234567"):
        other = file.with_name(name)
        os.link(file, other)
        with pytest.raises(StoreError):
            create_database_file(file.parent, file.name)
        other.unlink()


def test_only_old_temporary_files_are_removed(tmp_path: Path) -> None:
    file = left_by("before the link", tmp_path / "state")
    [old] = file.parent.iterdir()
    past = old.stat().st_mtime - MAX_CREATION_SECONDS - 1
    os.utime(old, (past, past))
    new, foreign = file.with_name(".new.sqlite3.89abcdef"), file.with_name(".new.sqlite3.mine")
    for each in (new, foreign):
        each.touch()
    os.utime(foreign, (past, past))
    create_database_file(file.parent, file.name)
    assert {*file.parent.iterdir()} == {file, new, foreign}


def test_no_thread_opens_a_new_file_while_another_creates_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = private_files.create_private_file
    second = threading.Thread(target=create_database_file, args=(tmp_path / "state", "new.sqlite3"))
    waits: list[bool] = []

    def create_slowly(path: Path, content: bytes) -> None:
        create(path, content)
        if path.name != "new.sqlite3" or second.ident is not None:
            return
        second.start()
        second.join(0.2)
        waits.append(second.is_alive())

    with monkeypatch.context() as patch:
        patch.setattr(private_files, "create_private_file", create_slowly)
        patch.setattr(os, "link", no_links)
        create_database_file(tmp_path / "state", "new.sqlite3")
        second.join()
    assert waits == [True], "closing the file would drop the locks of a database that the second thread has opened"


def unusable(tmp_path: Path, how: str) -> Path:
    folder = tmp_path / "state"
    if how == "a file in its place":
        folder.write_text("not a folder")
    elif how == "a file above it":
        folder = folder / "below"
        folder.parent.write_text("not a folder")
    elif how == "a folder in the file's place":
        open_saas_store(folder, "saas").close()
        [file] = folder.glob("*.sqlite3")
        file.unlink()
        file.mkdir()
    else:
        open_saas_store(folder, "saas").close()
        [file] = folder.glob("*.sqlite3")
        file.write_bytes(b"this is no database, whatever it is called " * 100)
    return folder


@pytest.mark.parametrize(
    "how", ["a file in its place", "a file above it", "a folder in the file's place", "garbage in the file"]
)
def test_an_unusable_folder_is_an_error_with_a_hint(tmp_path: Path, how: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_saas_store(unusable(tmp_path, how), "saas")
    assert caught.value.hint
