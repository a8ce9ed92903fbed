"""The time tools: what time it is, and what another time is in epoch seconds, days and months, for metering above all."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from saasus_mcp.common import timezones
from saasus_mcp.common.json_path import InvalidArguments, Schema
from saasus_mcp.common.language import Text
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.surface.builtin_tool import BuiltinTool, object_schema, structured_answer

FIRST_INSTANT, LAST_INSTANT = -14 * 3600, 253_402_300_799
"""Where 1970 first begins, at UTC+14, and the last second of 9999 in UTC."""
ALL_DIGITS = re.compile(r"[0-9]+")
EPOCH_TEXT = re.compile(r"[0-9]{9,11}|[0-9]{13}|[+-][0-9]{1,13}")
"""Text that can only be epoch seconds, or milliseconds by mistake: dates without separators have 4, 6, 8, 12 or 14 digits."""
MONTH_FORMAT = re.compile(r"[0-9]{4}-[0-9]{2}")
ACCEPTED_FORMATS = "Accepted: 2026-01-31T09:00:00+09:00, 2026-01-31T09:00, 2026-01-31, 2026-01, or epoch seconds (as text 9 to 11 digits, or any with a sign)."

_VIEW: Schema = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("time", "date", "month")},
        **{
            name: {"type": "integer"}
            for name in (
                "day_start",
                "day_end",
                "previous_month_start",
                "month_start",
                "month_end",
                "next_month_start",
            )
        },
    },
}
TIME_OUTPUT_SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "epoch": {"type": "integer"},
        "zones": {"type": "object", "additionalProperties": _VIEW},
        "note": {"type": "string"},
    },
}


def time_tools(now: Callable[[], float] = time.time) -> tuple[BuiltinTool, ...]:
    """Both tools.

    Args:
        now: epoch seconds.
    """

    async def time_now(_: Call) -> ToolAnswer:
        return structured_answer(_answer(int(now()), timezones.default_zones()))

    return (
        BuiltinTool(
            name="time_now",
            title=Text("Current time", "現在時刻"),
            description="Current time, in the format of time_convert.",
            input_schema=object_schema(),
            output_schema=TIME_OUTPUT_SCHEMA,
            run=time_now,
        ),
        BuiltinTool(
            name="time_convert",
            title=Text("Convert a time", "時刻の変換"),
            description="Date, month or time to epoch seconds, or back, in UTC and JST. For metering: `date` and `month` of day "
            "and month counts; day and month bounds for timestamps. `…_end` is the last second.",
            input_schema=object_schema(
                ("time",),
                time={"anyOf": [{"type": "string"}, {"type": "integer"}], "description": "ISO 8601 or epoch seconds"},
                zone={"type": "string", "description": "IANA; needed without offset"},
            ),
            output_schema=TIME_OUTPUT_SCHEMA,
            run=_convert,
        ),
    )


async def _convert(call: Call) -> ToolAnswer:
    given, name = call.arguments["time"], call.arguments.get("zone")
    named = {} if name is None else {name: _zone(name)}
    try:
        is_epoch = isinstance(given, int) or EPOCH_TEXT.fullmatch(given)
        instant, note = (_seconds(int(given)), "") if is_epoch else _read(given, named.get(name))
        answer = _answer(instant, {**timezones.default_zones(), **named})
    except OverflowError:
        raise InvalidArguments(("time",), "expected a time from 1970 to 9999, in UTC and in JST.") from None
    return structured_answer(answer | ({"note": note} if note else {}))


def _zone(name: str) -> tzinfo:
    found = timezones.find_time_zone(name)
    if found is None:
        mend = "Use UTC, Asia/Tokyo or another IANA name, e.g. Europe/Berlin."
        raise InvalidArguments(("zone",), "unknown time zone.", mend)
    return found


def _answer(instant: int, shown: Mapping[str, tzinfo]) -> dict[str, Any]:
    """An instant as each of the zones has it.

    Raises:
        OverflowError: it is too far from here.
    """
    if instant < FIRST_INSTANT:
        raise OverflowError
    return {
        "epoch": instant,
        "zones": {name: timezones.describe_instant(instant, zone) for name, zone in shown.items()},
    }


def _seconds(given: int) -> int:
    """Epoch seconds.

    Raises:
        InvalidArguments: there are too many of them.
    """
    if given > LAST_INSTANT:
        seconds = given // 1000
        mend = f"If these are milliseconds, give {seconds}." if seconds <= LAST_INSTANT else ACCEPTED_FORMATS
        raise InvalidArguments(("time",), "too large for epoch seconds.", mend)
    return given


def _read(given: str, zone: tzinfo | None) -> tuple[int, str]:
    """The instant that a text names, and what must be said of it.

    Raises:
        InvalidArguments: it names none, or names one only together with a zone that was not given.
        OverflowError: it is too far from here.
    """
    if ALL_DIGITS.fullmatch(given):
        raise InvalidArguments(("time",), "could be a date or epoch seconds.", ACCEPTED_FORMATS)
    day = _day(given)
    if day is not None:
        return _first_of(day, _needed(zone))
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise InvalidArguments(("time",), "not a valid ISO 8601 time.", ACCEPTED_FORMATS) from None
    return (
        _on_the_clock(moment.replace(tzinfo=_needed(zone)))
        if moment.tzinfo is None
        else (timezones.epoch_seconds(moment), "")
    )


def _needed(zone: tzinfo | None) -> tzinfo:
    if zone is None:
        raise InvalidArguments(("zone",), "required, because the time has no offset.", "For example UTC or Asia/Tokyo.")
    return zone


def _day(given: str) -> date | None:
    """The day that a text names, of a month the first; None where it names none, or a time of day as well."""
    try:
        return date.fromisoformat(f"{given}-01" if MONTH_FORMAT.fullmatch(given) else given)
    except ValueError:
        return None


def _first_of(day: date, zone: tzinfo) -> tuple[int, str]:
    """When a day begins, and whether there is no such day."""
    instant = timezones.start_of_day(day.year, day.month, day.day, zone)
    shown = timezones.local_time(instant, zone)
    return (
        instant,
        "" if shown.date() == day else f"This day does not exist in the time zone; used {shown.isoformat()}.",
    )


def _on_the_clock(moment: datetime) -> tuple[int, str]:
    """When clocks showed this time, and whether they did so never or twice."""
    first, second = (timezones.epoch_seconds(moment.replace(fold=fold)) for fold in (0, 1))
    if timezones.clock_change_instant(moment) is not None:
        shown = timezones.local_time(first, moment.tzinfo or UTC)
        return first, f"This time does not exist (clocks went forward); used {shown.isoformat()}."
    if second != first:
        return first, f"This time occurs twice (clocks went back): {first}, used here, and {second}."
    return first, ""
