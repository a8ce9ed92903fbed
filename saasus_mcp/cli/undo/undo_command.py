"""`saasus-mcp undo`: what was changed, and undoing one change or a whole job, by a person and through the same pipeline."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli import composition, state
from saasus_mcp.cli.call import run_with_questions
from saasus_mcp.cli.options import load_settings, shared_options
from saasus_mcp.cli.sandbox import sandbox_state
from saasus_mcp.cli.terminal import (
    TerminalError,
    format_json,
    prompt,
    prompt_hidden,
    require_passphrase,
    require_person,
    safe,
)
from saasus_mcp.cli.undo import undo_list
from saasus_mcp.cli.undo.undo_list import UndoFilter
from saasus_mcp.cli.undo_wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval import action_records
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord
from saasus_mcp.permissions.approval.proof import describe_destination
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.server.pipeline.undo import Undoer, UndoPlan, UndoStep, plan_undo
from saasus_mcp.settings import Settings
from saasus_mcp.store import UndoEntry

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from saasus_mcp.saasus.tool_answer import ToolAnswer
    from saasus_mcp.server.pipeline.call_pipeline import Pipeline

PENDING_REASONS = ("approval", "two_person", "flooded")
"""Why a call was refused that a person can still let through, while the next ones may go."""


@click.command
@shared_options
@click.argument("identifier", metavar="[ID]", required=False)
@click.option("--job", default="", metavar="ID", help="Undo all that this job did, newest first; with --list, list it.")
@click.option("--list", "only_list", is_flag=True, help="List, and undo nothing.")
@click.option(
    "--operation", default="", metavar="NAME", help="List calls of this tool or operation only, or part of one."
)
@click.option("--since", default="", metavar="TIME", help="List what is newer: 30m, 12h, 7d, or a date or time.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="List so many calls and jobs.")
@click.option("--json", "as_json", is_flag=True, help="The list as one JSON array, a call each, without limit.")
def command(identifier: str | None, *, job: str, only_list: bool, as_json: bool, limit: int, **flags: Any) -> None:
    """List what was changed in the last 30 days, newest first; with ID, undo that change.

    Undoing takes a person at a terminal, works only while the present is still what the change left, and is asked
    about, approved and audited like any other call. What does not come back is said before.
    """
    filters = {name: flags.pop(name) for name in ("operation", "since")}
    chosen = load_settings(**flags)
    words = WORDS[chosen.lang]
    if identifier is not None and job:
        raise TerminalError(words["both"], words["unknown_mend"])
    job = job.strip().lower()
    if only_list or as_json or (identifier is None and not job):
        _list(chosen, UndoFilter(job, filters["operation"]), filters["since"], limit=limit, as_json=as_json)
        return
    require_person("undo", chosen.lang)
    require_passphrase(chosen.state_folder, chosen.lang)
    approver = passphrase.is_passphrase_set(chosen.state_folder)  # and so was just given
    undoer = Undoer(composition.local_user(), approver)
    sys.exit(0 if _undo(chosen, (identifier or "").strip().lower(), job, undoer) else 1)


def _reader(chosen: Settings) -> Reader:
    return Reader.of(chosen.lang, chosen.zone)


def _list(chosen: Settings, wanted: UndoFilter, since: str, *, limit: int, as_json: bool) -> None:
    reader, words, catalogue = _reader(chosen), WORDS[chosen.lang], load_catalogue()
    start = undo_list.parse_since(since, time.time(), reader) if since else 0.0
    if start is None:
        raise TerminalError(words["bad_since"].format(text=safe(since[:40])), words["bad_since_mend"])
    with state.open_stores(chosen) as stores:
        every = sorted(
            (each for store in stores for each in store.undo_log.list_entries(start)), key=lambda each: -each.at
        )
    entries = [entry for entry in every if wanted.matches(entry, catalogue)]
    if as_json:
        click.echo(undo_list.entries_json(entries, catalogue))
        return
    groups = [[entry] for entry in entries] if wanted.job else undo_list.group_by_job(entries)
    for group in groups[:limit]:
        shown = (
            undo_list.call_lines(group[0], catalogue, reader)
            if wanted.job
            else undo_list.group_lines(group, catalogue, reader)
        )
        click.echo("\n".join(shown))
    if len(groups) > limit:
        click.echo(words["more"].format(count=len(groups) - limit))
    unfiltered = not (wanted.job or wanted.operation or since)
    click.echo(words["how_to"] if groups else words["nothing" if unfiltered else "nothing_such"])


def _undo(chosen: Settings, identifier: str, job: str, undoer: Undoer) -> bool:
    """Show what undoing does, and do so. Gives whether all that can be undone is."""
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - slow, and only needed to run a call

    with (
        sandbox_state.open_sandbox(chosen) as sandbox,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(composition.open_pipeline(chosen, sandbox=sandbox)) as pipeline,
    ):
        undoing = _Undoing(portal, pipeline, undoer, chosen.lang)
        found = _found(pipeline, chosen, identifier, job)
        return undoing.job(found) if job else undoing.one(found[0])


def _found(pipeline: Pipeline, chosen: Settings, identifier: str, job: str) -> list[UndoEntry]:
    """The one entry whose id begins so, or all of the one job, newest first.

    Raises:
        AtTerminal: there is none, or there are several, or it belongs to another SaaS.
    """
    words, wanted = WORDS[chosen.lang], job or identifier

    def fits(entry: UndoEntry) -> bool:
        return bool(wanted) and (entry.job if job else entry.call).startswith(wanted)

    found = [entry for entry in pipeline.store.undo_log.list_entries() if fits(entry)]
    if len({entry.job if job else entry.call for entry in found}) == 1:
        return found
    if found:
        raise TerminalError(words["ambiguous"].format(id=safe(wanted[:40])), words["unknown_mend"])
    with state.open_stores(chosen) as stores:
        if any(fits(entry) for store in stores for entry in store.undo_log.list_entries()):
            raise TerminalError(words["elsewhere"], words["elsewhere_mend"])
    raise TerminalError(words["unknown"].format(id=safe(wanted[:40])), words["unknown_mend"])


class _Undoing:
    """Undoes entries of the journal at this terminal."""

    def __init__(self, portal: BlockingPortal, pipeline: Pipeline, undoer: Undoer, lang: Language) -> None:
        self._portal, self._pipeline, self._undoer, self._lang = portal, pipeline, undoer, lang
        self._words = WORDS[lang]
        self._reader = Reader.of(lang, pipeline.zone)

    def one(self, entry: UndoEntry) -> bool:
        """Undo one call; whether all of it is."""
        planned = self._plan(entry)
        click.echo(f"[{safe(describe_destination(self._pipeline.destination, self._lang))}]")
        _show(planned, self._lang)
        self._record(entry.operation, entry.call)
        refused = self._run(planned)
        made = len(planned.steps) - len(self._left(entry))
        if refused is None:
            click.echo(self._words["all_done"])
        elif made:
            click.echo(self._words["left"].format(count=made, all=len(planned.steps)))
        else:
            click.echo(self._words["none_done"])
        return refused is None

    def job(self, entries: Sequence[UndoEntry]) -> bool:
        """Undo what a job did, newest first; whether all is undone that can be."""
        plans, never = self._plans(entries)
        click.echo(f"[{safe(describe_destination(self._pipeline.destination, self._lang))}]")
        click.echo("\n".join(undo_list.group_lines(entries, self._pipeline.catalogue, self._reader)))
        if not plans:
            click.echo(self._words["job_nothing"])
            return True
        if prompt(self._words["job_confirm"].format(count=len(plans))).strip() != str(len(plans)):
            click.echo(self._words["job_not"])
            return False
        self._record(entries[0].job_name, entries[0].job)
        done, waiting = 0, 0
        for planned in plans:
            refused = self._run(planned)
            done, waiting = done + (refused is None), waiting + (refused is not None and refused.why in PENDING_REASONS)
            if refused is not None and refused.why not in PENDING_REASONS:
                break
        left = len(plans) - done - waiting
        click.echo(self._words["job_summary"].format(done=done, waiting=waiting, left=left, never=never))
        if waiting:
            click.echo(self._words["job_waiting"])
        return done == len(plans)

    def _plans(self, entries: Sequence[UndoEntry]) -> tuple[list[UndoPlan], int]:
        """How those are undone that are not yet; and how many cannot be.

        Raises:
            AtTerminal: not by this person, or not here.
        """
        plans, never = list[UndoPlan](), 0
        for entry in entries:
            try:
                plans.append(self._plan(entry))
            except TerminalError as refused:
                if not isinstance(refused.__cause__, CallRefused) or refused.__cause__.reason not in (
                    "undone",
                    "undo_none",
                ):
                    raise
                never += refused.__cause__.reason == "undo_none"
        return plans, never

    def _plan(self, entry: UndoEntry) -> UndoPlan:
        """How one call is undone.

        Raises:
            AtTerminal: it is not, in the person's language.
        """
        try:
            return plan_undo(self._pipeline.catalogue, entry, self._undoer, self._pipeline.destination)
        except CallRefused as refused:
            told = {"principal": safe(entry.principal), "profile": safe(entry.profile)}
            raise TerminalError(self._words[f"why_{refused.reason}"].format(**told)) from refused

    def _left(self, entry: UndoEntry) -> list[UndoStep]:
        """The parts that are not made, by what the journal says now."""
        now = self._pipeline.store.undo_log.get(entry.call) or entry
        try:
            return [part for part in self._plan(now).steps if not part.is_done]
        except SaasusMcpError:
            return []

    def _record(self, operation: str, call: str) -> None:
        place = self._pipeline.destination
        told = ActionRecord(
            ActionKind.UNDO,
            self._undoer.principal.id,
            "terminal",
            profile=place.profile,
            saas_id=place.saas_id,
            operation=operation,
            from_call=call,
        )
        action_records.record_action(self._pipeline.store, told, time.time())

    def _run(self, planned: UndoPlan) -> ToolAnswer | None:
        """Make the calls that are left, one after the other; the answer of the first that does not go."""
        for part in planned.steps:
            if part.is_done:
                continue
            call = planned.call_for(part, self._supplied(part), self._undoer.principal)
            answer = run_with_questions(self._portal, self._pipeline.run, call, self._reader)
            if not answer.ok:
                click.echo(self._words.get(f"why_{answer.why}") or safe(answer.text), err=True)
                return answer
            click.echo(self._words["done"].format(title=_titled(part, self._lang)))
        return None

    def _supplied(self, part: UndoStep) -> Mapping[str, Any]:
        """What a person enters again.

        Raises:
            AtTerminal: they entered nothing.
        """
        given = {}
        for path in part.missing_paths:
            given[path] = prompt_hidden(self._words["supply"].format(path=path))
            if not given[path]:
                raise TerminalError(self._words["supply_empty"], self._words["supply_mend"])
        return given


def _titled(part: UndoStep, lang: Language) -> str:
    return f"{part.operation.title.text(lang)}  {safe(format_json(part.args, indent=None))}"


def _show(planned: UndoPlan, lang: Language) -> None:
    words, undo = WORDS[lang], planned.operation.effects.undo
    done = safe(format_json(planned.entry.arguments, indent=None))
    click.echo(f"\n{words['was_done']}:\n  {planned.operation.title.text(lang)}  {done}")
    click.echo(f"\n{words['inverse']}:")
    for part in planned.steps:
        note = f"  ({words['again']})" if part.is_done else ""
        click.echo(f"  {_titled(part, lang)}{note}")
    lost = undo.note.text(lang) if undo and undo.note else words["undoable"]
    click.echo(f"\n{words['cannot']}:\n  {lost}\n")
