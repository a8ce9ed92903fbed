"""What came of a call, by the server's own audit and by what the client gave back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scripts.clients.task import READ

CODE = re.compile(r"Approval code: [0-9A-Z]{4}-[0-9A-Z]{4}")

Records = Iterable[Mapping[str, Any]]


class Outcome(StrEnum):
    """What came of the call of a level."""

    ANSWERED = "answered"
    APPROVAL = "approval"
    ASKED = "asked"
    CLIENT_SAID_NO = "client_said_no"
    NOT_SENT = "not_sent"
    CODE_HIDDEN = "code_hidden"
    APPLIED = "applied"
    FAILED = "failed"
    NOT_TRIED = "not_tried"


APPROVALS = frozenset({"approval", "client_cancel", "fast_no", "client_failed"})
"""Refusals that come with an approval code: an answer that no person can be taken to have given leads there too."""
FAULTS = frozenset({Outcome.APPLIED, Outcome.CODE_HIDDEN, Outcome.FAILED})
"""What a client of the table must never show."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What the audit says of one operation.

    Attributes:
        seen: whether it was called at all.
        refused: the code of its last refusal, or empty.
        proof: what the last call that was begun was allowed by, or empty.
        applied: whether it changed anything.
    """

    seen: bool = False
    refused: str = ""
    proof: str = ""
    applied: bool = False


def audited(records: Records, operation: str) -> Audited:
    """Return the audit records of an operation, the newest first."""
    told = list(records)
    ours = [record for record in told if record.get("operation") == operation]
    calls = {record["call"] for record in ours if record["event"] == "begun"}
    ended = [record for record in told if record["event"] == "ended" and record["call"] in calls]
    return Audited(
        seen=bool(ours),
        refused=next((record["refused"] for record in reversed(ours) if record["event"] == "refused"), ""),
        proof=next((record.get("proof", "") for record in reversed(ours) if record["event"] == "begun"), ""),
        applied=any(record.get("applied") == "applied" for record in ended),
    )


def unattended(level: str, said: Audited, answer: str | None) -> Outcome:
    """Return the outcome of a call without a person."""
    if said.applied:
        return Outcome.APPLIED
    if not said.seen:
        return Outcome.NOT_SENT if answer is not None else Outcome.NOT_TRIED
    if level == READ:
        return Outcome.ANSWERED if answer and "tenants" in answer else Outcome.FAILED
    if said.refused in APPROVALS:
        return Outcome.APPROVAL if answer and CODE.search(answer) else Outcome.CODE_HIDDEN
    return Outcome.CLIENT_SAID_NO if said.refused == "declined" else Outcome.FAILED


def attended(said: Audited) -> Outcome:
    """Return the outcome of a call that a person confirmed in the client."""
    return Outcome.ASKED if said.applied and said.proof == "confirmation" else Outcome.FAILED
