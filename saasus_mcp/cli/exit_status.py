"""The exit status and the failure of `call`, `job` and `undo`, by which a script knows what became of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Any

from saasus_mcp.cli.command_line import INTERRUPTED
from saasus_mcp.cli.output import print_json
from saasus_mcp.cli.terminal import is_terminal, prints_json, reader_language, render, say, warn
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Localized, Message, Sentences, message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.saasus.tool_answer import Failure, ToolAnswer

INCOMPLETE_OUTCOMES = ("not_applied", "unknown", "not_begun", "left_out")
"""Counts of a report: rows that were not changed, or may not have been."""
BREAKDOWNS = frozenset({"store", "busy", "late"})
"""Reasons why a call was not sent that are no decision about it."""


class ExitStatus(IntEnum):
    """The statuses of `call`, `job` and `undo`. Status 2 is click's, for a mistake on the command line."""

    DONE = 0
    FAILED = 1
    INCOMPLETE = 3
    """A row was not applied, or nobody knows whether the call was."""
    REFUSED = 4
    """Nothing was sent: denied, declined, or waiting for an approval."""
    INTERRUPTED = INTERRUPTED
    """Ctrl+C."""


def status_of_answer(answer: ToolAnswer) -> ExitStatus:
    if answer.ok:
        return ExitStatus.DONE
    if answer.applied is Outcome.UNKNOWN:
        return ExitStatus.INCOMPLETE
    return ExitStatus.REFUSED if answer.why and answer.why not in BREAKDOWNS else ExitStatus.FAILED


def print_failure(answer: ToolAnswer) -> None:
    """Print why a call failed: as JSON with --json, and as text to standard error without it."""
    text = explain_failure(answer)
    if not prints_json():
        say(text, err=True)
        return
    fields = {"outcome": answer.applied.value, "reason": answer.why or None, "status": answer.status}
    print_json({"ok": False, **fields, "trace_id": answer.trace_id or None, "text": text})


def explain_failure(answer: ToolAnswer) -> str:
    """Return why a call failed, and what the person at the terminal can do."""
    return visible_text(_address_person(answer).explain(reader_language()))


def print_refusal(error: CallRefused | InvalidArguments) -> None:
    """Print why a job was not started: as JSON with --json, and as text to standard error without it."""
    text: Localized = error
    if error.hint is not None and is_terminal(sys.stdin, sys.stderr):
        match error.hint.id:
            case "server.approval_hint":
                text = Sentences((error.message, _approval_hint(error.message, error.hint)))
            case "permissions.declined_hint":
                text = message("cli.not_confirmed")
            case "permissions.name_mismatch_hint":
                text = Sentences((error.message, message("cli.name_mismatch_hint")))
    if prints_json():
        reason = error.reason if isinstance(error, CallRefused) else None
        print_json({"ok": False, "outcome": Outcome.NOT_APPLIED, "reason": reason, "text": render(text)})
    else:
        warn(text)


def _address_person(answer: ToolAnswer) -> ToolAnswer:
    """Return the failure as a person at a terminal needs it, who answered the question and can approve the call."""
    failure = answer.failure
    hint = None if failure is None else failure.hint
    if failure is None or not isinstance(hint, Message) or not is_terminal(sys.stdin, sys.stderr):
        return answer
    match hint.id:
        case "server.approval_hint":
            failure = replace(failure, hint=_approval_hint(failure.message, hint))
        case "permissions.declined_hint":
            failure = Failure(message("cli.not_confirmed"))
        case "permissions.name_mismatch_hint":
            failure = replace(failure, hint=message("cli.name_mismatch_hint"))
    return replace(answer, failure=failure)


def _approval_hint(needed: Localized, hint: Message) -> Message:
    """Return how this person approves the call, or the hint as it is if they cannot do so here."""
    decide = hint.params["decide"]
    if not isinstance(decide, Message) or decide.id == "server.decide_on_console":
        return hint
    if getattr(needed, "id", "") == "server.approval_needed_two_person":
        return hint
    return message("cli.approval_hint", code=decide.params["code"], until=hint.params["until"])


def point_to_arguments(fault: Message | None, tool: str) -> None:
    """Print which command shows the arguments of a tool, if an argument is at fault."""
    if fault is not None and fault.id.startswith("arguments.") and not prints_json():
        say(message("cli_tools.see_arguments", name=tool), err=True)


def status_of_report(report: Mapping[str, Any]) -> ExitStatus:
    """Return the status for the report of a job that has ended."""
    counts = report.get("counts", {})
    incomplete = report.get("status") == "cancelled" or any(counts.get(outcome) for outcome in INCOMPLETE_OUTCOMES)
    return ExitStatus.INCOMPLETE if incomplete else ExitStatus.DONE
