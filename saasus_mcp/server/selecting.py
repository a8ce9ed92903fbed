"""Picking from a kept answer by a JMESPath expression, with what the expression may cost bounded."""

from __future__ import annotations

import csv
import io
from typing import Any

from jmespath import compile as parsed
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

from saasus_mcp.saasus.answer import compact
from saasus_mcp.saasus.places import InvalidArguments

LONGEST = 1_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet takes for a formula."""
MOST_WORK = 1_000_000
"""Steps and elements that one expression may go through: about a second, and some tens of megabytes."""


class TooMuch(Exception):
    """The expression would make more of the answer than there is."""


class _Bounded(TreeInterpreter):
    """Counts what is gone through and what is made: an expression can double what it is given again and again."""

    def __init__(self) -> None:
        super().__init__()
        self._left = MOST_WORK

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        found = super().visit(node, *args, **kwargs)
        self._left -= 1 + _weight(found)
        if self._left < 0:
            raise TooMuch
        return found


def select(value: Any, expression: str) -> Any:
    """What the expression finds in the value.

    Raises:
        InvalidArguments: it is no JMESPath, does not fit the value, or would cost too much.
    """
    if len(expression) > LONGEST:
        raise _unfit(f"it is longer than {LONGEST} characters.")
    try:
        found = _Bounded().visit(parsed(expression).parsed, value)
        _measure(found)
    except JMESPathError as error:
        raise _unfit(f"{' '.join(str(error).split())[:300]}.") from None
    except (TooMuch, RecursionError):
        raise _unfit("it makes too much of the answer.") from None
    return found


def as_csv(value: Any) -> str:
    """A list of objects, or of lists or plain values, as CSV with a header where there are names.

    A text that a spreadsheet would take for a formula gets an apostrophe before it: what is in it came from outside.

    Raises:
        InvalidArguments: the value is no list.
    """
    if not isinstance(value, list):
        raise InvalidArguments(
            ("format",), "CSV needs a list.", "Let the expression give a list of objects, or ask for json."
        )
    named = [row for row in value if isinstance(row, dict)]
    names = list(dict.fromkeys(name for row in named for name in row))
    written = io.StringIO()
    writer = csv.writer(written)
    if names:
        writer.writerow([cell(name) for name in names])
    for row in value:
        cells = [row.get(name) for name in names] if isinstance(row, dict) else row if isinstance(row, list) else [row]
        writer.writerow([cell(each) for each in cells])
    return written.getvalue()


def cell(value: Any) -> str:
    """A value as a cell of a CSV, which no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float | dict | list):
        return compact(value)
    return f"'{value}" if str(value).startswith(FORMULA) else str(value)


def _measure(value: Any) -> None:
    """See that writing the value out is not more work than reading it was: parts of it may be shared many times."""
    waiting, left = [value], MOST_WORK
    while waiting:
        found = waiting.pop()
        left -= 1 + (_weight(found) if isinstance(found, str) else 0)
        if left < 0:
            raise TooMuch
        if isinstance(found, dict):
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)


def _weight(value: Any) -> int:
    """What it took to make a value, in elements; sixteen characters count as one."""
    if isinstance(value, str):
        return len(value) // 16
    return len(value) if isinstance(value, list) else 0


def _unfit(why: str) -> InvalidArguments:
    return InvalidArguments(("expression",), why, "JMESPath, e.g. users[?email=='a@example.com'].id or length(users).")
