"""The period of a report: whole days or months in one time zone."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from saasus_mcp.common import timezones
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Message, message

ONE_DAY = timedelta(days=1)
EARLIEST, LATEST = date(2000, 1, 1), date(9998, 12, 31)


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `first` to `last`, inclusive."""

    first: date
    last: date
    zone: tzinfo = UTC

    @classmethod
    def from_arguments(cls, args: Mapping[str, Any]) -> Period:
        """Return the period of a job's arguments `from`, `to` (`from` by default) and `zone`.

        Raises:
            InvalidArguments: there is no such period.
        """
        zone = parse_zone(args)
        first, _ = _parse_day_or_month(args["from"], "from")
        _, last = _parse_day_or_month(args.get("to", args["from"]), "to")
        if last < first:
            raise InvalidArguments.at(("to",), "jobs_reports.period_reversed")
        return cls(first, last, zone)

    @property
    def start(self) -> int:
        """The first second."""
        return _start_of(self.first, self.zone)

    @property
    def end(self) -> int:
        """The last second."""
        return _start_of(self.last + ONE_DAY, self.zone) - 1

    def months(self) -> Iterator[Period]:
        """Yield the part of the period in each calendar month."""
        first = self.first
        while first <= self.last:
            month_end = first.replace(day=monthrange(first.year, first.month)[1])
            yield replace(self, first=first, last=min(month_end, self.last))
            first = month_end + ONE_DAY

    def running_part(self, today: str | None) -> Message | None:
        """Return a note if the period is not over, or has not begun, because its figures are not final.

        Args:
            today: YYYY-MM-DD in the time zone. None, as in the plan of an earlier version, gives no note.
        """
        if today is None or today > str(self.last):
            return None
        if today < str(self.first):
            return message("jobs_reports.not_begun", first=str(self.first), today=today)
        return message("jobs_reports.not_over", first=str(self.first), last=str(self.last), today=today)

    def day_of(self, instant: int) -> str:
        """Return the day of an instant as YYYY-MM-DD."""
        return format_day(instant, self.zone)

    def __contains__(self, instant: int) -> bool:
        return self.start <= instant <= self.end


def parse_zone(args: Mapping[str, Any]) -> tzinfo:
    """Return the time zone of a job's arguments, UTC by default. Raise InvalidArguments if the time zone is unknown."""
    zone = timezones.find_time_zone(args.get("zone", "UTC"))
    if zone is None:
        raise InvalidArguments.at(("zone",), "jobs_reports.unknown_zone")
    return zone


def format_day(instant: int | None, zone: tzinfo) -> str:
    """Return the day of an instant as YYYY-MM-DD; empty for None."""
    return "" if instant is None else f"{timezones.local_time(instant, zone):%Y-%m-%d}"


def _start_of(day: date, zone: tzinfo) -> int:
    return timezones.start_of_day(day.year, day.month, day.day, zone)


def _parse_day_or_month(text: str, argument: str) -> tuple[date, date]:
    """Return the first and the last day of a day or month."""
    try:
        if len(text) == len("YYYY-MM"):
            first = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
            found = first, first.replace(day=monthrange(first.year, first.month)[1])
        else:
            day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - nor has a day
            found = day, day
    except ValueError:
        raise InvalidArguments(
            (argument,), message("jobs_reports.no_such_day"), message("jobs_reports.day_hint")
        ) from None
    if not EARLIEST <= found[0] <= found[1] <= LATEST:
        problem = message("jobs_reports.day_out_of_range", first=str(EARLIEST), last=str(LATEST))
        raise InvalidArguments((argument,), problem, message("jobs_reports.day_hint"))
    return found
