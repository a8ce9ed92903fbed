"""The checks of `doctor` for a hosted server: what callers and approvers need, and what is open wider than it must be.

docs/hosting.md has the whole list.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from pydantic import BaseModel

from saasus_mcp.cli import state
from saasus_mcp.cli.doctor.checks import Finding, problem
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message
from saasus_mcp.settings.addresses import is_loopback
from saasus_mcp.settings.config import config_of, load_http_settings
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.hosting import HttpSettings, JwtTable, OidcTable
from saasus_mcp.settings.models import SecretSource
from saasus_mcp.settings.profiles import EVERYONE

VERIFIED = "verify-full"
NOT_FOUND = 404
CLOCK_TOLERANCE = timedelta(seconds=10)
"""Of the database's clock. Heartbeats and claims of replicas are compared within this time."""
REQUEST_SECONDS = 5.0
OK = 200


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
    """Check who can read the metrics. `published`: the status of /metrics at the public address; None if that did not answer."""
    if published is not None and published != NOT_FOUND:
        text = message("cli_doctor.metrics_published", url=http.public_url, status=published)
        return Finding("metrics", "problem", text, message("cli_doctor.metrics_hint"))
    if http.table.metrics:
        return Finding("metrics", "note", message("cli_doctor.metrics_open"), message("cli_doctor.metrics_open_hint"))
    if published is None:
        return Finding("metrics", "skipped", message("cli_doctor.metrics_unknown"))
    return Finding("metrics", "ok", message("cli_doctor.metrics_ok"))


def load_hosting(settings: Settings) -> HttpSettings | None:
    """Return the settings of a server whose callers sign in; None for the computer of one user.

    Raises:
        SettingsError: the configuration file has a fault.
    """
    if not settings.config_file.is_file():
        return None
    http = load_http_settings(settings)
    return http if http.authenticated else None


def served_profiles(settings: Settings) -> list[str]:
    """Return the names of the profiles that the server serves, whether or not their credentials are valid."""
    names = [] if settings.sandbox else list(config_of(settings).profiles)
    return names or [settings.profile]


def check_database(settings: Settings) -> Finding:
    """Write to the database that replicas share, and compare its clock with this computer's."""
    if settings.database_url is None:
        return Finding(
            "database", "note", message("cli_doctor.database_file"), message("cli_doctor.database_file_hint")
        )
    from sqlalchemy import func, select  # noqa: PLC0415 - only with a shared database

    with state.open_tokens(settings) as tokens, tokens.database.transaction() as connection:
        before = time.time()
        there = float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())
        skew = (before + time.time()) / 2 - there
        number = ".".join(str(part) for part in connection.dialect.server_version_info or ())
    if abs(skew) > CLOCK_TOLERANCE.total_seconds():
        text = message("cli_doctor.database_clock", seconds=round(abs(skew)))
        return Finding("database", "problem", text, message("cli_doctor.clock_hint"))
    return Finding("database", "ok", message("cli_doctor.database_ok", version=number))


def check_keys(settings: Settings) -> Finding:
    """Check that the sealing keys are those of every store."""
    state.load_encryptor(settings)
    with state.open_state(settings) as stores:
        for name in stores.audited_names:
            with closing(stores.open(name)) as store:
                store.audit_log.require_key()
    if settings.database_url is not None:
        return Finding("keys", "ok", message("cli_doctor.keys_ok", count=len(settings.sealing_keys)))
    return Finding("keys", "ok", message("cli_doctor.keys_file"))


def check_limits(settings: Settings, http: HttpSettings) -> Finding:
    """Compare the open files of the server at its busiest with what the system allows a process of this shell."""
    from saasus_mcp.hosting.limits import file_descriptors  # noqa: PLC0415 - hosting

    profiles, connections = len(served_profiles(settings)), http.table.connections
    others = file_descriptors.other_files(profiles, shared=settings.database_url is not None)
    need = file_descriptors.files_needed(connections, others)
    allowed = file_descriptors.raise_file_limit(need)
    if allowed >= need or sys.platform == "win32":
        return Finding("limits", "ok", message("cli_doctor.limits_ok", connections=connections, need=need))
    text = message("cli_doctor.limits_low", connections=connections, need=need, allowed=allowed)
    return Finding("limits", "problem", text, message("cli_doctor.limits_hint", need=need))


def check_workers(settings: Settings, http: HttpSettings) -> Finding:
    """Compare the number of workers with the processor cores of this computer."""
    from saasus_mcp.cli.serve.workers import require_several  # noqa: PLC0415 - only with several

    require_several(settings, http)
    cores = usable_cores()
    text = message("cli_doctor.workers", workers=http.workers, cores=cores)
    if http.workers > cores:
        return Finding("workers", "note", text, message("cli_doctor.workers_hint"))
    return Finding("workers", "ok", text)


def usable_cores() -> int:
    """Return the number of cores that this process may use, which can be fewer than the computer has."""
    usable: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(usable(0)) if usable is not None else os.cpu_count() or 1


async def check_jwks(table: JwtTable) -> Finding:
    """Fetch the keys with which callers' access tokens are verified."""
    from saasus_mcp.hosting.auth import jwks  # noqa: PLC0415 - imports the cryptography

    host = urlsplit(table.jwks_url).hostname or ""
    try:
        keys = jwks.parse_keys(await jwks.request_document(table.jwks_url, REQUEST_SECONDS), table.algorithms)
    except jwks.InvalidProviderDocument:
        text = message("cli_doctor.jwks_unusable", host=host, algorithms=", ".join(table.algorithms))
        return Finding("jwks", "problem", text, message("cli_doctor.jwks_hint"))
    except Exception as error:  # noqa: BLE001 - the network fails in many ways, and doctor reports each
        text = message("cli_doctor.no_answer", host=host, reason=_cause(error))
        return Finding("jwks", "problem", text, message("cli_doctor.jwks_hint"))
    count = len({kid for kid, _ in keys})
    return Finding("jwks", "ok", message("cli_doctor.jwks_ok", host=host, count=count))


async def check_oidc(table: OidcTable, public_url: str) -> Finding:
    """Fetch the metadata of the provider through which approvers sign in, and read the client secret."""
    from saasus_mcp.hosting.console import oidc  # noqa: PLC0415 - imports the cryptography

    host = urlsplit(table.issuer).hostname or ""
    try:
        if table.client_secret is not None:
            table.client_secret.read()
        await oidc.discover(table.issuer, None)
    except SaasusMcpError as error:
        return problem("oidc", error)
    except Exception as error:  # noqa: BLE001 - as above
        text = message("cli_doctor.no_answer", host=host, reason=_cause(error))
        return Finding("oidc", "problem", text, message("cli_doctor.oidc_hint"))
    redirect = f"{public_url}/console/sso/callback"
    return Finding("oidc", "ok", message("cli_doctor.oidc_ok", host=host, redirect=redirect))


async def check_public_url(http: HttpSettings) -> list[Finding]:
    """Ask for the server's health and metrics by the address that clients use, through the proxy in front of it."""
    import httpx2  # noqa: PLC0415 - the HTTP client

    url = http.public_url
    try:
        with anyio.fail_after(2 * REQUEST_SECONDS):
            async with httpx2.AsyncClient(timeout=REQUEST_SECONDS, follow_redirects=False) as client:
                status = (await client.get(f"{url}/healthz")).status_code
                metrics = (await client.get(f"{url}/metrics")).status_code
    except Exception as error:  # noqa: BLE001 - as above
        text = message("cli_doctor.public_silent", url=url, reason=_cause(error))
        silent = Finding("public_url", "note", text, message("cli_doctor.public_hint"))
        return [silent, check_metrics(http, None)]
    if status != OK:
        text = message("cli_doctor.public_status", url=url, status=status)
        wrong = Finding("public_url", "problem", text, message("cli_doctor.public_hint"))
        return [wrong, check_metrics(http, None)]
    answers = Finding("public_url", "ok", message("cli_doctor.public_ok", url=url))
    return [answers, check_metrics(http, metrics if http.exposed else None)]


def network_checks(http: HttpSettings) -> dict[str, Callable[[], Awaitable[Finding | list[Finding]]]]:
    """Return the checks that ask other servers, by name."""
    checks: dict[str, Callable[[], Awaitable[Finding | list[Finding]]]] = {"public_url": lambda: check_public_url(http)}
    if (jwt := http.jwt) is not None:
        checks["jwks"] = lambda: check_jwks(jwt)
    if http.console.enabled and (oidc := http.console.oidc) is not None:
        checks["oidc"] = lambda: check_oidc(oidc, http.public_url)
    return checks


def _cause(error: Exception) -> Message:
    """Return the failure of the network in plain words; its text can have an address with a secret."""
    from saasus_mcp.notices.sending import failure_of  # noqa: PLC0415 - imports the HTTP client

    return failure_of(error).message
