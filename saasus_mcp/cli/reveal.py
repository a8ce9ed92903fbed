"""`saasus-mcp reveal ID`: a hidden secret, shown once to a person in a terminal and to nobody else."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

import click

from saasus_mcp.catalog import Language
from saasus_mcp.cli import keeping
from saasus_mcp.cli.options import language, settings
from saasus_mcp.cli.terminal import require_passphrase, require_person
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.handles import Handles
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.store import Store


@click.command
@click.argument("handle", metavar="ID")
@language
def command(handle: str, **flags: Any) -> None:
    """Show the secret behind ID (or secret://r/ID) once. Afterwards it is gone."""
    chosen = settings(**flags)
    require_person("reveal", chosen.lang)
    require_passphrase(chosen.folder, chosen.lang)
    words = WORDS[chosen.lang]
    with keeping.stores(chosen) as stores:
        secret = _secret(stores, keeping.sealing(chosen), handle, chosen.lang)
    if not secret.isprintable():
        click.echo(words["escaped"])
        secret = json.dumps(secret)
    click.echo(f"\n{secret}\n\n{words['gone']}")


def _secret(stores: Iterable[Store], sealer: Sealer, handle: str, lang: Language) -> str:
    """The secret, taken out of the store that holds it.

    Raises:
        SaasusMcpError: none holds it.
    """
    for store in stores:
        try:
            return Handles(store, sealer, time.time).reveal(handle.strip())
        except Refused:
            continue
    words = WORDS[lang]
    raise SaasusMcpError(words["unknown_secret"], words["unknown_secret_mend"])
