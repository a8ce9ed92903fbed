"""The time tools: the current time, and the conversion of times to epoch seconds, days and months, mainly for metering."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from saasus_mcp.common import timezones
from saasus_mcp.common.json_path import InvalidArguments, Schema
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.surface.builtin_tool import BuiltinTool, object_schema, structured_answer

FIRST_INSTANT, LAST_INSTANT = -14 * 3600, 253_402_300_799
"""The start of 1970 at UTC+14, and the last second of 9999 in UTC."""
ALL_DIGITS = re.compile(r"[0-9]+")
EPOCH_TEXT = re.compile(r"[0-9]{9,11}|[0-9]{13}|[+-][0-9]{1,13}")
"""Text that can only be epoch seconds, or milliseconds by mistake: dates without separators have 4, 6, 8, 12 or 14 digits."""
MONTH_FORMAT = re.compile(r"[0-9]{4}-[0-9]{2}")
ACCEPTED_FORMATS = message("server.time_formats_hint")

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
    """Return both tools. `now`: returns the current time in epoch seconds."""

    async def time_now(_: Call) -> ToolAnswer:
        return structured_answer(_in_zones(int(now()), timezones.default_zones()))

    return (
        BuiltinTool(
            name="time_now",
            title=one_of("server.tool_title", "time_now"),
            description="Now, as time_convert tells it.",
            input_schema=object_schema(),
            output_schema=TIME_OUTPUT_SCHEMA,
            run=time_now,
        ),
        BuiltinTool(
            name="time_convert",
            title=one_of("server.tool_title", "time_convert"),
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
    value, name = call.arguments["time"], call.arguments.get("zone")
    named = {} if name is None else {name: _zone(name)}
    try:
        is_epoch = isinstance(value, int) or EPOCH_TEXT.fullmatch(value)
        instant, note = (_epoch(int(value)), "") if is_epoch else _parse(value, named.get(name))
        answer = _in_zones(instant, {**timezones.default_zones(), **named})
    except OverflowError:
        raise InvalidArguments(("time",), message("server.time_out_of_range")) from None
    return structured_answer(answer | ({"note": note} if note else {}))


def _zone(name: str) -> tzinfo:
    found = timezones.find_time_zone(name)
    if found is None:
        raise InvalidArguments.at(("zone",), "server.zone_unknown")
    return found


def _in_zones(instant: int, zones: Mapping[str, tzinfo]) -> dict[str, Any]:
    """Return an instant in each of the zones. Raise OverflowError if the instant is out of range."""
    if instant < FIRST_INSTANT:
        raise OverflowError
    return {
        "epoch": instant,
        "zones": {name: timezones.describe_instant(instant, zone) for name, zone in zones.items()},
    }


def _epoch(value: int) -> int:
    """Return epoch seconds. Raise InvalidArguments if the number is too large for them."""
    if value > LAST_INSTANT:
        seconds = value // 1000
        is_milliseconds = seconds <= LAST_INSTANT
        hint = message("server.epoch_milliseconds_hint", seconds=seconds) if is_milliseconds else ACCEPTED_FORMATS
        raise InvalidArguments(("time",), message("server.epoch_too_large"), hint)
    return value


def _parse(value: str, zone: tzinfo | None) -> tuple[int, str]:
    """Return the instant that a text names, and a note about it.

    Raises:
        InvalidArguments: the text is not a time, or needs a zone that was not given.
        OverflowError: the instant is out of range.
    """
    if ALL_DIGITS.fullmatch(value):
        raise InvalidArguments(("time",), message("server.time_ambiguous"), ACCEPTED_FORMATS)
    day = _day(value)
    if day is not None:
        return _start_of_day(day, _require_zone(zone))
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidArguments(("time",), message("server.time_invalid"), ACCEPTED_FORMATS) from None
    return (
        _local_instant(moment.replace(tzinfo=_require_zone(zone)))
        if moment.tzinfo is None
        else (timezones.epoch_seconds(moment), "")
    )


def _require_zone(zone: tzinfo | None) -> tzinfo:
    if zone is None:
        raise InvalidArguments.at(("zone",), "server.zone_required")
    return zone


def _day(value: str) -> date | None:
    """Return the day that a text names, or the first day of the month that it names, or None."""
    try:
        return date.fromisoformat(f"{value}-01" if MONTH_FORMAT.fullmatch(value) else value)
    except ValueError:
        return None


def _start_of_day(day: date, zone: tzinfo) -> tuple[int, str]:
    """Return the start of a day, and a note if the day does not exist in the zone."""
    instant = timezones.start_of_day(day.year, day.month, day.day, zone)
    actual = timezones.local_time(instant, zone)
    return (
        instant,
        "" if actual.date() == day else f"This day does not exist in the time zone; used {actual.isoformat()}.",
    )


def _local_instant(moment: datetime) -> tuple[int, str]:
    """Return the instant of a local time, and a note if clocks showed the time never or twice."""
    first, second = (timezones.epoch_seconds(moment.replace(fold=fold)) for fold in (0, 1))
    if timezones.clock_change_instant(moment) is not None:
        actual = timezones.local_time(first, moment.tzinfo or UTC)
        return first, f"This time does not exist (clocks went forward); used {actual.isoformat()}."
    if second != first:
        return first, f"This time occurs twice (clocks went back): {first}, used here, and {second}."
    return first, ""
