"""Faults of the rows of a list, which are reported all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Lines, Localized, Message, message

MAX_REPORTED, MAX_LINES = 50, 100
"""Faulty rows that the error lists, and their faults: one cell can have thousands of names."""


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with one call of a row.

    Attributes:
        tool: as the caller wrote it, or what people call the row.
        text: the fault, and the fix if there is one.
    """

    row: int
    tool: str
    text: Localized


class FaultyRow(SaasusMcpError):
    """Several faults of one row."""

    def __init__(self, errors: Sequence[InvalidArguments]) -> None:
        super().__init__(errors[0].message, errors[0].hint)
        self.errors = tuple(errors)


class FaultCollector:
    """Collects the faults of one row: `with faults:` goes on after an error in a cell."""

    def __init__(self) -> None:
        self._errors: list[InvalidArguments] = []

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, InvalidArguments):
            return False
        self._errors.append(error)
        return True

    def raise_collected(self) -> None:
        if self._errors:
            raise FaultyRow(self._errors)


def faults_of(row: int, tool: str, error: SaasusMcpError) -> list[RowFault]:
    """Return the faults that an error of one row stands for."""
    errors = error.errors if isinstance(error, FaultyRow) else (error,)
    return [RowFault(row, tool, each) for each in errors]


def is_about(error: SaasusMcpError, faults: Sequence[SaasusMcpError]) -> bool:
    """Return whether an error is about an argument that one of the faults is about."""
    if not isinstance(error, InvalidArguments):
        return False
    argument = error.field.partition("[")[0]
    return any(isinstance(fault, InvalidArguments) and fault.field == argument for fault in faults)


def invalid_rows(faults: Sequence[RowFault], argument: str) -> InvalidArguments:
    """Return the error that lists the faulty rows. Nothing was sent, and nobody was asked."""
    rows = sorted({fault.row for fault in faults})
    reported = frozenset(rows[:MAX_REPORTED])
    listed = sorted((fault for fault in faults if fault.row in reported), key=lambda fault: fault.row)[:MAX_LINES]
    lines = list(_lines(listed))
    last = listed[-1].row
    if cut := sum(fault.row == last for fault in faults) - sum(fault.row == last for fault in listed):
        lines.append(message("jobs_calls.more_faults", row=last, count=cut))
    if more := len(rows) - len({fault.row for fault in listed}):
        lines.append(message("jobs_calls.more_rows", count=more))
    return InvalidArguments.at((argument,), "jobs_calls.faulty_rows", count=len(rows), lines=Lines(tuple(lines)))


def _lines(faults: Sequence[RowFault]) -> Iterator[Message]:
    """Yield a line for each fault. A hint, such as the names that exist, stands in the first line that needs it."""
    told = {str(message("permissions.not_asked_hint"))}  # the heading of the list says so
    for fault in faults:
        text = fault.text
        if isinstance(text, SaasusMcpError) and text.hint is not None:
            hint = str(text.hint)
            text = text.message if hint in told else text
            told.add(hint)
        yield message("jobs_calls.row_fault", row=fault.row, tool=fault.tool, fault=text)
