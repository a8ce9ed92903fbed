"""`saasus-mcp audit`: who did what, by which rule and on whose yes; and whether the record of it is whole."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.options import language_option, load_settings
from saasus_mcp.cli.terminal import TerminalError, format_json, require_passphrase, require_person, safe
from saasus_mcp.cli.upkeep_wording import WORDS
from saasus_mcp.common.language import Language
from saasus_mcp.common.text import MAX_LENGTH, one_line, quote_name
from saasus_mcp.settings import Settings
from saasus_mcp.store import ChainHead, Store
from saasus_mcp.store.audit.chain_verification import IntegrityReport
from saasus_mcp.store.records import AUDIT_DAYS, DAY, UNDO_LOG_DAYS


@click.group(no_args_is_help=True)
def command() -> None:
    """Search, verify and export the audit log."""


@command.command
@click.option("--operation", default="", help="Only this operation, e.g. auth.DeleteTenant.")
@click.option("--principal", default="", help="Only calls of this principal.")
@click.option("--event", type=click.Choice(["begun", "ended", "refused", "decided"]), help="Only records of this kind.")
@click.option("--days", default=7.0, show_default=True, help="How far back.")
@language_option
def search(*, operation: str, principal: str, event: str | None, days: float, **flags: Any) -> None:
    """List audit records, one line each, oldest first."""
    chosen = load_settings(**flags)
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
@language_option
def export(*, days: float, **flags: Any) -> None:
    """Write every audit record as one JSON object per line."""
    chosen = load_settings(**flags)
    for record in _records(chosen, time.time() - days * DAY):
        click.echo(format_json(record, indent=None))


@command.command
@language_option
def heads(**flags: Any) -> None:
    """Write the last record (head) of every chain. Store it on another machine for `audit verify --heads`."""
    chosen = load_settings(**flags)
    with state.open_audit_stores(chosen) as stores:
        click.echo(format_json([asdict(head) for store in stores for head in store.audit_log.chain_heads()]))


@command.command
@click.option("--heads", "file", type=click.Path(exists=True, path_type=Path), help="File of heads exported earlier.")
@language_option
@click.pass_context
def verify(context: click.Context, /, *, file: Path | None, **flags: Any) -> None:
    """Find records that were altered, removed, added or moved. Exit status 1 if there are any."""
    chosen = load_settings(**flags)
    kept = _heads(file, chosen.lang) if file else []
    with state.open_audit_stores(chosen) as stores:
        found = {store.audit_log.name: _judged(store, kept) for store in stores}
    known = {head for judged in found.values() for head in judged.heads}
    lost = [head for head in kept if head not in known]
    context.exit(_said(found, lost, WORDS[chosen.lang], heads=file is not None))


@dataclass(frozen=True, slots=True)
class _Judged:
    """One store verified, and the exported heads that are of its chains."""

    verdict: IntegrityReport
    heads: tuple[ChainHead, ...]


def _judged(store: Store, kept: list[ChainHead]) -> _Judged:
    own = {head.writer for head in store.audit_log.chain_heads()}
    heads = tuple(head for head in kept if head.writer in own)
    return _Judged(store.audit_log.verify_integrity(heads), heads)


def _said(found: Mapping[str, _Judged], lost: list[ChainHead], words: Mapping[str, str], *, heads: bool) -> int:
    """Say what was found. Gives the exit status."""
    foreign = [(name, each.verdict) for name, each in found.items() if not each.verdict.own_key]
    for name, verdict in foreign:
        click.echo(words["other_key"].format(store=name, keys=", ".join(verdict.other_keys)))
    own = {name: each for name, each in found.items() if each.verdict.own_key}
    breaks = [(name, each) for name, judged in own.items() for each in judged.verdict.breaks]
    if breaks or lost:
        click.echo(words["broken"])
    for name, each in breaks:
        click.echo(safe(f"  {name} {each.writer} {each.number}: {each.fault}"))
    for head in lost:
        click.echo(safe(f"  {head.writer} {head.number}: cut off: nothing of this writer is there"))
    missing = sorted({key for judged in own.values() for key in judged.verdict.other_keys})
    if breaks and missing:
        click.echo(words["missing_keys"].format(keys=", ".join(missing)))
    if foreign or breaks or lost:
        return 1
    click.echo(words["whole"].format(records=sum(judged.verdict.records for judged in own.values())))
    for judged in own.values():
        _say_purged(judged, words, heads=heads)
    click.echo(words["reached"] if heads else words["no_heads"])
    return 0


def _say_purged(judged: _Judged, words: Mapping[str, str], *, heads: bool) -> None:
    """How many records purges removed; with heads, of each of their chains."""
    if judged.verdict.purged and not heads:
        count = sum(mark.number for mark in judged.verdict.purged)
        click.echo(words["purged_before"].format(records=count, chains=len(judged.verdict.purged)))
    for mark in judged.verdict.purged:
        if covered := [head for head in judged.heads if head.writer == mark.writer]:
            inside = sum(head.number <= mark.number for head in covered)
            at = datetime.fromtimestamp(mark.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            told = {"writer": mark.writer, "records": mark.number, "at": at, "by": safe(mark.by)}
            click.echo(words["head_purged" if inside else "chain_purged"].format(**told))


@command.command
@click.option("--audit-days", default=AUDIT_DAYS, show_default=True, help="Days of audit records to keep.")
@click.option("--journal-days", default=UNDO_LOG_DAYS, show_default=True, help="Days of undo entries to keep.")
@language_option
def purge(*, audit_days: int, journal_days: int, **flags: Any) -> None:
    """Remove records past their retention period. Needs a person at a terminal. Fails if the audit log does not verify."""
    chosen, now = load_settings(**flags), time.time()
    require_person("audit purge", chosen.lang)
    require_passphrase(chosen.state_folder, chosen.lang)
    who = composition.local_user().id
    with state.open_audit_stores(chosen) as stores:
        removed = [store.purge(now - audit_days * DAY, now - journal_days * DAY, now, by=who) for store in stores]
    gone, forgotten = (sum(counts) for counts in zip(*removed, strict=True)) if removed else (0, 0)
    click.echo(WORDS[chosen.lang]["purged"].format(audit=gone, journal=forgotten))


def _records(chosen: Settings, since: float) -> Iterator[dict[str, Any]]:
    """The records of every audit, oldest first, few of them in memory at a time."""
    with state.open_audit_stores(chosen) as stores:
        yield from heapq.merge(
            *(store.audit_log.iterate_records(since) for store in stores), key=lambda record: record["at"]
        )


def _line(record: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(record["at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = {
        "begun": ("operation", "principal", "decision", "rule", "proof", "by", "arguments"),
        "ended": ("ok", "applied", "status"),
        "refused": ("operation", "principal", "refused", "rule", "arguments", "unreadable"),
        "decided": (
            "deed",
            "principal",
            "via",
            "subject",
            "code",
            "operation",
            "from_call",
            "handle",
            "records",
            "key",
            "reason",
        ),
    }[record["event"]]
    facts = (f"{name}={_value(record[name])}" for name in shown if record.get(name) not in (None, ""))
    return f"{at} {record['call'][:8]} {record['event']:<7} {' '.join(facts)}"


def _value(value: Any) -> str:
    return quote_name(value) if isinstance(value, str) else one_line(format_json(value, indent=None), MAX_LENGTH)


def _heads(file: Path, lang: Language) -> list[ChainHead]:
    try:
        return [ChainHead(**row) for row in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, OSError) as error:
        words = WORDS[lang]
        why = type(error).__name__
        raise TerminalError(words["bad_heads"].format(file=file, why=why), words["bad_heads_mend"]) from None
