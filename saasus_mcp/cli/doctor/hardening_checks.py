"""The checks of `doctor` for what is open wider than a hosted server needs. docs/hosting.md has the whole list."""

from __future__ import annotations

import os
import shlex
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from saasus_mcp.cli import state
from saasus_mcp.cli.doctor.checks import Finding
from saasus_mcp.common.messages import message
from saasus_mcp.settings import HttpSettings, Settings
from saasus_mcp.settings.addresses import is_loopback
from saasus_mcp.settings.config import config_of
from saasus_mcp.settings.models import SecretSource
from saasus_mcp.settings.profiles import EVERYONE

VERIFIED = "verify-full"
NOT_FOUND = 404


def check_access(settings: Settings, http: HttpSettings) -> Finding:
    """Look for profiles that everyone or no one may use, and for approvers."""
    profiles = {} if settings.sandbox else config_of(settings).profiles
    for text, names in (
        ("cli_doctor.access_everyone", [name for name, each in profiles.items() if EVERYONE in each.groups]),
        ("cli_doctor.access_nobody", [name for name, each in profiles.items() if not each.groups]),
    ):
        if names:
            return Finding("access", "note", message(text, profiles=tuple(names)), message("cli_doctor.access_hint"))
    if http.console.oidc is None and not _has_approver(settings):
        return Finding("access", "note", message("cli_doctor.no_approver"), message("cli_doctor.no_approver_hint"))
    return Finding("access", "ok", message("cli_doctor.access_ok"))


def _has_approver(settings: Settings) -> bool:
    with state.open_tokens(settings) as tokens:
        return tokens.has_valid("approver", time.time())


def check_files(settings: Settings) -> Finding:
    """Check that the user of the server cannot write the files that say what it may do."""
    geteuid = getattr(os, "geteuid", None)  # not on Windows
    if geteuid is None:
        return Finding("files", "skipped", message("cli_doctor.files_unchecked"))
    if geteuid() == 0:
        return Finding("files", "note", message("cli_doctor.files_root"), message("cli_doctor.files_root_hint"))
    files = [file for file in (settings.config_file, settings.policy) if file is not None]
    writable = next((file for file in files if os.access(file, os.W_OK)), None)
    if writable is not None:
        text = message("cli_doctor.files_writable", path=str(writable))
        return Finding("files", "note", text, message("cli_doctor.files_writable_hint"))
    return Finding("files", "ok", message("cli_doctor.files_ok"))


def check_secret_files(settings: Settings) -> list[Finding]:
    """Look for files with secrets that other users of this computer can read. Empty if no setting names such a file.

    In a file of root or of another owner, the group is how the server reads it. Nobody can change modes on a read-only volume.
    """
    if os.name != "posix":
        return []
    named = {settings.sealing_keys_file} if settings.sealing_keys_file is not None else set[Path]()
    files = sorted(named | set(_secret_files(config_of(settings))))
    for file in files:
        with suppress(OSError):  # the check of what it is for reports that it cannot be read
            status = file.stat()
            is_own = status.st_uid == os.geteuid() != 0
            others = stat.S_IRWXG | stat.S_IRWXO if is_own else stat.S_IRWXO
            if status.st_mode & others and not os.statvfs(file).f_flag & os.ST_RDONLY:
                path, who = str(file), "go" if is_own else "o"
                hint = message("cli_doctor.secret_file_hint", who=who, path=shlex.quote(path))
                return [Finding("secret_files", "problem", message("cli_doctor.state_open", path=path), hint)]
    return [Finding("secret_files", "ok", message("cli_doctor.secret_files_ok"))] if files else []


def _secret_files(table: BaseModel) -> Iterator[Path]:
    """Yield the files that the secrets of a table and of its tables are in."""
    if isinstance(table, SecretSource):
        if table.file is not None:
            yield table.file
        return
    for name in type(table).model_fields:
        value = getattr(table, name)
        for each in value.values() if isinstance(value, dict) else (value,):
            if isinstance(each, BaseModel):
                yield from _secret_files(each)


def check_database_tls(url: str) -> Finding:
    """Check that the database is verified, unless it is on this computer."""
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - in the extra `hosted`

    parameters = conninfo_to_dict(url)
    hosts = str(parameters.get("host") or os.environ.get("PGHOST") or "").split(",")
    mode = str(parameters.get("sslmode") or os.environ.get("PGSSLMODE") or "prefer")
    if mode == VERIFIED or all(not host or host.startswith("/") or is_loopback(host) for host in hosts):
        return Finding("database_tls", "ok", message("cli_doctor.database_tls_ok"))
    text = message("cli_doctor.database_tls_open", mode=mode)
    return Finding("database_tls", "note", text, message("cli_doctor.database_tls_hint"))


def check_metrics(http: HttpSettings, published: int | None) -> Finding:
    """Check who can read the metrics.

    Args:
        published: the status of /metrics at the public address; None if that did not answer.
    """
    if published is not None and published != NOT_FOUND:
        text = message("cli_doctor.metrics_published", url=http.public_url, status=published)
        return Finding("metrics", "problem", text, message("cli_doctor.metrics_hint"))
    if http.table.metrics:
        return Finding("metrics", "note", message("cli_doctor.metrics_open"), message("cli_doctor.metrics_open_hint"))
    if published is None:
        return Finding("metrics", "skipped", message("cli_doctor.metrics_unknown"))
    return Finding("metrics", "ok", message("cli_doctor.metrics_ok"))
