"""`saasus-mcp undo`: list changes, and undo one or those of a job through the pipeline."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.cli import state
from saasus_mcp.cli.command_line import argument, command, option
from saasus_mcp.cli.destination import SANDBOX_PROFILE, resolve_destination
from saasus_mcp.cli.exit_status import ExitStatus, explain_failure, print_failure, print_refusal, status_of_answer
from saasus_mcp.cli.local_user import action_at_terminal, local_user
from saasus_mcp.cli.options import make_json_option, parse_since, settings_options
from saasus_mcp.cli.output import print_json, print_list, print_outcome
from saasus_mcp.cli.question_view import terminal_reader
from saasus_mcp.cli.session import TerminalSession, open_session
from saasus_mcp.cli.terminal import (
    TerminalError,
    prints_json,
    prompt_hidden,
    render,
    require_passphrase,
    require_person,
    say,
)
from saasus_mcp.cli.undo import undo_list
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.approval import action_records
from saasus_mcp.permissions.approval.action_records import ActionKind
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.deletions import deletions_by_call
from saasus_mcp.server.pipeline.undo import (
    Undoer,
    UndoPlan,
    UndoStep,
    describe_change,
    describe_step,
    plan_undo,
    preview_undo,
)
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.records import UndoEntry

UNDO_JOB = "job_undo_job"
_EXPLAINED_REASONS = (
    "undone",
    "alreadyused",
    "undo_others",
    "undo_elsewhere",
)
"""Reasons with a text of this command."""
_MAX_ID = 40


@command(help="cli_help.command.undo")
@settings_options()
@argument("identifier", metavar="[ID]", required=False)
@option("--job", default="", metavar="ID", help="cli_help.option.undo_job")
@option("--list", "only_list", is_flag=True, help="cli_help.option.undo_list")
@option("--operation", default="", metavar="NAME", help="cli_help.option.undo_operation")
@option("--since", default="", metavar="TIME", help="cli_help.option.undo_since")
@option("--limit", default=20, show_default=True, type=click.IntRange(1), help="cli_help.option.undo_limit")
@make_json_option("cli_help.option.undo_json")
def undo(
    settings: Settings,
    *,
    identifier: str | None,
    job: str,
    only_list: bool,
    operation: str,
    since: str,
    limit: int,
) -> None:
    """List the changes, or undo one of them or those of a job."""
    if identifier is not None and job:
        raise TerminalError(message("cli_undo.call_and_job"), message("cli_undo.unknown_id_hint"))
    call, job = (identifier or "").strip().lower(), job.strip().lower()
    if only_list or (identifier is None and not job):
        _list(settings, since, call=call, job=job, operation=operation, limit=limit)
        return
    require_person("undo")
    _require_known(settings, call, job)
    require_passphrase(settings.state_folder)
    is_approver = passphrase.is_passphrase_set(settings.state_folder)  # and the person has just entered it
    undoer = Undoer(local_user(), is_approver)
    sys.exit(_undo(settings, call, job, undoer))


def _list(settings: Settings, since: str, *, call: str, job: str, operation: str, limit: int) -> None:
    """Print the changes.

    Args:
        call, job: the beginning of the id.
        operation: a part of the name.
    """
    reader, catalogue = terminal_reader(settings), load_catalogue()
    start = parse_since(since, reader.zone) if since else 0.0
    with state.open_stores(settings) as stores:
        logs = [store.undo_log.list_entries(start) for store in stores]
    newest = sorted((entry for log in logs for entry in log), key=lambda each: -each.at)
    deleted = deletions_by_call(catalogue, logs)
    entries = [
        entry for entry in newest if undo_list.matches(entry, catalogue, call=call, job=job, operation=operation)
    ]
    if prints_json():
        print_json(undo_list.entries_json(entries, catalogue, deleted))
        stores.require_all()
        return
    one_by_one = bool(call or job)
    groups = [[entry] for entry in entries] if one_by_one else undo_list.group_by_job(entries)
    lines = undo_list.call_lines if one_by_one else None
    print_list(
        line
        for group in groups[:limit]
        for line in (
            lines(group[0], catalogue, reader, deleted)
            if lines
            else undo_list.group_lines(group, catalogue, reader, deleted)
        )
    )
    if len(groups) > limit:
        say(message("cli_undo.more", more=len(groups) - limit))
    if groups:
        say()
        say(message("cli_undo.how_to"))
    else:
        stores.require_all()
        filtered = any((call, job, operation)) or since
        say(message("cli_undo.nothing_matches" if filtered else "cli_undo.nothing"))
    stores.require_all()


def _undo(settings: Settings, identifier: str, job: str, undoer: Undoer) -> ExitStatus:
    """Undo a call or a job. Return the exit status: 0 if everything that can be undone is undone.

    Raises:
        TerminalError: no change, or more than one, has the id, or this person cannot undo it here.
    """
    with open_session(settings) as session:
        entries = _find_entries(session, identifier, job)
        undoing = _Undoing(session, undoer)
        return undoing.undo_job(settings, entries) if job else undoing.undo_call(entries[0])


def _require_known(settings: Settings, identifier: str, job: str) -> None:
    """Require such a change in this profile, and its credentials: before a passphrase is asked for, and credentials are missed.

    Raises:
        TerminalError: no store has such a change, or it was made in the sandbox or in another profile.
        SettingsError: the profile has no credentials.
    """
    with state.open_stores(settings) as stores:
        owners = {
            entry.profile: entry.principal
            for store in stores
            for entry in store.undo_log.list_entries()
            if _fits(entry, identifier, job)
        }
    if not owners:
        raise TerminalError.of("cli_undo.unknown_id", id=visible_text((job or identifier)[:_MAX_ID]))
    if settings.sandbox:
        return
    if owners.keys() == {SANDBOX_PROFILE}:
        raise TerminalError.of("cli_undo.in_sandbox")
    if settings.profile not in owners:
        profile = next(each for each in owners if each != SANDBOX_PROFILE)
        names = {"principal": visible_text(owners[profile]), "profile": visible_text(profile)}
        raise TerminalError(one_of("cli_undo.refused", Reason.UNDO_ELSEWHERE, **names))
    resolve_destination(settings)


def _fits(entry: UndoEntry, identifier: str, job: str) -> bool:
    wanted = job or identifier
    return bool(wanted) and (entry.job if job else entry.call).startswith(wanted)


def _find_entries(session: TerminalSession, identifier: str, job: str) -> list[UndoEntry]:
    """Return the one entry whose id begins so, or the entries of the one job, newest first.

    Raises:
        TerminalError: more than one fits, or it belongs to another SaaS.
    """
    found = [entry for entry in session.pipeline.store.undo_log.list_entries() if _fits(entry, identifier, job)]
    if len({entry.job if job else entry.call for entry in found}) == 1:
        return found
    if not found:
        raise TerminalError.of("cli_undo.elsewhere")
    shown = visible_text((job or identifier)[:_MAX_ID])
    raise TerminalError(message("cli_undo.ambiguous_id", id=shown), message("cli_undo.unknown_id_hint"))


class _Undoing:
    def __init__(self, session: TerminalSession, undoer: Undoer) -> None:
        self._session, self._undoer = session, undoer
        self._pipeline = session.pipeline

    def undo_call(self, entry: UndoEntry) -> ExitStatus:
        """Undo one call. Return the exit status: 0 if all of its steps are done."""
        plan = self._plan(entry)
        say(self._session.destination_text)
        _show_plan(self._pipeline.catalogue, plan, self._session.reader)
        self._record(entry.operation, entry.call)
        refused = self._run(plan)
        done = len(plan.steps) - self._count_left(entry)
        if refused is None:
            status, text = ExitStatus.DONE, message("cli_undo.all_done")
        elif done:
            status, text = ExitStatus.INCOMPLETE, message("cli_undo.partly_done", done=done, all=len(plan.steps))
        else:
            status, text = status_of_answer(refused), message("cli_undo.none_done")
        print_outcome({"call": entry.call, "undone": refused is None, "done": done, "steps": len(plan.steps)}, text)
        return status

    def undo_job(self, settings: Settings, entries: Sequence[UndoEntry]) -> ExitStatus:
        """Undo the changes of a job as a job, after one question. Return the exit status."""
        from saasus_mcp.cli import composition  # noqa: PLC0415 - imports the SDK and the HTTP client
        from saasus_mcp.cli.job import run_to_end  # noqa: PLC0415 - only if a job is undone

        session, profile = self._session, self._pipeline.destination.profile
        session.announce()
        catalogue = self._pipeline.catalogue
        deleted = deletions_by_call(catalogue, [self._pipeline.store.undo_log.list_entries()])
        say("\n".join(undo_list.group_lines(entries, catalogue, session.reader, deleted)))
        obstacles = [self._find_obstacle(entry) for entry in entries]
        never = obstacles.count(Reason.UNDO_NONE)
        if all(obstacles):
            print_outcome(_job_json(entries[0].job, 0, 0, never), message("cli_undo.job_nothing"))
            return ExitStatus.DONE
        self._record(entries[0].job_name, entries[0].job)
        open_runners = composition.open_job_runners(settings, {profile: self._pipeline})
        with session.portal.wrap_async_context_manager(open_runners) as runners:
            runner = runners[profile]
            values = {"of": entries[0].job, "is_approver": self._undoer.is_approver}
            try:
                answer, _ = run_to_end(session, runner, runner.specs[UNDO_JOB], values)
            except CallRefused as refusal:
                print_refusal(refusal)
                return ExitStatus.REFUSED
        if not answer.ok:
            print_failure(answer)
            return ExitStatus.FAILED
        report = answer.structured or {}
        for row in report.get("rows", []):
            if row.get("why"):
                say(visible_text(f"{row['row']} {row.get('target') or row.get('tool', '')}: {row['why']}"))
        counts = report.get("counts", {})
        done = counts.get("applied", 0)
        left = sum(counts.values()) - done - never - counts.get("skipped", 0)
        summary = message("cli_undo.job_summary", done=done, left=left, never=never)
        print_outcome(_job_json(entries[0].job, done, left, never), summary)
        return ExitStatus.DONE if report.get("status") == "done" and not left else ExitStatus.INCOMPLETE

    def _find_obstacle(self, entry: UndoEntry) -> Reason | None:
        """Return why a change has nothing left to undo, or None: it is undone already, or cannot be.

        Raises:
            TerminalError: this person may not undo it, or not in this profile.
        """
        try:
            self._plan(entry)
        except TerminalError as error:
            reason = error.__cause__.reason if isinstance(error.__cause__, CallRefused) else None
            if reason not in (Reason.UNDONE, Reason.UNDO_NONE):
                raise
            return Reason(reason)
        return None

    def _plan(self, entry: UndoEntry) -> UndoPlan:
        """Return how to undo one call. Raise TerminalError if it cannot be undone, or not by this person."""
        try:
            return plan_undo(self._pipeline.catalogue, entry, self._undoer, self._pipeline.destination)
        except CallRefused as refused:
            if refused.reason == Reason.UNDO_NONE:
                raise TerminalError(refused.message) from refused
            principal, profile = visible_text(entry.principal), visible_text(entry.profile)
            text = one_of("cli_undo.refused", refused.reason, principal=principal, profile=profile)
            raise TerminalError(text) from refused

    def _count_left(self, entry: UndoEntry) -> int:
        """Return how many steps the undo log now shows as not done."""
        current = self._pipeline.store.undo_log.get(entry.call) or entry
        try:
            return sum(not step.is_done for step in self._plan(current).steps)
        except SaasusMcpError:
            return 0

    def _record(self, operation: str, call: str) -> None:
        destination = self._pipeline.destination
        place = {"profile": destination.profile, "saas_id": destination.saas_id}
        action = action_at_terminal(ActionKind.UNDO, **place, operation=operation, from_call=call)
        action_records.record_action(self._pipeline.store, action, time.time())

    def _run(self, plan: UndoPlan) -> ToolAnswer | None:
        """Make the calls that are not done. Return the answer of the first that was not made, or None."""
        for step in plan.steps:
            if step.is_done:
                continue
            call = plan.call_for(step, _ask_missing(step), self._undoer.principal)
            answer = self._session.run(call, self._pipeline.run)
            if not answer.ok:
                if answer.why in _EXPLAINED_REASONS:
                    names = {"principal": plan.entry.principal, "profile": plan.entry.profile}
                    say(one_of("cli_undo.refused", answer.why, **names), err=True)
                else:
                    say(explain_failure(answer), err=True)
                return answer
            say(message("cli_undo.done", title=step.operation.title))
        return None


def _job_json(job: str, done: int, left: int, never: int) -> dict[str, Any]:
    return {"job": job, "undone": not left, "done": done, "left": left, "never": never}


def _ask_missing(step: UndoStep) -> Mapping[str, Any]:
    """Return the values that were never stored, as the person enters them again.

    Raises:
        TerminalError: the person entered nothing.
    """
    values = {}
    for path in step.missing_paths:
        values[path] = prompt_hidden(message("cli_undo.ask_value", path=path))
        if not values[path]:
            raise TerminalError.of("cli_undo.value_missing", path=path)
    return values


def _show_plan(catalogue: Catalogue, plan: UndoPlan, reader: Reader) -> None:
    """Print what was done, the calls that undo it, and what does not come back."""
    preview, said = preview_undo(catalogue, plan.entry), describe_change(catalogue, plan.entry)
    lines = [f"  {said.sentence(reader)}", *(f"    {line}" for line in said.lines(reader))] if said is not None else []
    say(f"\n{render(message('cli_undo.changed_by_call'))}:\n" + "\n".join(map(visible_text, lines)))
    say(f"\n{render(message('cli_undo.inverse_calls'))}:")
    for step in plan.steps:
        note = f"  ({render(message('cli_undo.already_done'))})" if step.is_done else ""
        described = describe_step(plan, step)
        say(f"  {visible_text(described.sentence(reader))}{note}")
        for line in described.all_lines(reader):
            say(f"    {visible_text(line)}")
        say(f"    {' '.join((step.operation.tool, *(f'{name}={visible_text(id_)}' for name, id_ in step.ids)))}")
    if preview and preview.note:
        say(f"\n{render(message('cli_undo.not_restored'))}:\n  {render(preview.note)}\n")
    else:
        say(f"\n{render(message('cli_undo.all_restored'))}\n")
