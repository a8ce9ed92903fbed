"""The checks of `doctor` that need no network: each gives what it found and how to mend it."""

from __future__ import annotations

import os
import platform
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from saasus_mcp import __version__
from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli import composition, state
from saasus_mcp.cli.approvals import approval_view
from saasus_mcp.cli.doctor_wording import WORDS
from saasus_mcp.common import private_files
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.private_files import UnsafeFile
from saasus_mcp.common.text import plain_text
from saasus_mcp.settings import DEFAULT_API_ORIGIN, Settings, load_profile

CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Of the HTTP library: the first that is set replaces the system's certificate authorities."""
OTHER_USERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `note`: worth knowing, nothing is wrong; `skipped`: it could not be tried."""

    check: str
    status: Literal["ok", "note", "problem", "skipped"]
    said: str
    mend: str = ""


def program() -> Finding:
    """What runs, for a report of a problem."""
    running = f"saasus-mcp {__version__}, Python {platform.python_version()}, mcp {version('mcp')}, {platform.system()}"
    return Finding("program", "ok", running)


def settings_read(settings: Settings) -> Finding:
    """That every variable could be read."""
    return Finding(
        "settings", "ok", WORDS[settings.lang]["settings_ok"].format(profile=settings.profile, lang=settings.lang)
    )


def policy(settings: Settings) -> Finding:
    """That the policy is sound; what it says loudly is worth a note."""
    try:
        chosen = composition.resolve_policy(settings)
    except SaasusMcpError as error:
        return Finding("policy", "problem", error.message, error.hint)
    if chosen.announcement:
        return Finding("policy", "note", chosen.announcement)
    return Finding("policy", "ok", WORDS[settings.lang]["policy_ok"].format(name=chosen.name))


def catalogue(lang: Language) -> Finding:
    """That the catalogue loads."""
    words = WORDS[lang]
    try:
        count = len(load_catalogue())
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = type(error).__name__
        return Finding("catalogue", "problem", words["catalogue_bad"].format(why=why), words["catalogue_mend"])
    return Finding("catalogue", "ok", words["catalogue_ok"].format(count=count))


def state_folder(settings: Settings) -> Finding:
    """That the state folder can be written, and that nobody else can read what is in it."""
    words, folder = WORDS[settings.lang], settings.state_folder
    try:
        private_files.ensure_private_folder(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if os.name != "posix":
            return Finding("state", "ok", words["state_ok_unchecked"].format(folder=folder))
        readable = next(_open_to_others(folder), None)
    except UnsafeFile as error:
        return Finding("state", "problem", error.message.text(settings.lang), error.hint.text(settings.lang))
    except OSError as error:
        why = error.strerror or type(error).__name__
        said = words["state_unwritable"].format(folder=folder, why=why)
        return Finding("state", "problem", said, words["state_unwritable_mend"])
    if readable is not None:
        return Finding(
            "state",
            "problem",
            words["state_open"].format(path=readable),
            words["state_open_mend"].format(path=readable),
        )
    return Finding("state", "ok", words["state_ok"].format(folder=folder))


def _open_to_others(folder: Path) -> Iterator[Path]:
    for path in (folder, *sorted(folder.iterdir())):
        with suppress(FileNotFoundError):  # a server that ends takes its write-ahead log with it
            if path.stat().st_mode & OTHER_USERS:
                yield path


def approvals(settings: Settings) -> Finding:
    """How many calls wait for a person."""
    words = WORDS[settings.lang]
    try:
        with state.open_stores(settings, strict=True) as stores:
            for store in stores:
                store.audit_log.require_key()
            count = len(approval_view.list_approvals(stores, time.time(), decided=False))
    except SaasusMcpError as error:
        return Finding("approvals", "problem", error.message, error.hint)
    if count:
        return Finding("approvals", "note", words["approvals_some"].format(count=count), words["approvals_mend"])
    return Finding("approvals", "ok", words["approvals_none"])


def jobs(settings: Settings) -> Finding:
    """That the job engine starts and runs a job, in a temporary database of SQLite."""
    from saasus_mcp.jobs import engine_check  # noqa: PLC0415 - imports the database library and the engine

    words = WORDS[settings.lang]
    try:
        engine_check.check_engine()
    except engine_check.EngineCheckFailed as error:
        return Finding("jobs", "problem", words["jobs_bad"].format(why=error.message), words["jobs_mend"])
    said = words["jobs_ok" if settings.database_url is None else "jobs_ok_shared"]
    return Finding("jobs", "ok", said.format(sqlite=sqlite3.sqlite_version))


def credentials(settings: Settings) -> Finding:
    """That there are credentials, and that nothing got into them when they were copied. None is ever shown."""
    words = WORDS[settings.lang]
    try:
        place = composition.resolve_place(settings)
    except SaasusMcpError as error:
        return Finding("credentials", "problem", error.message, error.hint)
    return Finding("credentials", "ok", words["credentials_sandbox" if place.sandbox else "credentials_ok"])


def url(settings: Settings) -> Finding:
    """Where calls go."""
    words = WORDS[settings.lang]
    if settings.sandbox:
        return Finding("url", "ok", words["url_sandbox"])
    base = _base(settings)
    if base != DEFAULT_API_ORIGIN:
        return Finding("url", "note", words["url_other"].format(url=base), words["url_mend"])
    return Finding("url", "ok", words["url_ok"].format(url=base))


def _base(settings: Settings) -> str:
    try:
        return load_profile(settings).api_url_base
    except SaasusMcpError:  # told of by the check of the credentials
        return settings.api_url_base


def network(settings: Settings) -> Finding:
    """How calls leave this computer: by which proxy, and whose certificates are believed."""
    from saasus_mcp.saasus.network_errors import proxy_for  # noqa: PLC0415 - imports the HTTP client

    words = WORDS[settings.lang]
    if settings.sandbox:
        return Finding("network", "ok", words["url_sandbox"])
    proxy = proxy_for(_base(settings))
    way = words["network_proxy"].format(proxy=plain_text(proxy)) if proxy else words["network_direct"]
    named = next((name for name in CA_VARIABLES if os.environ.get(name)), None)
    if named is None:
        return Finding("network", "note" if proxy else "ok", words["network_system"].format(way=way))
    path = plain_text(os.environ[named])
    said = words["network_named"].format(way=way, name=named, path=path)
    if not Path(os.environ[named]).exists():
        return Finding("network", "problem", words["network_missing"].format(said=said), words["network_mend"])
    return Finding("network", "note", said)


def boundary(settings: Settings) -> Finding:
    """What approvals are worth on a laptop."""
    from saasus_mcp.permissions.secrets import passphrase  # noqa: PLC0415 - imports the cryptography

    words = WORDS[settings.lang]
    kept = words["set" if passphrase.is_passphrase_set(settings.state_folder) else "not_set"]
    return Finding("boundary", "note", words["boundary_note"].format(passphrase=kept))
