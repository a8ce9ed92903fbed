"""`saasus-mcp undo`: what was changed, and putting one change back, by a person and through the same pipeline."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from saasus_mcp.catalog import Catalogue, Language, UnknownTool, load
from saasus_mcp.cli import compose, keeping, sandbox_state
from saasus_mcp.cli.call import settled
from saasus_mcp.cli.options import settings, shared
from saasus_mcp.cli.terminal import AtTerminal, ask_hidden, json_text, require_passphrase, require_person, safe
from saasus_mcp.cli.undo_wording import WORDS
from saasus_mcp.permissions import decisions, passphrase
from saasus_mcp.permissions.decisions import DecisionRecord, Kind
from saasus_mcp.permissions.proof import where
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.server.undoing import Part, Plan, Undoer, plan
from saasus_mcp.settings import Settings
from saasus_mcp.store import Entry

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from saasus_mcp.server.pipeline import Pipeline

SHORT = 8
"""Characters of an id that are shown; more are taken, and fewer where they are enough."""


@click.command
@shared
@click.argument("identifier", metavar="[ID]", required=False)
@click.option("--json", "as_json", is_flag=True, help="The list as one JSON array.")
def command(identifier: str | None, *, as_json: bool, **flags: Any) -> None:
    """List what was changed in the last 30 days, newest first; with ID, put that change back.

    Putting back takes a person at a terminal, works only while the present is still what the change left behind, and
    is asked about, approved and audited like any other call. What cannot come back is said before.
    """
    chosen = settings(**flags)
    if identifier is None:
        _list(chosen, as_json=as_json)
        return
    require_person("undo", chosen.lang)
    require_passphrase(chosen.folder, chosen.lang)
    approver = passphrase.is_set(chosen.folder)  # and so was just given
    sys.exit(0 if _undo(chosen, identifier, Undoer(compose.local_user(), approver)) else 1)


def _list(chosen: Settings, *, as_json: bool) -> None:
    with keeping.stores(chosen) as stores:
        entries = sorted((each for store in stores for each in store.journal.entries()), key=lambda each: -each.at)
    if as_json:
        click.echo(json_text([asdict(entry) for entry in entries]))
        return
    words, catalogue = WORDS[chosen.lang], load()
    for entry in entries:
        click.echo(_line(entry, catalogue, chosen.lang))
    click.echo(words["how_to"] if entries else words["nothing"])


def _line(entry: Entry, catalogue: Catalogue, lang: Language) -> str:
    words = WORDS[lang]
    try:
        operation = catalogue.find(entry.operation)
        title, undo = operation.title.get(lang), operation.effects.undo
        kind = f" ({words[f'kind_{undo.kind}']})" if undo else ""
    except UnknownTool:  # done by another version
        title, kind = entry.operation, ""
    at = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    state = f"  [{words['undone']}]" if entry.undone else ""
    who = words["by"].format(principal=safe(entry.principal), profile=safe(entry.profile))
    shown = safe(json_text(entry.arguments, indent=None))
    return f"{entry.call[:SHORT]}  {at}  {title}{kind}{state}\n          {who}\n          {shown[:200]}"


def _undo(chosen: Settings, identifier: str, undoer: Undoer) -> bool:
    """Show how the change is undone, and do so. Gives whether all of it is."""
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - slow, and only needed to run a call

    with (
        sandbox_state.kept(chosen) as sandbox,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(compose.pipeline(chosen, sandbox=sandbox)) as pipeline,
    ):
        entry = _found(pipeline, chosen, identifier)
        planned = plan(pipeline.catalogue, entry, undoer, pipeline.place)
        click.echo(f"[{safe(where(pipeline.place, chosen.lang))}]")
        _show(planned, chosen.lang)
        told = DecisionRecord(
            Kind.UNDO,
            undoer.principal.id,
            "terminal",
            profile=pipeline.place.profile,
            saas_id=pipeline.place.saas_id,
            operation=entry.operation,
            from_call=entry.call,
        )
        decisions.record(pipeline.store, told, time.time())
        return _run(portal, pipeline, planned, undoer, chosen.lang)


def _found(pipeline: Pipeline, chosen: Settings, identifier: str) -> Entry:
    """The one entry whose id begins so.

    Raises:
        AtTerminal: there is none, or there are several, or it belongs to another SaaS.
    """
    words, wanted = WORDS[chosen.lang], identifier.strip().lower()
    found = [entry for entry in pipeline.store.journal.entries() if wanted and entry.call.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise AtTerminal(words["ambiguous"].format(id=safe(wanted[:40])), words["unknown_mend"])
    with keeping.stores(chosen) as stores:
        if any(entry.call.startswith(wanted) for store in stores for entry in store.journal.entries() if wanted):
            raise AtTerminal(words["elsewhere"], words["elsewhere_mend"])
    raise AtTerminal(words["unknown"].format(id=safe(wanted[:40])), words["unknown_mend"])


def _show(planned: Plan, lang: Language) -> None:
    words, undo = WORDS[lang], planned.operation.effects.undo
    done = safe(json_text(planned.entry.arguments, indent=None))
    click.echo(f"\n{words['was_done']}:\n  {planned.operation.title.get(lang)}  {done}")
    click.echo(f"\n{words['inverse']}:")
    for part in planned.parts:
        note = f"  ({words['again']})" if part.done else ""
        click.echo(f"  {part.operation.title.get(lang)}  {safe(json_text(part.args, indent=None))}{note}")
    lost = undo.note.get(lang) if undo and undo.note else words["undoable"]
    click.echo(f"\n{words['cannot']}:\n  {lost}\n")


def _run(portal: BlockingPortal, pipeline: Pipeline, planned: Plan, undoer: Undoer, lang: Language) -> bool:
    """Make the calls that are left, one after the other; stop at the first that does not go."""
    words, done = WORDS[lang], 0
    left = [part for part in planned.parts if not part.done]
    for part in left:
        call = planned.call(part, _supplied(part, lang), undoer.principal)
        answer = settled(portal, pipeline.run, call, Reader.of(lang, pipeline.zone))
        if not answer.ok:
            click.echo(safe(answer.text), err=True)
            break
        done += 1
        click.echo(words["done"].format(tool=part.operation.tool))
    made = len(planned.parts) - len(left) + done
    whole = made == len(planned.parts)
    click.echo(words["all_done"] if whole else words["left"].format(count=made, all=len(planned.parts)))
    return whole


def _supplied(part: Part, lang: Language) -> dict[str, Any]:
    """What a person gives anew.

    Raises:
        AtTerminal: they gave nothing.
    """
    words, given = WORDS[lang], {}
    for path in part.supply:
        given[path] = ask_hidden(words["supply"].format(path=path))
        if not given[path]:
            raise AtTerminal(words["supply_empty"], words["supply_mend"])
    return given
