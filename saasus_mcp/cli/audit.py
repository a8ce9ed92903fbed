"""`saasus-mcp audit`: who did what, by which rule and on whose yes; and whether the record of it is whole."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from saasus_mcp.catalog import Language
from saasus_mcp.cli import keeping
from saasus_mcp.cli.options import language, settings
from saasus_mcp.cli.terminal import AtTerminal, json_text, require_passphrase, require_person
from saasus_mcp.cli.upkeep_wording import WORDS
from saasus_mcp.saasus.words import LONGEST, named, one_line
from saasus_mcp.settings import Settings
from saasus_mcp.store import Head
from saasus_mcp.store.retention import AUDIT_DAYS, DAY, JOURNAL_DAYS


@click.group(no_args_is_help=True)
def command() -> None:
    """Search, verify and export the audit."""


@command.command
@click.option("--operation", default="", help="Only this operation, e.g. auth.DeleteTenant.")
@click.option("--principal", default="", help="Only calls of this principal.")
@click.option("--event", type=click.Choice(["begun", "ended", "refused", "decided"]), help="Only records of this kind.")
@click.option("--days", default=7.0, show_default=True, help="How far back.")
@language
def search(*, operation: str, principal: str, event: str | None, days: float, **flags: Any) -> None:
    """List audit records, one line each, oldest first."""
    chosen = settings(**flags)
    found = 0
    for record in _records(chosen, time.time() - days * DAY):
        wanted = {"operation": operation, "principal": principal, "event": event or ""}
        if all(not value or record.get(name) == value for name, value in wanted.items()):
            click.echo(_line(record))
            found += 1
    if not found:
        click.echo(WORDS[chosen.lang]["nothing"])


@command.command
@click.option("--days", default=float(AUDIT_DAYS), show_default=True, help="How far back.")
@language
def export(*, days: float, **flags: Any) -> None:
    """Write every audit record as one JSON object a line."""
    chosen = settings(**flags)
    for record in _records(chosen, time.time() - days * DAY):
        click.echo(json_text(record, indent=None))


@command.command
@language
def heads(**flags: Any) -> None:
    """Write the end of every chain, to be kept off this machine for `audit verify --heads`."""
    chosen = settings(**flags)
    with keeping.stores(chosen) as stores:
        click.echo(json_text([asdict(head) for store in stores for head in store.trail.heads()]))


@command.command
@click.option("--heads", "file", type=click.Path(exists=True, path_type=Path), help="Heads exported before.")
@language
@click.pass_context
def verify(context: click.Context, /, *, file: Path | None, **flags: Any) -> None:
    """Find records that were altered, removed or reordered; exit status 1 where there are any."""
    chosen = settings(**flags)
    words = WORDS[chosen.lang]
    kept = _heads(file, chosen.lang) if file else []
    with keeping.stores(chosen) as stores:
        writers = [{head.writer for head in store.trail.heads()} for store in stores]
        breaks = [
            found
            for store, own in zip(stores, writers, strict=True)
            for found in store.trail.verify(head for head in kept if head.writer in own)
        ]
        records = sum(store.trail.count() for store in stores)
    breaks_of_lost = [head for head in kept if not any(head.writer in own for own in writers)]
    if breaks or breaks_of_lost:
        click.echo(words["broken"])
        for found in breaks:
            click.echo(f"  {found.writer} {found.number}: {found.fault}")
        for head in breaks_of_lost:
            click.echo(f"  {head.writer} {head.number}: cut off: nothing of this writer is there")
        context.exit(1)
    click.echo(words["whole"].format(records=records))
    click.echo(words["reached"] if file else words["no_heads"])


@command.command
@click.option("--audit-days", default=AUDIT_DAYS, show_default=True, help="Keep so many days of the audit.")
@click.option("--journal-days", default=JOURNAL_DAYS, show_default=True, help="Keep so many days of the journal.")
@language
def purge(*, audit_days: int, journal_days: int, **flags: Any) -> None:
    """Remove what is older than is kept. Only a person at a terminal can."""
    chosen, now = settings(**flags), time.time()
    require_person("audit purge", chosen.lang)
    require_passphrase(chosen.folder, chosen.lang)
    with keeping.stores(chosen) as stores:
        removed = [store.purge(now - audit_days * DAY, now - journal_days * DAY, now) for store in stores]
    gone, forgotten = (sum(counts) for counts in zip(*removed, strict=True)) if removed else (0, 0)
    click.echo(WORDS[chosen.lang]["purged"].format(audit=gone, journal=forgotten))


def _records(chosen: Settings, since: float) -> list[dict[str, Any]]:
    with keeping.stores(chosen) as stores:
        return sorted(
            (record for store in stores for record in store.trail.records(since)), key=lambda record: record["at"]
        )


def _line(record: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(record["at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = {
        "begun": ("operation", "principal", "decision", "rule", "proof", "by", "arguments"),
        "ended": ("ok", "applied", "status"),
        "refused": ("operation", "principal", "refused", "rule", "arguments"),
        "decided": ("deed", "principal", "code", "operation", "reason"),
    }[record["event"]]
    facts = (f"{name}={_value(record[name])}" for name in shown if record.get(name) not in (None, ""))
    return f"{at} {record['call'][:8]} {record['event']:<7} {' '.join(facts)}"


def _value(value: Any) -> str:
    return named(value) if isinstance(value, str) else one_line(json_text(value, indent=None), LONGEST)


def _heads(file: Path, lang: Language) -> list[Head]:
    try:
        return [Head(**row) for row in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, OSError) as error:
        words = WORDS[lang]
        why = type(error).__name__
        raise AtTerminal(words["bad_heads"].format(file=file, why=why), words["bad_heads_mend"]) from None
