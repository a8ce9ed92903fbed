"""Files and folders that only their owner may change, checked without following links and read up to a limit.

A file is checked by its open descriptor, so that it cannot be exchanged between check and use. Modes and owners are checked on
POSIX systems only. Windows protects the user's folders by access control lists, which this module does not read.
"""

from __future__ import annotations

import errno
import os
import secrets
import shlex
import stat
from contextlib import suppress
from pathlib import Path
from typing import Literal

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Parameter, one_of

POSIX = os.name == "posix"
GROUP, OTHERS = stat.S_IRWXG, stat.S_IRWXO
WRITE, READ = stat.S_IWGRP | stat.S_IWOTH, stat.S_IRGRP | stat.S_IROTH
FOLDER_MODE, FILE_MODE = 0o700, 0o600
_OPEN_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""With O_NONBLOCK, opening a named pipe does not wait for its other end."""
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_LINK_ERRORS = {errno.ELOOP, errno.EMLINK}

FileFlaw = Literal["link", "hard_link", "no_folder", "no_file", "owner", "writable", "readable", "large"]


class UnsafeFile(SaasusMcpError):
    """Another user could have created, could change or could read this file. It is not used."""

    def __init__(self, path: Path, flaw: FileFlaw, *, owner: int = 0, mode: int = FILE_MODE, limit: int = 0) -> None:
        self.flaw = flaw
        user = str(os.geteuid()) if POSIX else ""
        params: dict[str, Parameter] = {
            "path": str(path),
            "quoted": shlex.quote(str(path)),
            "owner": owner,
            "user": user,
            "limit": limit,
        }
        super().__init__(
            one_of("files.unsafe", flaw, **params), one_of("files.unsafe_hint", flaw, mode=f"{mode:o}", **params)
        )


def ensure_private_folder(path: Path) -> None:
    """Create a folder that only its owner can enter, with its missing parents, or check the existing one.

    Raises:
        UnsafeFile: the path is a link, not a folder, or other users can write to it.
        OSError: the folder cannot be created.
    """
    missing = [path]
    while not os.path.lexists(missing[-1].parent):
        missing.append(missing[-1].parent)
    for parent in reversed(missing):
        with suppress(FileExistsError):
            parent.mkdir(mode=FOLDER_MODE)
    require_private_folder(path)


def require_private_folder(path: Path) -> None:
    """Check that no other user can change a folder.

    Raises:
        UnsafeFile: the path is a link, not a folder, or other users can write to it.
        OSError: the path cannot be inspected.
    """
    status = path.lstat()
    if _is_link(path, status):
        raise UnsafeFile(path, "link")
    if not stat.S_ISDIR(status.st_mode):
        raise UnsafeFile(path, "no_folder")
    _require_owner_only(path, status, _other_users(status), FOLDER_MODE)


def require_private_file(path: Path) -> None:
    """Check that no other user can change a file, without opening it. Accept a missing file.

    For database files: closing a descriptor would drop the locks that the database library holds on the file.

    Raises:
        UnsafeFile: the path is a link, not a regular file, or other users can write to it.
        OSError: the path cannot be inspected.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if _is_link(path, status):
        raise UnsafeFile(path, "link")
    _require_private(path, status)


def read_private_file(path: Path, limit: int, *, secret: bool = False) -> bytes:
    """Return the content of a private file.

    Args:
        limit: maximum size in bytes.
        secret: other users must not be able to read the file either.

    Raises:
        UnsafeFile: the path is a link, not a regular file, writable by other users, or too large.
        OSError: the file cannot be read.
    """
    status = path.lstat()
    if _is_link(path, status):
        raise UnsafeFile(path, "link")
    if not stat.S_ISREG(status.st_mode):  # opening a device may already have an effect
        raise UnsafeFile(path, "no_file")
    try:
        descriptor = os.open(path, os.O_RDONLY | _OPEN_FLAGS | _NO_LINK)
    except OSError as error:
        if error.errno in _LINK_ERRORS:
            raise UnsafeFile(path, "link") from None
        raise
    with os.fdopen(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        _require_private(path, status)
        if secret and POSIX and status.st_mode & _other_users(path.parent.lstat()) & READ:
            raise UnsafeFile(path, "readable")
        return _require_size(path, opened.read(limit + 1), limit)


def read_provided_file(path: Path, limit: int) -> bytes:
    """Return the content of a file that a person or an administrator placed: a configuration file, a policy, a secret.

    Links are followed, because Kubernetes mounts such files as links. Any owner is accepted, because a mounted file often
    belongs to a user of the host. A world-writable file is refused.

    Raises:
        UnsafeFile: the path is not a regular file, every user can write to it, or it is too large.
        OSError: the file cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnsafeFile(path, "no_file")
    descriptor = os.open(path, os.O_RDONLY | _OPEN_FLAGS)
    with os.fdopen(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeFile(path, "no_file")
        if POSIX and status.st_mode & stat.S_IWOTH and not os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
            raise UnsafeFile(path, "writable", mode=stat.S_IMODE(status.st_mode) & ~stat.S_IWOTH)
        return _require_size(path, opened.read(limit + 1), limit)


def create_private_file(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read.

    Raises:
        FileExistsError: the path exists, even as a dangling link.
        OSError: the file cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN_FLAGS | _NO_LINK, FILE_MODE)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(descriptor)


def replace_file(path: Path, content: bytes, *, mode: int = FILE_MODE, owner: tuple[int, int] | None = None) -> None:
    """Write a temporary file and rename it, so that a reader sees the old or the new content, never a part.

    Args:
        mode: permissions of the new file.
        owner: user and group of the new file; by default those of this process.

    Raises:
        UnsafeFile: the path exists and is not a regular file.
        OSError: the file cannot be written.
    """
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise UnsafeFile(path, "link" if path.is_symlink() else "no_file")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        create_private_file(temporary, content)
        if owner is not None and POSIX and owner != (os.geteuid(), os.getegid()):
            os.chown(temporary, *owner)
        if mode != FILE_MODE:
            temporary.chmod(mode)
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _is_link(path: Path, status: os.stat_result) -> bool:
    """Return True for a symbolic link and, on Windows, for a junction."""
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return path.is_symlink() or (junction is not None and getattr(status, "st_reparse_tag", 0) == junction)


def _other_users(folder: os.stat_result) -> int:
    """Return the mode bits of other users.

    If root created the folder for a group of this process, as Kubernetes (fsGroup) and OpenShift do with volumes, the group is trusted.
    """
    if POSIX and folder.st_uid == 0 != os.geteuid() and folder.st_gid in {os.getegid(), *os.getgroups()}:
        return OTHERS
    return GROUP | OTHERS


def _require_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeFile(path, "no_file")
    _require_owner_only(path, status, _other_users(path.parent.lstat()), FILE_MODE)
    if status.st_nlink > 1:
        raise UnsafeFile(path, "hard_link")


def _require_owner_only(path: Path, status: os.stat_result, others: int, mode: int) -> None:
    if not POSIX:
        return
    if status.st_uid not in (os.geteuid(), 0):
        raise UnsafeFile(path, "owner", owner=status.st_uid)
    if status.st_mode & others & WRITE:
        raise UnsafeFile(path, "writable", mode=mode)


def _require_size(path: Path, content: bytes, limit: int) -> bytes:
    if len(content) > limit:
        raise UnsafeFile(path, "large", limit=limit)
    return content
