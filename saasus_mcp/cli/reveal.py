"""`saasus-mcp reveal ID`: a hidden secret, shown once to a person in a terminal and to nobody else."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.job_wording import WORDS as JOB_WORDS
from saasus_mcp.cli.options import language_option, load_settings
from saasus_mcp.cli.private_output import reserve_private_file
from saasus_mcp.cli.terminal import require_passphrase, require_person
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretVault
from saasus_mcp.server.results.result_store import open_result
from saasus_mcp.settings import Settings
from saasus_mcp.store import Store


@click.command
@click.argument("handle", metavar="ID")
@click.option(
    "--output", type=click.Path(path_type=Path), help="New private file for all secrets of a job (ID: its id)."
)
@language_option
def command(handle: str, output: Path | None, **flags: Any) -> None:
    """Show the secret with this ID (or secret://r/ID) once, then delete it.

    With --output, write all secrets created by the job ID to a file that only you can read.
    """
    chosen = load_settings(**flags)
    require_person("reveal", chosen.lang)
    require_passphrase(chosen.state_folder, chosen.lang)
    words = WORDS[chosen.lang]
    if output is not None:
        click.echo(_written(chosen, handle.strip(), output))
        return
    with state.open_stores(chosen) as stores:
        secret = _secret(stores, state.load_sealer(chosen), handle, chosen.lang)
    if not secret.isprintable():
        click.echo(words["escaped"])
        secret = json.dumps(secret)
    click.echo(f"\n{secret}\n\n{words['gone']}")


def _written(chosen: Settings, job: str, file: Path) -> str:
    """Write the secrets that a job made, as CSV: that it was done.

    Raises:
        SaasusMcpError: there are none any more, or the file cannot be written. Then none is used up.
    """
    words, sealer = JOB_WORDS[chosen.lang], state.load_sealer(chosen)
    with state.open_stores(chosen) as stores:
        for store in stores:
            found = store.jobs.get(job)
            if found is None:
                continue
            stored_id, now = found.report.get("kept_secrets", ""), time.time()
            kept = open_result(store, sealer, stored_id, principal=found.principal, profile=found.profile, now=now)
            made: Mapping[str, str] = {} if kept is None else kept.value
            handles = SecretVault(store, sealer, time.time)
            known = {login: secret for login, handle in made.items() if (secret := handles.peek(handle)) is not None}
            if not known:
                break
            by = composition.local_user().id
            with reserve_private_file(file, len(_csv(known).encode()), chosen.lang) as fill:
                shown = handles.reveal_all(made.values(), by=by, via="terminal")
                given = {login: shown[handle] for login, handle in made.items() if handle in shown}
                fill(_csv(given).encode())
            return words["written"].format(what=words["secrets"].format(count=len(given)), file=file)
    raise SaasusMcpError(words["lost"], words["lost_mend"])


def _csv(secrets: Mapping[str, str]) -> str:
    """Whose secret, and the secret, a line each."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["login", "password"])
    writer.writerows(secrets.items())
    return written.getvalue()


def _secret(stores: Iterable[Store], sealer: Encryptor, handle: str, lang: Language) -> str:
    """The secret, taken out of the store that holds it.

    Raises:
        SaasusMcpError: none holds it.
    """
    for store in stores:
        try:
            handles = SecretVault(store, sealer, time.time)
            return handles.reveal(handle.strip(), by=composition.local_user().id, via="terminal")
        except CallRefused:
            continue
    words = WORDS[lang]
    raise SaasusMcpError(words["unknown_secret"], words["unknown_secret_mend"])
