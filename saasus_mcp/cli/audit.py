"""`saasus-mcp audit`: search, export, verify and purge the audit log."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.command_line import group, option
from saasus_mcp.cli.options import settings_options
from saasus_mcp.cli.terminal import TerminalError, format_json, render, require_approver, say, utc_timestamp
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import MAX_LENGTH, one_line, quote_name, visible_text
from saasus_mcp.permissions.approval.action_records import action_of
from saasus_mcp.settings import Settings
from saasus_mcp.store import ChainHead, Store
from saasus_mcp.store.audit.chain_verification import IntegrityReport
from saasus_mcp.store.records import AUDIT_DAYS, DAY, UNDO_LOG_DAYS

_SHOWN_FIELDS = {
    "begun": "operation principal decision rule proof by arguments",
    "ended": "ok applied status",
    "refused": "operation principal refused rule arguments unreadable",
    "decided": "action principal via subject code operation from_call handle records key reason",
}
"""The fields of a record that `search` shows, by event."""


@group(no_args_is_help=True, help="cli_help.command.audit")
def audit() -> None:
    """Hold the commands of the audit log."""


@audit.command(help="cli_help.command.audit_search")
@option("--operation", default="", help="cli_help.option.audit_operation")
@option("--principal", default="", help="cli_help.option.audit_principal")
@option("--event", type=click.Choice(list(_SHOWN_FIELDS)), help="cli_help.option.audit_event")
@option("--days", default=7.0, show_default=True, help="cli_help.option.audit_since_days")
@settings_options("lang")
def search(settings: Settings, *, operation: str, principal: str, event: str | None, days: float) -> None:
    """Print the matching records, one a line."""
    wanted = {"operation": operation, "principal": principal, "event": event or ""}
    found = False
    for record in _records(settings, time.time() - days * DAY):
        if all(not value or record.get(name) == value for name, value in wanted.items()):
            click.echo(_record_line(record))
            found = True
    if not found:
        say(message("cli_audit.no_records"))


@audit.command(help="cli_help.command.audit_export")
@option("--days", default=float(AUDIT_DAYS), show_default=True, help="cli_help.option.audit_since_days")
@settings_options("lang")
def export(settings: Settings, *, days: float) -> None:
    """Print every record as one JSON object a line."""
    for record in _records(settings, time.time() - days * DAY):
        click.echo(format_json(record, indent=None))


@audit.command(help="cli_help.command.audit_heads")
@settings_options("lang")
def heads(settings: Settings) -> None:
    """Print the head of every chain as JSON."""
    with state.open_audit_stores(settings) as stores:
        click.echo(format_json([asdict(head) for store in stores for head in store.audit_log.chain_heads()]))


@audit.command(help="cli_help.command.audit_verify")
@option("--heads", "file", type=click.Path(exists=True, path_type=Path), help="cli_help.option.heads")
@settings_options("lang")
def verify(settings: Settings, *, file: Path | None) -> None:
    """Verify every chain, and that the exported heads are present."""
    exported = _read_heads(file) if file else []
    with state.open_audit_stores(settings) as stores:
        verified = {store.audit_log.name: _verify_store(store, exported) for store in stores}
    known = {head for each in verified.values() for head in each.heads}
    lost = [head for head in exported if head not in known]
    click.get_current_context().exit(_report(verified, lost, with_heads=file is not None))


@audit.command(help="cli_help.command.audit_purge")
@option("--audit-days", default=AUDIT_DAYS, show_default=True, help="cli_help.option.audit_days")
@option("--journal-days", default=UNDO_LOG_DAYS, show_default=True, help="cli_help.option.undo_days")
@settings_options("lang")
def purge(settings: Settings, *, audit_days: int, journal_days: int) -> None:
    """Remove records past their retention period from every store."""
    require_approver("audit purge", settings.state_folder)
    by, now = composition.local_user().id, time.time()
    with state.open_audit_stores(settings) as stores:
        removed = [store.purge(now - audit_days * DAY, now - journal_days * DAY, now, by=by) for store in stores]
    audit_records, undo_entries = (sum(counts) for counts in zip(*removed, strict=True)) if removed else (0, 0)
    say(message("cli_audit.purged", audit=audit_records, undo=undo_entries))


@dataclass(frozen=True, slots=True)
class _VerifiedStore:
    """The report of one store, and the exported heads of its chains."""

    report: IntegrityReport
    heads: tuple[ChainHead, ...]


def _verify_store(store: Store, exported: list[ChainHead]) -> _VerifiedStore:
    own = {head.writer for head in store.audit_log.chain_heads()}
    heads = tuple(head for head in exported if head.writer in own)
    return _VerifiedStore(store.verify_audit_log(heads, time.time()), heads)


def _report(verified: Mapping[str, _VerifiedStore], lost: list[ChainHead], *, with_heads: bool) -> int:
    """Print what was found. Return the exit status."""
    unverified = {name: each.report for name, each in verified.items() if not each.report.own_key}
    for name, report in unverified.items():
        say(message("cli_audit.other_key", store=name, keys=report.other_keys))
    own = {name: each for name, each in verified.items() if each.report.own_key}
    breaks = [(name, found) for name, each in own.items() for found in each.report.breaks]
    if breaks or lost:
        say(message("cli_audit.tampering"))
    for name, found in breaks:
        click.echo(visible_text(f"  {name} {found.writer} {found.number}: {render(found.fault)}"))
    for head in lost:
        click.echo(
            "  " + visible_text(render(message("cli_audit.chain_missing", writer=head.writer, number=head.number)))
        )
    missing = sorted({key for each in own.values() for key in each.report.other_keys})
    if breaks and missing:
        say(message("cli_audit.missing_keys", keys=tuple(missing)))
    if unverified or breaks or lost:
        return 1
    say(message("cli_audit.verified", records=sum(each.report.records for each in own.values())))
    for each in own.values():
        _report_purges(each, with_heads=with_heads)
    say(message("cli_audit.heads_present" if with_heads else "cli_audit.no_heads"))
    return 0


def _report_purges(verified: _VerifiedStore, *, with_heads: bool) -> None:
    """Print how many records were purged: in all, or with heads, in each of their chains."""
    marks = verified.report.purged
    if marks and not with_heads:
        say(message("cli_audit.purged_earlier", records=sum(mark.number for mark in marks), chains=len(marks)))
    for mark in marks:
        covered = [head for head in verified.heads if head.writer == mark.writer]
        if covered:
            inside = any(head.number <= mark.number for head in covered)
            say(
                message(
                    "cli_audit.head_purged" if inside else "cli_audit.chain_purged",
                    writer=mark.writer,
                    records=mark.number,
                    at=utc_timestamp(mark.at),
                    by=visible_text(mark.by),
                )
            )


def _records(settings: Settings, since: float) -> Iterator[dict[str, Any]]:
    """Yield the records of every audit log, oldest first, with few of them in memory at a time."""
    with state.open_audit_stores(settings) as stores:
        streams = (store.audit_log.iterate_records(since) for store in stores)
        yield from heapq.merge(*streams, key=lambda record: record["at"])


def _record_line(record: dict[str, Any]) -> str:
    names, shown = _SHOWN_FIELDS[record["event"]].split(), {**record, "action": action_of(record)}
    facts = (f"{name}={_value_text(shown[name])}" for name in names if shown.get(name) not in (None, ""))
    return f"{utc_timestamp(record['at'])} {record['call'][:8]} {record['event']:<7} {' '.join(facts)}"


def _value_text(value: Any) -> str:
    return quote_name(value) if isinstance(value, str) else one_line(format_json(value, indent=None), MAX_LENGTH)


def _read_heads(file: Path) -> list[ChainHead]:
    try:
        return [ChainHead(**row) for row in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, OSError) as error:
        raise TerminalError.of("cli_audit.invalid_heads", file=str(file), reason=type(error).__name__) from None
