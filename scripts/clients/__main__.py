"""`make clients`: try every client and framework against the wheel in dist/, and write the table in docs/clients/.

Exits with 1 where one shows less than this product promises. What each client printed and reported stays in build/clients/trials/, or below
the folder that CLIENTS_DIR names.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from pathlib import Path

import anyio
import click

from saasus_mcp.catalog import load_catalogue
from scripts.clients import page, results
from scripts.clients.installing import Installer, NotInstalled
from scripts.clients.registry import CLIENTS, Client
from scripts.clients.results import Row
from scripts.clients.trial import ROOT, Prepared, ProbeFailed, prepare, try_client

KEYS = tuple(client.key for client in CLIENTS)


@click.command
@click.argument("clients", nargs=-1, type=click.Choice(KEYS))
@click.option("--command", help="The server's program; without it, the wheel in dist/ is installed.")
def main(clients: tuple[str, ...], command: str | None) -> None:
    """Try these clients, or all of them."""
    cache = Path(os.environ.get("CLIENTS_DIR") or ROOT / "build" / "clients").absolute()
    installer, rows, faults = Installer(cache), results.load(), []
    prepared = anyio.run(
        prepare, command or str(installer.server(_wheel())), load_catalogue(), _empty(cache / "trials" / "first")
    )
    path = os.pathsep.join((str(installer.node()), os.defpath))
    for client in CLIENTS:
        if client.key in (clients or KEYS):
            row = _row(client, installer, prepared, _empty(cache / "trials" / client.key), path)
            rows[client.key] = row
            results.save(rows)
            page.write(rows)
            faults += [f"{client.name}: {fault}" for fault in row.faults()]
            click.echo(f"{client.name} {row.version}: {'; '.join(row.faults()) or row.skipped or 'as promised'}")
    sys.exit(bool(faults))


def _wheel() -> Path:
    wheel = next((ROOT / "dist").glob("*.whl"), None)
    if wheel is None:
        raise click.ClickException("There is no wheel in dist/. Run `make package` first.")
    return wheel


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _row(client: Client, installer: Installer, prepared: Prepared, folder: Path, path: str) -> Row:
    """Try one client. One that cannot be had, or does not come to its calls, has a row that says so."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    version = ""
    try:
        with installer.installed(client) as environment:
            version = environment.version
            tried = try_client(client.key, environment, prepared, folder, path)
    except NotInstalled as error:
        (folder / "output.txt").write_text(str(error), encoding="utf-8")
        return Row(client.key, today, version, skipped="not_installed")
    except ProbeFailed as error:
        return Row(client.key, today, version, skipped="late" if error.late else "failed")
    return Row(
        client.key,
        today,
        version,
        tools=tried.found.tools,
        total=tried.total,
        converted=tried.found.converted,
        alone=tried.alone,
        with_person=tried.with_person,
    )


if __name__ == "__main__":
    main()
