"""Files that must be this user's own: what others could have put there, change or read is refused, with the command that fixes it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from saasus_mcp.common import private_files
from saasus_mcp.common.private_files import UnsafeFile

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes, links and owners are not the same elsewhere")

Make = Callable[[Path], object]


def link(place: Path) -> None:
    target = place.with_name("target")
    target.write_bytes(b"x")
    target.chmod(0o600)
    place.symlink_to(target)


def hard_link(place: Path) -> None:
    target = place.with_name("target")
    target.write_bytes(b"x")
    target.chmod(0o600)
    place.hardlink_to(target)


def bound_socket(place: Path) -> None:
    here = Path.cwd()
    os.chdir(place.parent)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(place.name)
    os.chdir(here)


def of_mode(mode: int) -> Make:
    def make(place: Path) -> None:
        place.write_bytes(b"x")
        place.chmod(mode)

    return make


def large(place: Path) -> None:
    place.write_bytes(b"x" * 11)
    place.chmod(0o600)


UNSAFE: dict[str, tuple[Make, str]] = {
    "a link": (link, "link"),
    "a link that leads nowhere": (lambda place: place.symlink_to("nowhere"), "link"),
    "a link to itself": (lambda place: place.symlink_to(place), "link"),
    "a hard link": (hard_link, "hard_link"),
    "a folder": (Path.mkdir, "no_file"),
    "a named pipe": (lambda place: os.mkfifo(place, 0o600), "no_file"),
    "a socket": (bound_socket, "no_file"),
    "writable by everybody": (of_mode(0o602), "writable"),
    "writable by a group": (of_mode(0o620), "writable"),
    "readable by everybody": (of_mode(0o604), "readable"),
    "readable by a group": (of_mode(0o640), "readable"),
    "too large": (large, "large"),
}


@pytest.mark.parametrize("kind", UNSAFE)
def test_a_secret_file_that_others_have_a_hand_in_is_not_read(kind: str, tmp_path: Path) -> None:
    make, flaw = UNSAFE[kind]
    place = tmp_path / "secret"
    make(place)
    with pytest.raises(UnsafeFile) as caught:
        private_files.read_private_file(place, 10, secret=True)
    assert caught.value.flaw == flaw
    assert caught.value.message.params["path"] == str(place)
    assert caught.value.hint


@pytest.mark.parametrize("kind", [kind for kind in UNSAFE if kind != "too large" and "readable" not in kind])
def test_a_database_that_others_have_a_hand_in_is_refused_without_being_opened(kind: str, tmp_path: Path) -> None:
    make, flaw = UNSAFE[kind]
    place = tmp_path / "database"
    make(place)
    with pytest.raises(UnsafeFile) as caught:
        private_files.require_private_file(place)
    assert caught.value.flaw == flaw


def test_a_private_file_is_read(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "folder" / "file"
    private_files.ensure_private_folder(place.parent)
    private_files.create_private_file(place, b"content")
    assert private_files.read_private_file(place, 7, secret=True) == b"content"
    private_files.require_private_file(place)
    private_files.require_private_file(tmp_path / "absent")
    private_files.replace_file(place, b"other")
    assert private_files.read_private_file(place, 7, secret=True) == b"other"
    made = (place, place.parent, place.parent.parent)
    assert [path.stat().st_mode & 0o777 for path in made] == [0o600, 0o700, 0o700]


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o702])
def test_a_folder_that_others_can_write_to_is_refused_with_the_command_that_closes_it(
    tmp_path: Path, mode: int
) -> None:
    place = tmp_path / "state of mine"
    place.mkdir()
    place.chmod(mode)
    with pytest.raises(UnsafeFile) as caught:
        private_files.ensure_private_folder(place)
    assert str(caught.value.hint) == f"Run: chmod 700 '{place}'"
    place.chmod(0o700)
    private_files.ensure_private_folder(place)


@pytest.mark.parametrize("make", [link, lambda place: place.symlink_to("nowhere"), of_mode(0o600)])
def test_an_invalid_folder_is_refused(make: Make, tmp_path: Path) -> None:
    place = tmp_path / "state"
    make(place)
    with pytest.raises(UnsafeFile):
        private_files.ensure_private_folder(place)


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private_files.create_private_file(tmp_path / "file", b"")
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    owner = (tmp_path / "file").stat().st_uid
    if owner == 0:  # root's files are trusted: root can do everything anyway
        private_files.read_private_file(tmp_path / "file", 10)
        os.chown(tmp_path / "file", 1234, 1234)
    with pytest.raises(UnsafeFile, match="belongs to another user"):
        private_files.read_private_file(tmp_path / "file", 10)


@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give a folder to root")
@pytest.mark.parametrize(("group", "accepted"), [(5678, True), (8765, False)])
def test_a_volume_of_roots_is_shared_with_the_group_of_this_process_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int, accepted: bool
) -> None:
    """As Kubernetes (fsGroup) and OpenShift mount them: the folder is root's, and everything in it the group's."""
    place = tmp_path / "state"
    place.mkdir()
    private_files.create_private_file(place / "key", b"key")
    os.chown(place, 0, group)
    os.chown(place / "key", 4321, group)
    place.chmod(0o2770)
    (place / "key").chmod(0o660)
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    monkeypatch.setattr(os, "getgroups", lambda: [5678])
    if accepted:
        private_files.ensure_private_folder(place)
        assert private_files.read_private_file(place / "key", 10, secret=True) == b"key"
        return
    with pytest.raises(UnsafeFile):
        private_files.ensure_private_folder(place)


def test_a_file_that_is_exchanged_for_a_link_while_it_is_looked_at_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, planted = tmp_path / "key", tmp_path / "planted"
    private_files.create_private_file(place, b"ours")
    private_files.create_private_file(planted, b"theirs")
    before = os.open

    def exchanged(path: Path, *rest: int) -> int:
        if path == place:
            place.unlink()
            place.symlink_to(planted)
        return before(path, *rest)

    monkeypatch.setattr(os, "open", exchanged)
    with pytest.raises(UnsafeFile) as caught:
        private_files.read_private_file(place, 10)
    assert caught.value.flaw == "link"


@pytest.mark.parametrize("kind", ["a folder", "a named pipe", "a socket", "a link"])
def test_nothing_but_a_regular_file_is_replaced(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    UNSAFE[kind][0](place)
    before = place.lstat().st_mode
    with pytest.raises(UnsafeFile):
        private_files.replace_file(place, b"new")
    assert place.lstat().st_mode == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_file_that_a_person_placed_may_be_a_link_and_must_be_closed_to_everybody(tmp_path: Path) -> None:
    """Kubernetes mounts configuration and secrets as links; a mounted file may be readable by all."""
    link(tmp_path / "config")
    (tmp_path / "target").chmod(0o644)
    assert private_files.read_provided_file(tmp_path / "config", 10) == b"x"
    (tmp_path / "target").chmod(0o646)
    with pytest.raises(UnsafeFile) as caught:
        private_files.read_provided_file(tmp_path / "config", 10)
    assert str(caught.value.hint).startswith("Run: chmod 644 ")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsafeFile):
        private_files.read_provided_file(tmp_path / "pipe", 10)


@pytest.mark.parametrize("flaw", get_args(private_files.FileFlaw))
def test_every_flaw_is_explained_in_both_languages(flaw: private_files.FileFlaw) -> None:
    error = UnsafeFile(Path("/a b"), flaw)
    assert error.message.id == f"files.unsafe.{flaw}"
    assert "/a b" in error.message.text("ja")
    assert not str(error.hint and error.hint.text("ja")).isascii()
    assert error.text("ja") != error.text("en")
