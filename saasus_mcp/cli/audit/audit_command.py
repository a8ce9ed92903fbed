"""`saasus-mcp audit`: search, export, verify and purge the audit log."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.audit import audit_search
from saasus_mcp.cli.command_line import Group, option
from saasus_mcp.cli.options import json_option, json_outcome_option, settings_options
from saasus_mcp.cli.output import iso_time, print_json, print_outcome
from saasus_mcp.cli.terminal import TerminalError, format_json, render, require_approver, say
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
def verify(settings: Settings, *, file: Path | None, as_json: bool) -> None:
    """Verify every chain, and that the exported heads are present."""
    exported = _read_heads(file) if file else []
    with state.open_audit_stores(settings) as stores:
        verified = {store.audit_log.name: _verify_store(store, exported) for store in stores}
    known = {head for each in verified.values() for head in each.heads}
    lost = [head for head in exported if head not in known]
    found = _Verification(verified, lost, tuple(stores.unreadable), with_heads=file is not None)
    if as_json:
        print_json(found.as_json())
    else:
        _report(found)
    click.get_current_context().exit(0 if found.succeeded else 1)


@audit.command(help="cli_help.command.audit_purge")
@option("--audit-days", default=AUDIT_DAYS, show_default=True, help="cli_help.option.audit_days")
@option("--journal-days", default=UNDO_LOG_DAYS, show_default=True, help="cli_help.option.undo_days")
@json_outcome_option
@settings_options("lang")
def purge(settings: Settings, *, audit_days: int, journal_days: int) -> None:
    """Remove records past their retention period from every store."""
    require_approver("audit purge", settings.state_folder)
    user, now = composition.local_user(), time.time()
    before, before_undo = now - audit_days * DAY, now - journal_days * DAY
    with state.open_audit_stores(settings) as stores:
        removed = [store.purge(before, before_undo, now, by=user.id, person=user.person) for store in stores]
    audit_records, undo_entries = (sum(counts) for counts in zip(*removed, strict=True)) if removed else (0, 0)
    purged = message("cli_audit.purged", audit=audit_records, undo=undo_entries)
    print_outcome({"audit_records": audit_records, "undo_entries": undo_entries}, purged)
    stores.require_all()


@dataclass(frozen=True, slots=True)
class _VerifiedStore:
    """The report of one store, and the exported heads of its chains."""

    report: IntegrityReport
    heads: tuple[ChainHead, ...]


@dataclass(frozen=True, slots=True)
class _Verification:
    """The reports of all stores by name, the exported heads whose chains are gone, and the stores that cannot be opened."""

    stores: Mapping[str, _VerifiedStore]
    lost: list[ChainHead]
    unreadable: tuple[str, ...]
    with_heads: bool

    @property
    def succeeded(self) -> bool:
        reports = [each.report for each in self.stores.values()]
        return not self.lost and not self.unreadable and all(report.own_key and not report.breaks for report in reports)

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.succeeded,
            "heads_checked": self.with_heads,
            "stores": [_store_json(name, each.report) for name, each in self.stores.items()],
            "unreadable": list(self.unreadable),
            "lost": [{"writer": head.writer, "number": head.number} for head in self.lost],
        }


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


def _verify_store(store: Store, exported: list[ChainHead]) -> _VerifiedStore:
    own = {head.writer for head in store.audit_log.chain_heads()}
    heads = tuple(head for head in exported if head.writer in own)
    return _VerifiedStore(store.verify_audit_log(heads, time.time()), heads)


def _report(found: _Verification) -> None:
    for name, each in found.stores.items():
        if not each.report.own_key:
            say(message("cli_audit.other_key", store=name, keys=each.report.other_keys))
    own = {name: each for name, each in found.stores.items() if each.report.own_key}
    breaks = [(name, fault) for name, each in own.items() for fault in each.report.breaks]
    if breaks or found.lost:
        say(message("cli_audit.tampering"))
    for name, fault in breaks:
        say(visible_text(f"  {name} {fault.writer} {fault.number}: {render(fault.fault)}"))
    for head in found.lost:
        say("  " + visible_text(render(message("cli_audit.chain_missing", writer=head.writer, number=head.number))))
    missing = sorted({key for each in own.values() for key in each.report.other_keys})
    if breaks and missing:
        say(message("cli_audit.missing_keys", keys=tuple(missing)))
    if not found.succeeded:
        return
    say(message("cli_audit.verified", records=sum(each.report.records for each in own.values())))
    for each in own.values():
        _report_purges(each, with_heads=found.with_heads)
    say(message("cli_audit.heads_present" if found.with_heads else "cli_audit.no_heads"))


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
                    at=iso_time(mark.at) or "",
                    by=visible_text(mark.by),
                )
            )


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
