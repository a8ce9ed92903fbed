"""Times for people at a terminal: in their zone, and how long ago."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.permissions.question.formatting import Reader

MINUTE, HOUR, DAY = 60, 3600, 86_400


def iso_time(at: float | None) -> str | None:
    """Return epoch seconds for programs, as `2026-01-31T09:00:00Z`."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def json_times(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record for programs, with its times as text."""
    return {name: iso_time(value) if name == "at" or name.endswith("_at") else value for name, value in fields.items()}


def relative_time(at: float, now: float) -> Message:
    """Return how long ago a time is, or how far ahead, in its largest unit."""
    seconds = abs(now - at)
    if seconds < MINUTE:
        return message("cli.just_now" if at <= now else "cli.in_a_moment")
    unit, size = ("minute", MINUTE) if seconds < HOUR else ("hour", HOUR) if seconds < DAY else ("day", DAY)
    return one_of("cli.ago" if at <= now else "cli.ahead", unit, number=int(seconds // size))


def format_time(at: float, now: float, reader: Reader) -> str:
    """Return a time to the minute, in the reader's zone, with how long ago it is."""
    shown = f"{datetime.fromtimestamp(at, reader.zone):%Y-%m-%d %H:%M %Z}"
    return f"{shown} ({relative_time(at, now).text(reader.language)})"
