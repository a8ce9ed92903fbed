"""`saasus-mcp reveal`: show a hidden secret once, to a person at a terminal."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from saasus_mcp.cli import state
from saasus_mcp.cli.command_line import argument, command, option
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.options import json_outcome_option, settings_options
from saasus_mcp.cli.output import complete_output, print_json, print_outcome, reserve_private_file
from saasus_mcp.cli.terminal import prints_json, render, require_approver, say
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretVault
from saasus_mcp.server.results.jmespath_query import csv_cell
from saasus_mcp.server.results.result_store import open_result
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.store import Store


@command(help="cli_help.command.reveal")
@argument("handle", metavar="ID")
@option("--output", type=click.Path(path_type=Path), help="cli_help.option.secrets_output")
@json_outcome_option
@settings_options("lang")
def reveal(settings: Settings, *, handle: str, output: Path | None) -> None:
    """Print one secret, or write those of a job to a file."""
    require_approver("reveal", settings.state_folder)
    if output is not None:
        _write_job_secrets(settings, handle.strip(), output)
        return
    with state.open_stores(settings) as stores:
        vault, user = _find_vault(stores, state.load_encryptor(settings), handle), local_user()
        try:
            with vault.revealing(handle, by=user.id, via="terminal", person=user.person) as secret:
                _print_secret(secret)
                complete_output()
        except (OSError, click.ClickException):
            say(message("cli_secrets.put_back"), err=True)
            raise


def _print_secret(secret: str) -> None:
    if prints_json():
        print_json({"secret": secret})
        return
    if not secret.isprintable():
        say(message("cli_secrets.escaped"))
        secret = json.dumps(secret)
    click.echo(f"\n{secret}\n\n{render(message('cli_secrets.shown_once'))}")


def _write_job_secrets(settings: Settings, job_id: str, file: Path) -> None:
    """Write the secrets that a job created as CSV.

    Raises:
        SaasusMcpError: the secrets are gone, or the file cannot be written. Then no secret is used up.
    """
    with state.open_stores(settings) as stores:
        for store in stores:
            job = store.jobs.get(job_id)
            if job is None:
                continue
            encryptor = state.load_encryptor(settings)
            stored_id, now = job.report.get("kept_secrets", ""), time.time()
            stored = open_result(store, encryptor, stored_id, principal=job.principal, profile=job.profile, now=now)
            handles: Mapping[str, str] = {} if stored is None else stored.value
            if _move_secrets(SecretVault(store, encryptor, time.time), handles, file):
                return
            break
    raise SaasusMcpError.of("cli_secrets.job_secrets_gone")


def _move_secrets(vault: SecretVault, handles: Mapping[str, str], file: Path) -> bool:
    """Move the secrets of these handles, by login, from the vault to a file. Return False if none is left."""
    known = {login: secret for login, handle in handles.items() if (secret := vault.peek(handle)) is not None}
    if not known:
        return False
    with reserve_private_file(file, len(_csv(known).encode())) as write:
        user = local_user()
        revealed = vault.reveal_all(handles.values(), by=user.id, via="terminal", person=user.person)
        secrets = {login: revealed[handle] for login, handle in handles.items() if handle in revealed}
        write(_csv(secrets).encode())
    written = message("cli_secrets.secrets_written", count=len(secrets), file=str(file))
    print_outcome({"file": str(file), "secrets": len(secrets)}, written)
    return True


def _csv(secrets: Mapping[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["login", "password"])
    writer.writerows((csv_cell(login), secret) for login, secret in secrets.items())  # a guard would spoil a password
    return text.getvalue()


def _find_vault(stores: Iterable[Store], encryptor: Encryptor, handle: str) -> SecretVault:
    """Return the vault that holds the secret of a handle. Raise SaasusMcpError if no store holds it."""
    for store in stores:
        vault = SecretVault(store, encryptor, time.time)
        try:
            if vault.peek(handle.strip()) is not None:
                return vault
        except CallRefused:  # encrypted with another key
            continue
    raise SaasusMcpError.of("cli_secrets.unknown_secret")
