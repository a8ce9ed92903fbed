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

from saasus_mcp.catalog import Language
from saasus_mcp.cli import compose, keeping
from saasus_mcp.cli.job_wording import WORDS as JOB_WORDS
from saasus_mcp.cli.options import language, settings
from saasus_mcp.cli.private import reserved
from saasus_mcp.cli.terminal import require_passphrase, require_person
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.handles import Handles
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.server.results import opened
from saasus_mcp.settings import Settings
from saasus_mcp.store import Store


@click.command
@click.argument("handle", metavar="ID")
@click.option(
    "--output", type=click.Path(path_type=Path), help="New private file for all secrets of a job (ID: its id)."
)
@language
def command(handle: str, output: Path | None, **flags: Any) -> None:
    """Show the secret with this ID (or secret://r/ID) once, then delete it.

    With --output, write all secrets created by the job ID to a file that only you can read.
    """
    chosen = settings(**flags)
    require_person("reveal", chosen.lang)
    require_passphrase(chosen.folder, chosen.lang)
    words = WORDS[chosen.lang]
    if output is not None:
        click.echo(_written(chosen, handle.strip(), output))
        return
    with keeping.stores(chosen) as stores:
        secret = _secret(stores, keeping.sealing(chosen), handle, chosen.lang)
    if not secret.isprintable():
        click.echo(words["escaped"])
        secret = json.dumps(secret)
    click.echo(f"\n{secret}\n\n{words['gone']}")


def _written(chosen: Settings, job: str, file: Path) -> str:
    """Write the secrets that a job made, as CSV: that it was done.

    Raises:
        SaasusMcpError: there are none any more, or the file cannot be written. Then none is used up.
    """
    words, sealer = JOB_WORDS[chosen.lang], keeping.sealing(chosen)
    with keeping.stores(chosen) as stores:
        for store in stores:
            found = store.jobs.find(job)
            if found is None:
                continue
            whose = found.principal, found.profile
            kept = opened(store, sealer, found.report.get("kept_secrets", ""), whose, time.time())
            made: Mapping[str, str] = {} if kept is None else kept.value
            handles = Handles(store, sealer, time.time)
            known = {login: secret for login, handle in made.items() if (secret := handles.known(handle)) is not None}
            if not known:
                break
            by = compose.local_user().id
            with reserved(file, len(_csv(known).encode()), chosen.lang) as fill:
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


def _secret(stores: Iterable[Store], sealer: Sealer, handle: str, lang: Language) -> str:
    """The secret, taken out of the store that holds it.

    Raises:
        SaasusMcpError: none holds it.
    """
    for store in stores:
        try:
            handles = Handles(store, sealer, time.time)
            return handles.reveal(handle.strip(), by=compose.local_user().id, via="terminal")
        except Refused:
            continue
    words = WORDS[lang]
    raise SaasusMcpError(words["unknown_secret"], words["unknown_secret_mend"])
