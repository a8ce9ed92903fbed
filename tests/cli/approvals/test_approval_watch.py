"""`approvals --watch` reports pending approvals, and then every change as it happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.cli.approvals import list_command
from saasus_mcp.cli.approvals.list_command import ApprovalEvent
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.folder_stores import FolderStores
from tests.support.commands import Terminal, create_approval, run_command
from tests.support.processes import TIMEOUT, start_module
from tests.support.saas_store import open_saas_store

NOW = 1_790_000_000.0


class Hand:
    """A clock that a test moves, and what happens between one look and the next."""

    def __init__(self, *turns: Callable[[], object]) -> None:
        self.now = NOW
        self._turns = iter(turns)

    def __call__(self) -> float:
        return self.now

    def pause(self) -> None:
        self.now += 1
        try:
            next(self._turns)()
        except StopIteration:
            raise KeyboardInterrupt from None

    def later(self, seconds: float) -> None:
        self.now += seconds


def nothing() -> None:
    """Happens."""


def told(state: Path, hand: Hand, *, decided: bool = False) -> list[tuple[str, str]]:
    """Return the events until the person stops: code and kind of each."""
    found: list[tuple[str, str]] = []
    with suppress(KeyboardInterrupt):
        for news in list_command.watch_approvals(FolderStores(state, tuple), hand.pause, decided=decided, clock=hand):
            found.append((news.kind, news.approval.code))  # noqa: PERF401 - kept also where it is interrupted
    return found


def changed(state: Path, saas_id: str = "saas-1", **ruling: Any) -> Callable[[], object]:
    """Decide on the approval ABCD-2345."""

    def change() -> None:
        store = open_saas_store(state, saas_id)
        given = {"by": "local:boss", "at": NOW, "expires_at": NOW + 900, **ruling}
        assert store.decide_approval("ABCD-2345", **given)
        store.close()

    return change


def test_pending_work_is_shown_before_the_requested_output(state: Path) -> None:
    create_approval(state, "AAAA-2222", at=NOW - 10)
    hand = Hand(nothing, lambda: create_approval(state, "BBBB-3333", at=NOW), nothing)
    assert told(state, hand) == [("pending", "AAAA-2222"), ("pending", "BBBB-3333")]


def test_a_store_made_later_is_watched_too(state: Path) -> None:
    hand = Hand(
        nothing,
        lambda: create_approval(state, at=NOW),
        lambda: create_approval(state, "BBBB-3333", "saas-2", at=NOW),
        nothing,
    )
    assert told(state, hand) == [("pending", "ABCD-2345"), ("pending", "BBBB-3333")]


@pytest.mark.parametrize(("status", "what"), [("approved", "approved"), ("rejected", "rejected")])
def test_a_decision_is_announced_once(state: Path, status: str, what: str) -> None:
    create_approval(state, at=NOW)
    hand = Hand(nothing, changed(state, status=status), nothing, nothing)
    assert told(state, hand) == [("pending", "ABCD-2345"), (what, "ABCD-2345")]


def test_the_use_of_an_approval_is_announced(state: Path) -> None:
    create_approval(state, at=NOW)
    hand = Hand(changed(state, status="approved"), changed_to(state, "used"), nothing)
    assert [what for what, _ in told(state, hand)] == ["pending", "approved", "used"]


def test_an_expiry_is_announced_when_it_happens(state: Path) -> None:
    create_approval(state, at=NOW)
    hand = Hand(lambda: hand.later(898), lambda: hand.later(1), nothing)
    assert told(state, hand) == [("pending", "ABCD-2345"), ("expired", "ABCD-2345")]


def test_that_a_rejected_call_may_ask_again_is_no_news(state: Path) -> None:
    create_approval(state, at=NOW)
    hand = Hand(changed(state, status="rejected", retry_at=NOW + 600), lambda: hand.later(1000), nothing)
    assert [what for what, _ in told(state, hand)] == ["pending", "rejected"]


def test_a_question_withdrawn_by_the_server_is_reported_as_withdrawn(state: Path) -> None:
    create_approval(state, at=NOW)
    hand = Hand(changed_to(state, "stale"), nothing)
    assert [what for what, _ in told(state, hand)] == ["pending", "withdrawn"]


def test_earlier_decisions_are_shown_only_on_request(state: Path) -> None:
    create_approval(state, at=NOW)
    changed(state, status="rejected")()
    assert told(state, Hand(nothing)) == []
    assert told(state, Hand(nothing), decided=True) == [("rejected", "ABCD-2345")]


def test_a_store_that_cannot_be_read_is_said_and_the_others_go_on(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_approval(state, at=NOW)
    (state / "zzz.sqlite3").write_bytes(b"no database at all" * 100)
    assert told(state, Hand(nothing)) == [("pending", "ABCD-2345")]
    assert "zzz.sqlite3" in capsys.readouterr().err


@pytest.mark.parametrize("loss", ["the file", "the folder", "another file in its place"])
def test_a_store_that_is_lost_meanwhile_is_said_once_and_watched_again_when_it_is_back(
    state: Path, capsys: pytest.CaptureFixture[str], loss: str
) -> None:
    def lose() -> None:
        for file in state.glob("*.sqlite3*"):
            file.unlink()
        if loss == "the folder":
            state.rmdir()
        if loss == "another file in its place":
            return_it()

    def return_it() -> None:
        create_approval(state, "BBBB-3333", at=NOW + 1)

    create_approval(state, at=NOW)
    hand = Hand(nothing, lose, nothing, *(() if "another" in loss else (return_it,)), nothing)
    assert told(state, hand) == [("pending", "ABCD-2345"), ("pending", "BBBB-3333")]
    warnings = capsys.readouterr().err
    assert warnings.count("saas-1") == 1
    assert "was removed or replaced" in warnings


def test_an_outage_is_said_once_with_its_end_and_hides_no_change(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(FolderStores):
        fails = False

        @property
        def names(self) -> list[str]:
            if Failing.fails:
                raise StoreError.of("store.database_failed")
            return super().names

    def switch(*, fails: bool) -> None:
        monkeypatch.setattr(Failing, "fails", fails)
        hand.later(450)  # in all, the approval expires meanwhile

    create_approval(state, at=NOW)
    hand = Hand(nothing, lambda: switch(fails=True), nothing, nothing, lambda: switch(fails=False), nothing)
    found = []
    with suppress(KeyboardInterrupt):
        for event in list_command.watch_approvals(Failing(state, tuple), hand.pause, clock=hand):
            found.append((event.kind, event.approval.code))  # noqa: PERF401 - kept also where it is interrupted
    assert found == [("pending", "ABCD-2345"), ("expired", "ABCD-2345")]
    [first, back] = capsys.readouterr().err.splitlines()
    assert "database failed" in first
    assert "can be read again" in back


def changed_to(state: Path, status: str) -> Callable[[], object]:
    """Change an approval in a separate transaction, as the server does."""
    from sqlalchemy import create_engine, text  # noqa: PLC0415 - only here

    def change() -> None:
        [file] = state.glob("*.sqlite3")
        engine = create_engine(f"sqlite:///{file}")
        with engine.begin() as connection:
            connection.execute(text("UPDATE approvals SET status = :status"), {"status": status})
        engine.dispose()

    return change


def test_news_is_one_line_whatever_the_names_in_it(state: Path) -> None:
    name = "X”\nABCD-9999  approved by local:boss  “Y"
    wanted = create_approval(state, at=NOW, name=name, principal="local:a b\n")
    line = list_command.event_line(ApprovalEvent("pending", wanted, NOW), Reader.of("en"))
    assert line == (
        "2026-09-21 14:13:20 UTC  ABCD-2345  pending (15 min left)  Delete the tenant "
        "“X'↵ABCD-9999  approved by local:boss  'Y”  requested by “local:a b↵” for SaaS saas-1, profile default"
    )
    rejected = replace(wanted, decided_by="local:boss", reason="no\nway")
    said = list_command.event_line(ApprovalEvent("rejected", rejected, NOW), Reader.of("ja"))
    assert "却下(判断した人: local:boss): 「no↵way」  テナント「X'↵ABCD-9999" in said


def test_lines_of_json_come_in_a_pipe_until_the_reader_has_enough(state: Path) -> None:
    create_approval(state)
    command = ("saasus_mcp", "approvals", "--watch", "--json")
    with start_module(*command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert run_command("reject", "ABCD-2345", "--reason", "still in use").status == 0
        second = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        rest = process.stdout.read()
        ended = process.wait(TIMEOUT)
    assert (first["event"], first["code"], first["question"]["name"]) == ("pending", "ABCD-2345", "Aozora")
    assert (second["event"], second["reason"]) == ("rejected", "still in use")
    assert first["at"] <= second["at"] <= f"{datetime.fromtimestamp(time.time() + 1, UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert not {"binding", "bound"} & {*first, *second}
    assert rest == ""
    assert os.name != "posix" or ended == 130


@pytest.mark.skipif(os.name != "posix", reason="no pseudo-terminals on this system")
def test_a_terminal_shows_how_to_decide_and_rings_the_bell_on_request(state: Path) -> None:
    create_approval(state)
    with Terminal("approvals", "--watch", "--bell") as terminal:
        terminal.wait_for("Ctrl+C to stop")
        terminal.wait_for("“Aozora”")
        terminal.wait_for("\a")
        run_command("reject", "ABCD-2345")
        terminal.wait_for("rejected by local:")
        terminal.interrupt()
        assert terminal.wait() == 130
    assert "Traceback" not in terminal.output
    assert terminal.output.count("\a") == 1
