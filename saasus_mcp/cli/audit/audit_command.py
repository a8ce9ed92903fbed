"""`saasus-mcp audit`: search, export, verify and purge the audit log."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from saasus_mcp.cli import state
from saasus_mcp.cli.audit import audit_search
from saasus_mcp.cli.command_line import Group, option
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.options import json_option, json_outcome_option, settings_options
from saasus_mcp.cli.output import iso_time, print_json, print_outcome
from saasus_mcp.cli.terminal import TerminalError, format_json, prints_json, render, require_approver, say
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.system_reasons import json_reason, os_reason
from saasus_mcp.common.text import visible_text
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.audit.chain_verification import IntegrityReport
from saasus_mcp.store.audit.hash_chain import ChainHead
from saasus_mcp.store.records import AUDIT_DAYS, DAY, UNDO_LOG_DAYS
from saasus_mcp.store.store import Store

audit = Group("audit", no_args_is_help=True, help="cli_help.command.audit")
audit.add_command(audit_search.search, "search")


@audit.command(help="cli_help.command.audit_export")
@option(
    "--days", type=click.FloatRange(0), default=AUDIT_DAYS, show_default=True, help="cli_help.option.audit_since_days"
)
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
        print_json([head._asdict() for store in stores for head in store.audit_log.chain_heads()])
        stores.require_all()


@audit.command(help="cli_help.command.audit_verify")
@option("--heads", "file", type=click.Path(exists=True, path_type=Path), help="cli_help.option.heads")
@json_option
@settings_options("lang")
def verify(settings: Settings, *, file: Path | None) -> None:
    """Verify every chain, and that the exported heads are present."""
    exported = _read_heads(file) if file else []
    with state.open_audit_stores(settings) as stores:
        verified = {store.audit_log.name: _verify_store(store, exported) for store in stores}
    reports = {name: report for name, (report, _) in verified.items()}
    known = {head for _, heads in verified.values() for head in heads}
    lost, with_heads = [head for head in exported if head not in known], file is not None
    ok = not lost and not stores.unreadable and all(each.own_key and not each.breaks for each in reports.values())
    if prints_json():
        found = {"ok": ok, "heads_checked": with_heads, "stores": [_store_json(*each) for each in reports.items()]}
        missing = [{"writer": head.writer, "number": head.number} for head in lost]
        print_json({**found, "unreadable": stores.unreadable, "lost": missing})
    else:
        _report_faults(reports, lost)
        if ok:
            _report_success(verified.values(), with_heads=with_heads)
    click.get_current_context().exit(0 if ok else 1)


@audit.command(help="cli_help.command.audit_purge")
@option("--audit-days", default=AUDIT_DAYS, show_default=True, help="cli_help.option.audit_days")
@option("--journal-days", default=UNDO_LOG_DAYS, show_default=True, help="cli_help.option.undo_days")
@json_outcome_option
@settings_options("lang")
def purge(settings: Settings, *, audit_days: int, journal_days: int) -> None:
    """Remove records past their retention period from every store."""
    require_approver("audit purge", settings.state_folder)
    user, now = local_user(), time.time()
    before, before_undo = now - audit_days * DAY, now - journal_days * DAY
    with state.open_audit_stores(settings) as stores:
        removed = [store.purge(before, before_undo, now, by=user.id, person=user.person) for store in stores]
    audit_records, undo_entries = (sum(counts) for counts in zip(*removed, strict=True)) if removed else (0, 0)
    purged = message("cli_audit.purged", audit=audit_records, undo=undo_entries)
    print_outcome({"audit_records": audit_records, "undo_entries": undo_entries}, purged)
    stores.require_all()


def _store_json(name: str, report: IntegrityReport) -> dict[str, Any]:
    return {
        "name": name,
        "verified": report.own_key,
        "records": report.records,
        "other_keys": list(report.other_keys),
        "faults": [
            {"writer": each.writer, "number": each.number, "fault": render(each.fault)} for each in report.breaks
        ],
        "purged": [
            {"writer": mark.writer, "records": mark.number, "at": iso_time(mark.at), "by": mark.by}
            for mark in report.purged
        ],
    }


def _verify_store(store: Store, exported: list[ChainHead]) -> tuple[IntegrityReport, tuple[ChainHead, ...]]:
    """Return the report of a store, and the exported heads of its chains."""
    own = {head.writer for head in store.audit_log.chain_heads()}
    heads = tuple(head for head in exported if head.writer in own)
    return store.verify_audit_log(heads, time.time()), heads


def _report_faults(reports: Mapping[str, IntegrityReport], lost: list[ChainHead]) -> None:
    """Print what is wrong in the stores, by name, and the exported heads whose chains are gone."""
    for name, each in reports.items():
        if not each.own_key:
            say(message("cli_audit.other_key", store=name, keys=each.other_keys))
    own = {name: each for name, each in reports.items() if each.own_key}
    breaks = [(name, fault) for name, each in own.items() for fault in each.breaks]
    if breaks or lost:
        say(message("cli_audit.tampering"))
    for name, fault in breaks:
        say(visible_text(f"  {name} {fault.writer} {fault.number}: {render(fault.fault)}"))
    for head in lost:
        say("  " + visible_text(render(message("cli_audit.chain_missing", writer=head.writer, number=head.number))))
    missing = sorted({key for each in own.values() for key in each.other_keys})
    if breaks and missing:
        say(message("cli_audit.missing_keys", keys=tuple(missing)))


def _report_success(verified: Collection[tuple[IntegrityReport, tuple[ChainHead, ...]]], *, with_heads: bool) -> None:
    """Print how many records were verified and how many were purged: in all, or with heads, in each of their chains."""
    say(message("cli_audit.verified", records=sum(report.records for report, _ in verified)))
    for report, heads in verified:
        marks = report.purged
        if marks and not with_heads:
            say(message("cli_audit.purged_earlier", records=sum(mark.number for mark in marks), chains=len(marks)))
        for mark in marks:
            covered = [head for head in heads if head.writer == mark.writer]
            if covered:
                inside = any(head.number <= mark.number for head in covered)
                at, by = iso_time(mark.at) or "", visible_text(mark.by)
                say(
                    message(
                        "cli_audit.head_purged" if inside else "cli_audit.chain_purged",
                        writer=mark.writer,
                        records=mark.number,
                        at=at,
                        by=by,
                    )
                )
    say(message("cli_audit.heads_present" if with_heads else "cli_audit.no_heads"))


def _records(settings: Settings, since: float) -> Iterator[dict[str, Any]]:
    """Yield the records of every audit log, oldest first, with few of them in memory at a time."""
    with state.open_audit_stores(settings) as stores:
        streams = (store.audit_log.iterate_records(since) for store in stores)
        yield from heapq.merge(*streams, key=lambda record: record["at"])
        stores.require_all()


def _read_heads(file: Path) -> list[ChainHead]:
    reason: Message | str
    try:
        return [ChainHead(**row) for row in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, UnicodeDecodeError) as error:
        reason = os_reason(error)
    except json.JSONDecodeError as error:
        reason = json_reason(error)
    except (ValueError, TypeError):
        reason = message("cli_audit.other_format")
    raise TerminalError.of("cli_audit.invalid_heads", file=str(file), reason=reason)
