"""The checks of `doctor` that need no network. Each returns what it found and how to fix it."""

from __future__ import annotations

import os
import platform
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from saasus_mcp import __version__
from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli import state
from saasus_mcp.cli.approvals import approval_view
from saasus_mcp.cli.destination import resolve_destination
from saasus_mcp.cli.policy_in_force import resolve_policy, unserved_profiles
from saasus_mcp.cli.terminal import render
from saasus_mcp.clients.detection import detect_servers
from saasus_mcp.clients.known_clients import Machine
from saasus_mcp.common import private_files
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Localized, Sentences, message, one_of
from saasus_mcp.common.private_files import UnsafeFile
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.common.text import plain_text
from saasus_mcp.settings.environment import DEFAULT_API_ORIGIN, Settings
from saasus_mcp.settings.profiles import load_profile

FREE_BYTES = 1_000_000
"""What a database and its journal need at least."""
CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables of the HTTP library. The first that is set replaces the system's certificate authorities."""
OTHER_USERS = stat.S_IRWXG | stat.S_IRWXO
_SERIOUS_FLAWS = frozenset({"unreadable", "refused", "no_command", "working_directory", "open_folder"})


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        status: `note` if nothing is wrong but the text is worth knowing, `skipped` if the check could not run.
    """

    check: str
    status: Literal["ok", "note", "problem", "skipped"]
    text: Localized | str
    hint: Localized | str = ""

    def as_json(self) -> dict[str, Any]:
        return {"check": self.check, "status": self.status, "said": render(self.text), "hint": render(self.hint)}


def problem(check: str, error: SaasusMcpError) -> Finding:
    return Finding(check, "problem", error.message, error.hint or "")


def check_program() -> Finding:
    """Return the versions, for a bug report."""
    versions = f"saasus-mcp {__version__}, Python {platform.python_version()}, mcp {version('mcp')}"
    return Finding("program", "ok", f"{versions}, {platform.system()}")


def check_settings(settings: Settings, profiles: Sequence[str]) -> Finding:
    """Report the profiles that the valid settings lead to, or a configuration file that is named and does not exist."""
    if settings.config is not None and not settings.has_config_file:
        text = message("cli_doctor.no_config_file", file=str(settings.config))
        return Finding("settings", "note", text, message("settings.no_config_file_hint"))
    text = message("cli_doctor.settings_ok", profiles=tuple(profiles), lang=settings.lang)
    return Finding("settings", "ok", text)


def check_policy(settings: Settings) -> Finding:
    """Load the policy. What it announces is a note, and profiles of its rules that do not exist are."""
    policy = resolve_policy(settings)
    if unserved := unserved_profiles(policy, settings):
        text: Localized = message("policy.unserved_profiles", name=policy.name, profiles=unserved)
        if policy.announcement:
            text = Sentences((message("policy.announced", announcement=policy.announcement), text))
        return Finding("policy", "note", text, message("policy.unserved_profiles_hint"))
    if policy.announcement:
        return Finding("policy", "note", policy.announcement)
    return Finding("policy", "ok", policy.name)


def check_catalogue() -> Finding:
    try:
        count = len(load_catalogue())
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = message("cli_doctor.catalogue_bad", reason=type(error).__name__)
        return Finding("catalogue", "problem", text, message("cli_doctor.catalogue_hint"))
    return Finding("catalogue", "ok", message("cli_doctor.catalogue_ok", count=count))


def check_state_folder(settings: Settings) -> Finding:
    """Write to the state folder, and look for files that other users can read."""
    folder = settings.state_folder
    try:
        private_files.ensure_private_folder(folder)
        with tempfile.TemporaryFile(dir=folder) as written:
            written.write(bytes(FREE_BYTES))  # on a full disk, an empty file can still be created
            written.flush()
        if os.name != "posix":
            return Finding("state", "ok", message("cli_doctor.state_ok_unchecked", folder=str(folder)))
        readable = next(_readable_by_others(folder), None)
    except UnsafeFile as error:
        return problem("state", error)
    except OSError as error:
        reason = os_reason(error)
        text = message("cli_doctor.state_unwritable", folder=str(folder), reason=reason)
        return Finding("state", "problem", text, message("cli_doctor.state_unwritable_hint"))
    if readable is not None:
        text = message("cli_doctor.state_open", path=str(readable))
        return Finding("state", "problem", text, message("cli_doctor.state_open_hint", path=str(readable)))
    return Finding("state", "ok", message("cli_doctor.state_ok", folder=str(folder)))


def _readable_by_others(folder: Path) -> Iterator[Path]:
    for path in (folder, *sorted(folder.iterdir())):
        with suppress(FileNotFoundError):  # a server that ends deletes its write-ahead log
            if path.stat().st_mode & OTHER_USERS:
                yield path


def check_approvals(settings: Settings) -> Finding:
    """Open every store with its key, and count the pending approvals."""
    with state.open_stores(settings, strict=True) as stores:
        for store in stores:
            store.audit_log.require_key()
        count = len(approval_view.list_approvals(stores, time.time(), decided=False))
    if count:
        text = message("cli_doctor.approvals_some", count=count)
        return Finding("approvals", "note", text, message("cli_doctor.approvals_hint"))
    return Finding("approvals", "ok", message("cli_doctor.approvals_none"))


def check_jobs(settings: Settings) -> Finding:
    """Start the job engine on a temporary SQLite database and run a job."""
    from saasus_mcp.jobs import engine_check  # noqa: PLC0415 - imports the database library and the engine

    try:
        engine_check.check_engine()
    except engine_check.EngineCheckFailed as error:
        text = message("cli_doctor.jobs_bad", reason=error.message)
        return Finding("jobs", "problem", text, message("cli_doctor.jobs_hint"))
    shared = settings.database_url is not None
    text = message("cli_doctor.jobs_ok_shared" if shared else "cli_doctor.jobs_ok", sqlite=sqlite3.sqlite_version)
    return Finding("jobs", "ok", text)


def check_credentials(settings: Settings) -> Finding:
    """Check that credentials are set and well-formed. They are never shown."""
    sandbox = resolve_destination(settings).sandbox
    text = message("cli_doctor.credentials_sandbox" if sandbox else "cli_doctor.credentials_ok")
    return Finding("credentials", "ok", text)


def check_url(settings: Settings) -> Finding:
    if settings.sandbox:
        return Finding("url", "ok", message("cli_doctor.url_sandbox"))
    url = _api_url(settings)
    if url != DEFAULT_API_ORIGIN:
        in_file = url != settings.api_url_base  # the address of a profile
        hint = message("cli_doctor.url_in_file_hint" if in_file else "cli_doctor.url_hint")
        return Finding("url", "note", message("cli_doctor.url_other", url=url), hint)
    return Finding("url", "ok", url)


def _api_url(settings: Settings) -> str:
    try:
        return load_profile(settings).api_url_base
    except SaasusMcpError:  # the check of the credentials reports it
        return settings.api_url_base


def check_network(settings: Settings) -> Finding:
    """Report the proxy and the certificate authorities."""
    from saasus_mcp.saasus.route import proxy_for  # noqa: PLC0415 - imports the HTTP client

    if settings.sandbox:
        return Finding("network", "ok", message("cli_doctor.url_sandbox"))
    proxy, way = proxy_for(_api_url(settings)), message("cli_doctor.network_direct")
    if proxy:
        way = message("cli_doctor.network_proxy", proxy=plain_text(proxy))
    name = next((name for name in CA_VARIABLES if os.environ.get(name)), None)
    if name is None:
        return Finding("network", "note" if proxy else "ok", message("cli_doctor.network_system", way=way))
    text = message("cli_doctor.network_named", way=way, name=name, path=plain_text(os.environ[name]))
    if not Path(os.environ[name]).exists():
        missing = message("cli_doctor.network_missing", text=text)
        return Finding("network", "problem", missing, message("cli_doctor.network_hint"))
    return Finding("network", "note", text)


def check_clients() -> Finding:
    """Report the MCP clients on this computer that start this server, and what is wrong with their entries."""
    servers = list(detect_servers(Machine(platform.system(), Path.home(), os.environ)))
    if not servers:
        return Finding("clients", "note", message("cli_doctor.clients_none"), message("cli_doctor.clients_none_hint"))
    texts, flaws = [], set[str]()
    for server in servers:
        title = server.client.title
        name = f"{title} ({plain_text(server.name)})" if server.name else f"{title} ({server.file})"
        if server.flaw:
            flaws.add(server.flaw)
            detail = plain_text(render(server.detail))
            name = render(one_of("cli_doctor.client_flaw", server.flaw, name=name, detail=detail))
        texts.append(name)
    hints = (render(one_of("cli_doctor.client_flaw_hint", flaw)) for flaw in sorted(flaws))
    status: Literal["ok", "note", "problem"] = "note" if flaws else "ok"
    return Finding("clients", "problem" if flaws & _SERIOUS_FLAWS else status, "; ".join(texts), " ".join(hints))


def check_boundary(settings: Settings) -> Finding:
    """Report what approvals on this computer are worth."""
    from saasus_mcp.permissions.secrets import passphrase  # noqa: PLC0415 - imports the cryptography

    is_set = passphrase.is_passphrase_set(settings.state_folder)
    state_of_it = message("cli_doctor.passphrase_is_set" if is_set else "cli_doctor.passphrase_not_set")
    return Finding("boundary", "note", message("cli_doctor.boundary", passphrase=state_of_it))
