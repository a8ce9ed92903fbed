"""Time zones, and the start of days and months in them. Instants are whole epoch seconds, UTC."""

from __future__ import annotations

import re
from bisect import bisect_left
from calendar import monthrange
from datetime import MAXYEAR, UTC, datetime, timedelta, tzinfo
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
_CYCLE_YEARS, _CYCLE_SECONDS = 400, 146_097 * 86_400
"""The Gregorian calendar, and with it the rules of every zone, repeats after 400 years."""


def find_time_zone(name: str) -> tzinfo | None:
    """Return the zone with this IANA name, or None."""
    if name == "UTC":
        return UTC
    if NAME.fullmatch(name) is None:
        return None
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - seldom needed

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None


def default_zones() -> dict[str, tzinfo]:
    """Return the zones in which times are always shown, by name."""
    return {name: zone for name in ("UTC", "Asia/Tokyo") if (zone := find_time_zone(name)) is not None}


def format_instant(at: float, zone: tzinfo) -> str:
    """Return an instant for tables and logs, to the second, with the name of the zone."""
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M:%S %Z}"


def format_clock(at: float, zone: tzinfo) -> str:
    """Return the time of day of an instant that is minutes away, with the name of the zone."""
    return f"{datetime.fromtimestamp(at, zone):%H:%M %Z}"


def epoch_seconds(moment: datetime) -> int:
    """Return the instant of a time with a zone. A fraction of a second is dropped."""
    return (moment - EPOCH) // SECOND


def local_time(instant: int, zone: tzinfo) -> datetime:
    """Return the local time of an instant. Raise OverflowError if the time is after the year 9999."""
    return (EPOCH + instant * SECOND).astimezone(zone)


def start_of_day(year: int, month: int, day: int, zone: tzinfo) -> int:
    """Return the first instant of a day.

    This is midnight; the first of two midnights if clocks go back, and the end of the gap if clocks skip midnight.
    """
    if year > MAXYEAR:
        return start_of_day(year - _CYCLE_YEARS, month, day, zone) + _CYCLE_SECONDS
    midnight = datetime(year, month, day, tzinfo=zone)
    return clock_change_instant(midnight) or epoch_seconds(midnight)


def clock_change_instant(moment: datetime) -> int | None:
    """Return the instant at which clocks skipped this local time, or None if clocks did show it."""
    zone = moment.tzinfo or UTC
    after, before = epoch_seconds(moment.replace(fold=0)), epoch_seconds(moment.replace(fold=1))
    if after <= before:
        return None
    old = local_time(before, zone).utcoffset()
    return before + bisect_left(
        range(before, after), True, key=lambda instant: local_time(instant, zone).utcoffset() != old
    )


def describe_instant(instant: int, zone: tzinfo) -> dict[str, Any]:
    """Return the local time of an instant and the bounds of its day and month. Keys `…_end` are the last second.

    Raises:
        OverflowError: the local time is after the year 9999.
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
