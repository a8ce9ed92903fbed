"""The exit status and the failure of `call` and `job`, by which a script knows what became of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Any

from saasus_mcp.cli.command_line import INTERRUPTED
from saasus_mcp.cli.output import print_json
from saasus_mcp.cli.terminal import is_terminal, prints_json, reader_language, render, say, warn
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.saasus.tool_answer import ToolAnswer

INCOMPLETE_OUTCOMES = ("not_applied", "unknown", "not_begun", "left_out")
"""Counts of a report: rows that were not changed, or may not have been."""
BREAKDOWNS = frozenset({"store", "busy", "late"})
"""Reasons why a call was not sent that are no decision about it."""


class ExitStatus(IntEnum):
    """The statuses of `call` and `job`. Status 2 is click's, for a mistake on the command line."""

    DONE = 0
    FAILED = 1
    INCOMPLETE = 3
    """A row was not applied, or nobody knows whether the call was."""
    REFUSED = 4
    """Nothing was sent: denied, declined, or waiting for an approval."""
    INTERRUPTED = INTERRUPTED
    """Ctrl+C."""


def status_of_answer(answer: ToolAnswer) -> ExitStatus:
    """Return the status for the answer of one call."""
    if answer.ok:
        return ExitStatus.DONE
    if answer.applied is Outcome.UNKNOWN:
        return ExitStatus.INCOMPLETE
    return ExitStatus.REFUSED if answer.why and answer.why not in BREAKDOWNS else ExitStatus.FAILED


def print_failure(answer: ToolAnswer) -> None:
    """Print why a call failed: as JSON with --json, and as text to standard error without it."""
    text = _address_person(answer).explain(reader_language())
    if not prints_json():
        say(visible_text(text), err=True)
        return
    fields = {"outcome": answer.applied.value, "reason": answer.why or None, "status": answer.status}
    print_json({"ok": False, **fields, "trace_id": answer.trace_id or None, "text": text})


def print_refusal(refusal: CallRefused) -> None:
    """Print why a job was not started: as JSON with --json, and as text to standard error without it."""
    if prints_json():
        print_json({"ok": False, "outcome": Outcome.NOT_APPLIED, "reason": refusal.reason, "text": render(refusal)})
    else:
        warn(refusal)


def _address_person(answer: ToolAnswer) -> ToolAnswer:
    """Return the failure with the next step of a person at a terminal, who can approve the call themselves."""
    failure = answer.failure
    hint = None if failure is None else failure.hint
    if failure is None or not isinstance(hint, Message) or hint.id != "server.approval_hint":
        return answer
    decide, needed = hint.params["decide"], failure.message
    if not isinstance(decide, Message) or decide.id == "server.decide_on_console":
        return answer
    if not is_terminal(sys.stdin, sys.stderr) or getattr(needed, "id", "") == "server.approval_needed_two_person":
        return answer
    own = message("cli.approval_hint", code=decide.params["code"], preview=hint.params["preview"])
    return replace(answer, failure=replace(failure, hint=own))


def status_of_report(report: Mapping[str, Any]) -> ExitStatus:
    """Return the status for the report of a job that has ended."""
    counts = report.get("counts", {})
    incomplete = report.get("status") == "cancelled" or any(counts.get(outcome) for outcome in INCOMPLETE_OUTCOMES)
    return ExitStatus.INCOMPLETE if incomplete else ExitStatus.DONE
