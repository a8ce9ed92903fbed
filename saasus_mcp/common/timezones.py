"""Time zones, and where days and months begin in them. All instants are whole epoch seconds, UTC."""

from __future__ import annotations

import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Mapping
from datetime import MAXYEAR, UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KNOWN: Mapping[str, tzinfo] = {"UTC": UTC, "Asia/Tokyo": timezone(timedelta(hours=9), "JST")}
"""Zones that need no data on the machine, which Windows does not have. Japan has had no summer time since 1951."""
NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
YEARS, SECONDS = 400, 146_097 * 86_400
"""The calendar, and with it the rules of every zone, repeats itself after so many years, which are so many seconds."""


def find_time_zone(name: str) -> tzinfo | None:
    """The zone with this IANA name; None where there is none, or this machine knows none but those above."""
    if name in KNOWN:
        return KNOWN[name]
    if NAME.fullmatch(name) is None:
        return None
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - seldom needed

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None


def format_instant(at: float, zone: tzinfo) -> str:
    """A moment for tables and logs, to the second, with the name of the zone."""
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M:%S %Z}"


def epoch_seconds(moment: datetime) -> int:
    """The instant of a time that has a zone; a fraction of a second is dropped."""
    return (moment - EPOCH) // SECOND


def local_time(instant: int, zone: tzinfo) -> datetime:
    """The time that clocks in a zone show.

    Raises:
        OverflowError: it is beyond the year 9999.
    """
    return (EPOCH + instant * SECOND).astimezone(zone)


def start_of_day(year: int, month: int, day: int, zone: tzinfo) -> int:
    """When a day begins: at midnight, or where clocks skip that, when they have; where it comes twice, the first time."""
    if year > MAXYEAR:
        return start_of_day(year - YEARS, month, day, zone) + SECONDS
    midnight = datetime(year, month, day, tzinfo=zone)
    return clock_change_instant(midnight) or epoch_seconds(midnight)


def clock_change_instant(moment: datetime) -> int | None:
    """The instant at which clocks went forward over this time; None where they did show it."""
    after, before = epoch_seconds(moment.replace(fold=0)), epoch_seconds(moment.replace(fold=1))
    if after <= before:
        return None
    old = local_time(before, moment.tzinfo or UTC).utcoffset()
    changed = bisect_left(
        range(before, after), True, key=lambda instant: local_time(instant, moment.tzinfo or UTC).utcoffset() != old
    )
    return before + changed


def describe_instant(instant: int, zone: tzinfo) -> dict[str, Any]:
    """An instant as a zone has it, with the bounds of its day and month; `…_end` is the last second.

    Raises:
        OverflowError: it is beyond the year 9999 there.
    """
    shown = local_time(instant, zone)
    months = shown.year * 12 + shown.month - 1
    last_month, this_month, next_month = (
        start_of_day(number // 12, number % 12 + 1, 1, zone) for number in (months - 1, months, months + 1)
    )
    is_last_day = shown.day == monthrange(shown.year, shown.month)[1]
    tomorrow = next_month if is_last_day else start_of_day(shown.year, shown.month, shown.day + 1, zone)
    return {
        "time": shown.isoformat(timespec="seconds"),
        "date": f"{shown:%Y-%m-%d}",
        "month": f"{shown:%Y-%m}",
        "day_start": start_of_day(shown.year, shown.month, shown.day, zone),
        "day_end": tomorrow - 1,
        "previous_month_start": last_month,
        "month_start": this_month,
        "month_end": next_month - 1,
        "next_month_start": next_month,
    }
