"""Files and folders that nobody else may have a hand in: checked without following links, and read up to a limit.

A file is opened first and checked by its descriptor, so that it cannot be exchanged in between. Modes and owners are checked
on POSIX systems only; Windows protects the user's own folders by access control lists, which this does not read.
"""

from __future__ import annotations

import errno
import os
import secrets
import shlex
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from saasus_mcp.common.errors import SaasusMcpError

POSIX = os.name == "posix"
GROUP, OTHERS = stat.S_IRWXG, stat.S_IRWXO
WRITE, READ = stat.S_IWGRP | stat.S_IWOTH, stat.S_IRGRP | stat.S_IROTH
FOLDER_MODE, FILE_MODE = 0o700, 0o600
_CAREFUL = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Opening a named pipe must not wait for its other end."""
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_LINK_ERRORS = {errno.ELOOP, errno.EMLINK}

FileFlaw = Literal["link", "hard_link", "no_folder", "no_file", "owner", "writable", "readable", "large"]
Language = Literal["en", "ja"]
WORDS: Mapping[Language, Mapping[FileFlaw, tuple[str, str]]] = {
    "en": {
        "link": (
            "{path} is a symbolic link, which is not allowed here.",
            "Use the place it points to instead (SAASUS_MCP_STATE_DIR), or remove the link: rm {quoted}",
        ),
        "hard_link": (
            "{path} has a second name (a hard link), through which others may change it.",
            "Make it a separate file: cp -p {quoted} {quoted}.new && mv {quoted}.new {quoted}",
        ),
        "no_folder": ("{path} is not a folder.", "Move it elsewhere, or set SAASUS_MCP_STATE_DIR to another folder."),
        "no_file": ("{path} is not a regular file.", "Move it elsewhere: mv {quoted} {quoted}.old"),
        "owner": (
            "{path} belongs to another user (uid {owner}), who can change it.",
            "Run: sudo chown {user} {quoted}",
        ),
        "writable": ("Other users of this computer can write to {path}.", "Run: chmod {mode} {quoted}"),
        "readable": ("Other users of this computer can read {path}.", "Run: chmod {mode} {quoted}"),
        "large": ("{path} is larger than {most} bytes.", "It is not the expected file. Move it elsewhere."),
    },
    "ja": {
        "link": (
            "{path} はシンボリックリンクです。ここではリンクをたどりません。",
            "リンク先の場所を直接指定する(SAASUS_MCP_STATE_DIR)か、リンクを削除してください: rm {quoted}",
        ),
        "hard_link": (
            "{path} には別の名前(ハードリンク)があり、そこから変更されるおそれがあります。",
            "独立したファイルにしてください: cp -p {quoted} {quoted}.new && mv {quoted}.new {quoted}",
        ),
        "no_folder": (
            "{path} はフォルダーではありません。",
            "移動するか、SAASUS_MCP_STATE_DIR に別のフォルダーを指定してください。",
        ),
        "no_file": ("{path} は通常のファイルではありません。", "移動してください: mv {quoted} {quoted}.old"),
        "owner": (
            "{path} の所有者は別のユーザー(uid {owner})で、内容を変更できる状態です。",
            "次を実行してください: sudo chown {user} {quoted}",
        ),
        "writable": (
            "このコンピューターの他のユーザーが {path} に書き込める状態です。",
            "次を実行してください: chmod {mode} {quoted}",
        ),
        "readable": (
            "このコンピューターの他のユーザーが {path} を読める状態です。",
            "次を実行してください: chmod {mode} {quoted}",
        ),
        "large": (
            "{path} が{most}バイトを超えています。",
            "本来の内容ではありません。ファイルを移動してください。",
        ),
    },
}


class UnsafeFile(SaasusMcpError):
    """Others could have put this file there, or could change or read it. It is not used."""

    def __init__(self, path: Path, flaw: FileFlaw, *, owner: int = 0, mode: int = FILE_MODE, most: int = 0) -> None:
        self._given = {
            "path": str(path),
            "quoted": shlex.quote(str(path)),
            "owner": owner,
            "user": _user(),
            "mode": f"{mode:o}",
            "most": most,
        }
        self.flaw = flaw
        super().__init__(*self.words("en"))

    def words(self, lang: Language) -> tuple[str, str]:
        """The message and the fix in a language."""
        message, mend = WORDS[lang][self.flaw]
        return message.format(**self._given), mend.format(**self._given)


def ensure_private_folder(path: Path) -> None:
    """Make a folder that only its owner can enter, and those above it, where missing; check the one that is there.

    Raises:
        UnsafeFile: it is a link, no folder, or others can write to it.
        OSError: it cannot be made.
    """
    missing = [path]
    while not os.path.lexists(missing[-1].parent):
        missing.append(missing[-1].parent)
    for each in reversed(missing):
        with suppress(FileExistsError):
            each.mkdir(mode=FOLDER_MODE)
    require_private_folder(path)


def require_private_folder(path: Path) -> None:
    """See that a folder is ours alone to change.

    Raises:
        UnsafeFile: it is a link, no folder, or others can write to it.
        OSError: it cannot be seen.
    """
    found = path.lstat()
    if _is_link(path, found):
        raise UnsafeFile(path, "link")
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeFile(path, "no_folder")
    _require_ours(path, found, _foreign(found), FOLDER_MODE)


def require_private_file(path: Path) -> None:
    """See that a file is ours alone to change, without opening it; nothing where there is none.

    For files of a database: closing one would drop the locks that the database library holds on it.

    Raises:
        UnsafeFile: it is a link, no regular file, or others can write to it.
        OSError: it cannot be seen.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if _is_link(path, found):
        raise UnsafeFile(path, "link")
    _require_private(path, found)


def read_private_file(path: Path, most: int, *, secret: bool = False) -> bytes:
    """What a private file holds.

    Args:
        most: bytes that it may have.
        secret: whether others must not be able to read it either.

    Raises:
        UnsafeFile: it is a link, no regular file, others can write to it, or it is too large.
        OSError: it cannot be read.
    """
    found = path.lstat()
    if _is_link(path, found):
        raise UnsafeFile(path, "link")
    if not stat.S_ISREG(found.st_mode):  # even opening a device may have an effect
        raise UnsafeFile(path, "no_file")
    try:
        descriptor = os.open(path, os.O_RDONLY | _CAREFUL | _NO_LINK)
    except OSError as error:
        if error.errno in _LINK_ERRORS:
            raise UnsafeFile(path, "link") from None
        raise
    with os.fdopen(descriptor, "rb") as opened:
        now = os.fstat(descriptor)
        _require_private(path, now)
        if secret and POSIX and now.st_mode & _foreign(path.parent.lstat()) & READ:
            raise UnsafeFile(path, "readable")
        return _bounded(path, opened.read(most + 1), most)


def read_provided_file(path: Path, most: int) -> bytes:
    """What a file holds that a person or an administrator placed: a configuration file, a policy, a secret.

    A link is followed, as Kubernetes mounts such files by links, and the owner may be anybody: a mounted file often
    belongs to a user of the host. What everybody can write to is refused.

    Raises:
        UnsafeFile: it is no regular file, everybody can write to it, or it is too large.
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnsafeFile(path, "no_file")
    descriptor = os.open(path, os.O_RDONLY | _CAREFUL)
    with os.fdopen(descriptor, "rb") as opened:
        now = os.fstat(descriptor)
        if not stat.S_ISREG(now.st_mode):
            raise UnsafeFile(path, "no_file")
        if POSIX and now.st_mode & stat.S_IWOTH and not os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
            raise UnsafeFile(path, "writable", mode=stat.S_IMODE(now.st_mode) & ~stat.S_IWOTH)
        return _bounded(path, opened.read(most + 1), most)


def create_private_file(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read.

    Raises:
        FileExistsError: there is something of this name, be it a link that leads nowhere.
        OSError: it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFUL | _NO_LINK, FILE_MODE)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(descriptor)


def replace_file(path: Path, content: bytes, *, mode: int = FILE_MODE, owner: tuple[int, int] | None = None) -> None:
    """Write a whole file beside its place and move it there: a reader sees the old or the new one, never half of it.

    Args:
        mode: of the file.
        owner: its user and group; by default those of this process.

    Raises:
        UnsafeFile: in its place is something that is no regular file.
        OSError: it cannot be written.
    """
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise UnsafeFile(path, "link" if path.is_symlink() else "no_file")
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        create_private_file(beside, content)
        if owner is not None and POSIX and owner != (os.geteuid(), os.getegid()):
            os.chown(beside, *owner)
        if mode != FILE_MODE:
            beside.chmod(mode)
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _is_link(path: Path, found: os.stat_result) -> bool:
    """Whether it is a symbolic link or, on Windows, a junction."""
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return path.is_symlink() or (junction is not None and getattr(found, "st_reparse_tag", 0) == junction)


def _foreign(holder: os.stat_result) -> int:
    """The permissions that others have. Where root made the folder for a group of this process, as Kubernetes (fsGroup) and
    OpenShift do with volumes, that group is not others.
    """
    if POSIX and holder.st_uid == 0 != os.geteuid() and holder.st_gid in {os.getegid(), *os.getgroups()}:
        return OTHERS
    return GROUP | OTHERS


def _require_private(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeFile(path, "no_file")
    _require_ours(path, found, _foreign(path.parent.lstat()), FILE_MODE)
    if found.st_nlink > 1:
        raise UnsafeFile(path, "hard_link")


def _require_ours(path: Path, found: os.stat_result, foreign: int, mode: int) -> None:
    if not POSIX:
        return
    if found.st_uid not in (os.geteuid(), 0):
        raise UnsafeFile(path, "owner", owner=found.st_uid)
    if found.st_mode & foreign & WRITE:
        raise UnsafeFile(path, "writable", mode=mode)


def _bounded(path: Path, content: bytes, most: int) -> bytes:
    if len(content) > most:
        raise UnsafeFile(path, "large", most=most)
    return content


def _user() -> str:
    return str(os.geteuid()) if POSIX else ""
