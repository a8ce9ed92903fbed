"""The impact of a call: counts and values that its recipe reads from the API, in parallel, within limits, never guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import anyio

from saasus_mcp.catalog.model import ImpactMetric
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.json_path import value_at
from saasus_mcp.common.language import Text
from saasus_mcp.permissions.inspection.target import ApiReader, ReadFailure, ReadResult
from saasus_mcp.permissions.operation_call import OperationCall

READ_DEADLINE = 8.0
"""Seconds for all reads of one impact together. How many a row may make is checked where the table is compiled."""

READ_TIMED_OUT = ReadResult(read_error=ReadFailure.LATE)
TARGET_UNREADABLE = ReadResult(read_error=ReadFailure.TARGET_UNREAD)
NOTHING_TO_READ = ReadResult()


@dataclass(frozen=True, slots=True)
class ImpactFinding:
    """One metric of the impact.

    Attributes:
        value: a number, a truth value, or short values in the API's words; None without any.
        read_error: why the value is unknown; empty if it is known.
        raw_value: the value of the expression, from which a question makes a typed one.
    """

    name: str
    label: Text
    value: int | bool | tuple[str, ...] = ()
    read_error: str | Text = ""
    raw_value: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Impact:
    """The impact of a call, as far as it could be read.

    Attributes:
        affected_users: users that count against the budget; None if unknown.
    """

    findings: tuple[ImpactFinding, ...] = ()
    affected_users: int | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        return {item.name: item.value for item in self.findings if type(item.value) is int and not item.read_error}

    @property
    def displayed(self) -> Mapping[str, tuple[str, ...] | bool]:
        return {
            item.name: item.value
            for item in self.findings
            if isinstance(item.value, tuple | bool) and not item.read_error
        }


async def assess_impact(call: OperationCall, target: Any, read: ApiReader, today: date | None = None) -> Impact:
    """Make the reads of the impact, each once and all in parallel, and return the findings."""
    measures = call.operation.effects.impact
    month = (today or datetime.now(UTC).date()).strftime("%Y-%m")
    results = await _read([_wanted(measure, call, target, month) for measure in measures], read)
    findings = tuple(_found(measure, call, target, seen) for measure, seen in zip(measures, results, strict=True))
    affected = call.operation.effects.affects_users
    if isinstance(affected, str):
        affected = Impact(findings).counts.get(affected)
    return Impact(findings, affected)


def assess_unread(call: OperationCall, target: Any) -> Impact:
    """Return the findings of the metrics that need no read and are known from the arguments and the target."""
    measures = [measure for measure in call.operation.effects.impact if measure.read is None]
    wanted = [(measure, _wanted(measure, call, target, "")) for measure in measures]
    found = [_found(measure, call, target, seen) for measure, seen in wanted if isinstance(seen, ReadResult)]
    return Impact(tuple(each for each in found if not each.read_error))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A read to make; metrics that need the same read share it."""

    key: str
    arguments: Mapping[str, Any]


def _wanted(measure: ImpactMetric, call: OperationCall, target: Any, month: str) -> _Wanted | ReadResult:
    """Return the read that a metric needs, or its result if no read is needed."""
    if target is None and "target." in measure.count + measure.show:
        return TARGET_UNREADABLE
    if measure.read is None:
        return ReadResult(answer={})
    wanted = call.evaluate_each(measure.args, month=month, target=target)
    for name, text in measure.args.items():
        if wanted[name] in (None, ""):
            return TARGET_UNREADABLE if target is None and "target." in text else NOTHING_TO_READ
    return _Wanted(measure.read, wanted)


async def _read(wanted: Sequence[_Wanted | ReadResult], read: ApiReader) -> list[ReadResult]:
    """Return the results in the order of what is wanted. A read that takes too long has timed out."""
    unique = [each for at, each in enumerate(wanted) if isinstance(each, _Wanted) and each not in wanted[:at]]
    results = [READ_TIMED_OUT] * len(unique)

    async def ask(at: int, item: _Wanted) -> None:
        try:
            results[at] = await read(item.key, item.arguments)
        except SaasusMcpError as error:
            results[at] = ReadResult(read_error=error.message.both())

    with anyio.move_on_after(READ_DEADLINE):
        async with anyio.create_task_group() as group:
            for at, item in enumerate(unique):
                group.start_soon(ask, at, item)
    return [each if isinstance(each, ReadResult) else results[unique.index(each)] for each in wanted]


def _found(measure: ImpactMetric, call: OperationCall, target: Any, seen: ReadResult) -> ImpactFinding:
    if seen.read_error:
        return ImpactFinding(measure.name, measure.label, read_error=seen.read_error)
    if seen is NOTHING_TO_READ:
        return ImpactFinding(measure.name, measure.label)
    if measure.of:
        wanted = call.evaluate_each(measure.where, result=seen.answer, target=target)
        found = count_rows(measure, wanted, value_at(seen.answer, measure.of))
    else:
        found = call.evaluate(measure.count or measure.show, result=seen.answer, target=target)
    if found is None or (not measure.show and type(found) is not int):
        return ImpactFinding(measure.name, measure.label, read_error=ReadFailure.NOT_IN_ANSWER)
    shown = found if measure.count or measure.of or isinstance(found, bool) else tuple(_texts(found))
    return ImpactFinding(measure.name, measure.label, shown, raw_value=found)


def _texts(found: Any) -> Iterator[str]:
    """Yield the texts of a displayed value, with nested lists flattened."""
    if isinstance(found, list):
        for item in found:
            yield from _texts(item)
    elif found != "":
        yield found if isinstance(found, str) else compact_json(found)


def count_rows(measure: ImpactMetric, wanted: Mapping[str, Any], rows: Any) -> int | None:
    """Return the number of matching rows of a list, or of their different values; None if it is no list.

    Rows are counted here, because CEL's runtime stops at ten thousand steps and a SaaS has more users.

    Args:
        wanted: the values of `measure.where`. If one is None, nothing is counted.
    """
    if not isinstance(rows, list) or None in wanted.values():
        return None
    matching: list[Any] = []
    others: list[Any] = []
    for row in rows:
        holds = all(_holds(row, path.split("."), item) for path, item in wanted.items())
        (matching if holds and (not measure.has or any(_at(row, measure.has.split(".")))) else others).append(row)
    if not measure.by and not measure.only:
        return len(matching)
    path = (measure.by or measure.only).split(".")
    values = {compact_json(item) for row in matching for item in _at(row, path)}
    if measure.only:
        values -= {compact_json(item) for row in others for item in _at(row, path)}
    return len(values)


def _holds(row: Any, path: list[str], wanted: Any) -> bool:
    """Return whether the path leads to the wanted value, or to a map in which that key has a value."""
    return any(
        item.get(wanted) not in (None, "") if isinstance(item, dict) else item == wanted for item in _at(row, path)
    )


def _at(item: Any, path: list[str]) -> Iterator[Any]:
    """Yield all values at a path, through every item of lists on the way."""
    if isinstance(item, list):
        for each in item:
            yield from _at(each, path)
    elif not path:
        yield item
    elif isinstance(item, dict) and path[0] in item:
        yield from _at(item[path[0]], path[1:])
