"""The checks of `doctor` for a hosted server: what it needs before callers and approvers can use it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from urllib.parse import urlsplit

import anyio

from saasus_mcp.cli import state
from saasus_mcp.cli.doctor import hardening_checks
from saasus_mcp.cli.doctor.checks import Finding, problem
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message
from saasus_mcp.settings import HttpSettings, Settings, load_http_settings
from saasus_mcp.settings.config import config_of
from saasus_mcp.settings.hosting import JwtTable, OidcTable

CLOCK_TOLERANCE = timedelta(seconds=10)
"""Of the database's clock. Heartbeats and claims of replicas are compared within this time."""
REQUEST_SECONDS = 5.0
OK = 200


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
    from saasus_mcp.hosting.limits.file_descriptors import FileDescriptorNeed, raise_file_limit  # noqa: PLC0415 - hosting

    profiles, connections = len(served_profiles(settings)), http.table.connections
    need = FileDescriptorNeed.for_server(connections, profiles, shared=settings.database_url is not None).total
    allowed = raise_file_limit(need)
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
    from saasus_mcp.hosting.console import oidc_protocol  # noqa: PLC0415 - imports the cryptography

    host = urlsplit(table.issuer).hostname or ""
    try:
        if table.client_secret is not None:
            table.client_secret.read()
        await oidc_protocol.discover(table.issuer, None)
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
        return [silent, hardening_checks.check_metrics(http, None)]
    if status != OK:
        text = message("cli_doctor.public_status", url=url, status=status)
        wrong = Finding("public_url", "problem", text, message("cli_doctor.public_hint"))
        return [wrong, hardening_checks.check_metrics(http, None)]
    answers = Finding("public_url", "ok", message("cli_doctor.public_ok", url=url))
    return [answers, hardening_checks.check_metrics(http, metrics if http.exposed else None)]


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
