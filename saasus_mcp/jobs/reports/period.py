"""The period that a report is about: whole days or months of one time zone."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from saasus_mcp.common import timezones
from saasus_mcp.common.json_path import InvalidArguments

ONE_DAY = timedelta(days=1)
EARLIEST, LATEST = date(2000, 1, 1), date(9998, 12, 31)
FORMATS = "YYYY-MM or YYYY-MM-DD"


@dataclass(frozen=True, slots=True)
class Period:
    """Days from the first to the last, both included."""

    first: date
    last: date
    zone: tzinfo = UTC

    @classmethod
    def from_arguments(cls, args: Mapping[str, Any]) -> Period:
        """The period of a job's arguments: `from`, `to` (by default the same day or month as `from`) and `zone`.

        Raises:
            InvalidArguments: there is no such period.
        """
        zone = parse_zone(args)
        first, _ = _read(args["from"], "from")
        _, last = _read(args.get("to", args["from"]), "to")
        if last < first:
            raise InvalidArguments(("to",), "it lies before from.", "Leave it out for the day or month of from alone.")
        return cls(first, last, zone)

    @property
    def start(self) -> int:
        """Its first second."""
        return _begins(self.first, self.zone)

    @property
    def end(self) -> int:
        """Its last second."""
        return _begins(self.last + ONE_DAY, self.zone) - 1

    def months(self) -> Iterator[Period]:
        """What it has of each calendar month."""
        first = self.first
        while first <= self.last:
            ends = first.replace(day=monthrange(first.year, first.month)[1])
            yield replace(self, first=first, last=min(ends, self.last))
            first = ends + ONE_DAY

    def day_of(self, instant: int) -> str:
        """The day of an instant, YYYY-MM-DD."""
        return format_day(instant, self.zone)

    def __contains__(self, instant: int) -> bool:
        return self.start <= instant <= self.end


def parse_zone(args: Mapping[str, Any]) -> tzinfo:
    """The zone of a job's arguments, or UTC.

    Raises:
        InvalidArguments: none is known by this name.
    """
    zone = timezones.find_time_zone(args.get("zone", "UTC"))
    if zone is None:
        raise InvalidArguments(("zone",), "no such zone is known here.", "Give an IANA name, e.g. Asia/Tokyo.")
    return zone


def format_day(instant: int | None, zone: tzinfo) -> str:
    """The day of an instant in a zone, YYYY-MM-DD; empty where there is none."""
    return "" if instant is None else f"{timezones.local_time(instant, zone):%Y-%m-%d}"


def _begins(day: date, zone: tzinfo) -> int:
    return timezones.start_of_day(day.year, day.month, day.day, zone)


def _read(text: str, argument: str) -> tuple[date, date]:
    """The first and the last day of a day or month."""
    try:
        if len(text) == len("YYYY-MM"):
            first = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
            found = first, first.replace(day=monthrange(first.year, first.month)[1])
        else:
            day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - nor has a day
            found = day, day
    except ValueError:
        raise InvalidArguments((argument,), "there is no such day or month.", f"Expected {FORMATS}.") from None
    if not EARLIEST <= found[0] <= found[1] <= LATEST:
        raise InvalidArguments((argument,), f"it is before {EARLIEST} or after {LATEST}.", f"Expected {FORMATS}.")
    return found
