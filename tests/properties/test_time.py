"""The time tools: bounds that hold every instant, texts that lead back to it, and an answer or a refusal whatever is asked."""

from __future__ import annotations

from calendar import timegm
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from saasus_mcp.common import timezones
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.server.offers import time_tools
from saasus_mcp.server.pipeline.call import Call
from tests.support.pipeline import PRINCIPAL
from tests.support.strategies import any_json, text_values

NOW, CONVERT = time_tools.time_tools(lambda: 1_798_729_199.9)
TRUE_TO_SCHEMA = Draft202012Validator(time_tools.TIME_OUTPUT_SCHEMA)
BASIC = ["UTC", "Asia/Tokyo"]
ODD = [
    "America/New_York",
    "America/Sao_Paulo",  # summer time began at midnight
    "America/Havana",  # and ends at one in the night, back to midnight
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Apia",  # has no 30 December 2011
    "Pacific/Kiritimati",
    "Africa/Casablanca",
    "Europe/London",
]
ANY_ZONE = st.sampled_from(BASIC + [name for name in ODD if timezones.find_time_zone(name)])
INSTANTS = st.integers(0, time_tools.LAST_INSTANT - 32 * 86_400)
RECENT = st.integers(32 * 86_400, 4_102_444_800)


def at_once(answering: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits. Thousands of event loops would be slow."""
    try:
        answering.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")


def convert(**given: Any) -> dict[str, Any]:
    """Return the answer of time_convert, with the text of a refusal as `error`."""
    try:
        got = at_once(CONVERT.handle(Call(CONVERT.name, given, PRINCIPAL)))
    except InvalidArguments as refusal:
        return {"error": str(refusal)}
    TRUE_TO_SCHEMA.validate(got.structured)
    return dict(got.structured)


def view(instant: int, zone: str) -> dict[str, Any]:
    return dict(convert(time=instant, zone=zone)["zones"][zone])


@given(INSTANTS | RECENT, ANY_ZONE)
def test_the_bounds_hold_the_instant_and_meet_without_a_gap(instant: int, zone: str) -> None:
    here = view(instant, zone)
    assert here["month_start"] <= here["day_start"] <= instant <= here["day_end"] <= here["month_end"]
    assert here["previous_month_start"] < here["month_start"]
    assert here["next_month_start"] == here["month_end"] + 1
    assert here["date"].startswith(here["month"])
    assert here["time"].startswith(here["date"])
    if here["previous_month_start"] >= 0:
        before = view(here["month_start"] - 1, zone)
        assert (before["month"], before["month_start"]) < (here["month"], here["month_start"])
        assert before["month_start"] == here["previous_month_start"]
        assert before["next_month_start"] == here["month_start"]
    tomorrow = view(here["day_end"] + 1, zone)
    assert tomorrow["date"] > here["date"]
    assert tomorrow["day_start"] == here["day_end"] + 1


@given(INSTANTS)
def test_utc_and_japan_agree_with_the_plain_calendar(instant: int) -> None:
    for zone, hours in (("UTC", 0), ("Asia/Tokyo", 9)):
        here, local = view(instant, zone), datetime.fromtimestamp(instant + hours * 3600, UTC)
        year, month = local.year, local.month
        following = (year + month // 12, month % 12 + 1)
        assert here["month_start"] == timegm((year, month, 1, 0, 0, 0)) - hours * 3600
        assert here["next_month_start"] == timegm((*following, 1, 0, 0, 0)) - hours * 3600
        assert here["day_start"] == timegm((year, month, local.day, 0, 0, 0)) - hours * 3600
        assert here["day_end"] - here["day_start"] == 86_399


@given(INSTANTS | RECENT, ANY_ZONE)
def test_the_shown_time_parses_to_the_same_instant(instant: int, zone: str) -> None:
    told = convert(time=instant, zone=zone)
    assert told["epoch"] == instant
    for each in told["zones"].values():
        assert convert(time=each["time"])["epoch"] == instant


@given(RECENT, ANY_ZONE)
def test_a_time_without_offset_is_read_in_its_zone_and_said_where_it_is_not_one_time(instant: int, zone: str) -> None:
    shown = view(instant, zone)["time"][:19]
    read = convert(time=shown, zone=zone)
    assert read["zones"][zone]["time"][:19] == shown, "clocks did show it"
    assert (read["epoch"] == instant) or "twice" in read["note"]
    assert "note" not in read or str(instant) in read["note"]


@given(RECENT, ANY_ZONE)
def test_a_date_and_a_month_are_their_first_instants(instant: int, zone: str) -> None:
    here = view(instant, zone)
    assert convert(time=here["date"], zone=zone)["epoch"] == here["day_start"]
    assert convert(time=here["month"], zone=zone)["epoch"] == here["month_start"]


@given(st.integers(time_tools.FIRST_INSTANT, 99_999_999_999))
def test_epoch_seconds_may_come_as_text(instant: int) -> None:
    """A client that takes one type for an argument can send nothing else."""
    assert convert(time=f"{instant:+}") == convert(time=instant)
    if instant >= 100_000_000:
        assert convert(time=str(instant)) == convert(time=instant)


@given(text_values | st.integers() | any_json, st.none() | text_values | ANY_ZONE | any_json)
def test_whatever_is_asked_is_answered_or_refused_by_field(time: Any, zone: Any) -> None:
    told = convert(time=time) if zone is None else convert(time=time, zone=zone)
    assert "epoch" in told or told["error"].split(":")[0].split(".")[0].split("[")[0] in ("time", "zone")


KNOWN = {
    "a leap day": ("2028-02-29", "Asia/Tokyo", "2028-02-28T15:00:00+00:00"),
    "the end of a leap February": ("2028-02-29T23:59:59", "UTC", "2028-02-29T23:59:59+00:00"),
    "New Year in Japan": ("2027-01-01", "Asia/Tokyo", "2026-12-31T15:00:00+00:00"),
    "a month in Japan": ("2027-03", "Asia/Tokyo", "2027-02-28T15:00:00+00:00"),
    "an offset beats the zone": ("2026-11-03T00:00:00-05:00", "Asia/Tokyo", "2026-11-03T05:00:00+00:00"),
    "a fraction is dropped": ("2026-11-03T00:00:00.999Z", "UTC", "2026-11-03T00:00:00+00:00"),
    "the first day there is": ("1970-01-01", "UTC", "1970-01-01T00:00:00+00:00"),
    "the last day there is": ("9999-12-31", "Asia/Tokyo", "9999-12-30T15:00:00+00:00"),
}


@pytest.mark.parametrize("case", KNOWN)
def test_a_known_time_is_converted(case: str) -> None:
    time, zone, utc = KNOWN[case]
    assert convert(time=time, zone=zone)["zones"]["UTC"]["time"] == utc


def test_the_year_9999_ends_where_the_next_would_begin() -> None:
    here = convert(time="9999-12-31", zone="UTC")["zones"]["UTC"]
    assert (here["day_end"], here["next_month_start"]) == (time_tools.LAST_INSTANT, time_tools.LAST_INSTANT + 1)


ODD_TIMES = {
    "the clock skipped it": (
        "2026-03-08T02:30",
        "America/New_York",
        1_772_955_000,
        "does not exist (clocks went forward)",
    ),
    "the clock showed it twice": ("2026-11-01T01:30", "America/New_York", 1_793_511_000, "and 1793514600"),
    "the whole day was skipped": ("2011-12-30", "Pacific/Apia", 1_325_239_200, "This day does not exist"),
    "the day begins at one": ("2018-11-04", "America/Sao_Paulo", 1_541_300_400, None),
    "the day has midnight twice": ("2026-11-01", "America/Havana", 1_793_505_600, None),
}


@pytest.mark.parametrize("case", ODD_TIMES)
def test_an_odd_time_is_converted_and_said_to_be_odd(case: str) -> None:
    time, zone, epoch, said = ODD_TIMES[case]
    told = convert(time=time, zone=zone)
    assert told["epoch"] == epoch
    assert (said in told["note"]) if said else ("note" not in told)


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "milliseconds": ({"time": 1_767_225_600_000}, "time:", "specify 1767225600."),
    "milliseconds as text": ({"time": "1767225600000"}, "time:", "specify 1767225600."),
    "a time without separators": ({"time": "202601310900"}, "time:", "9 to 11 digits"),
    "a date without separators": ({"time": "20260131"}, "time:", "9 to 11 digits"),
    "a year": ({"time": "2026", "zone": "UTC"}, "time:", "9 to 11 digits"),
    "before 1970, as text": ({"time": "-50401"}, "time:", "from 1970 to 9999"),
    "no offset and no zone": ({"time": "2026-11-03T10:00"}, "zone:", "UTC or Asia/Tokyo"),
    "a date and no zone": ({"time": "2026-11-03"}, "zone:", "UTC or Asia/Tokyo"),
    "no such day": ({"time": "2026-02-29", "zone": "UTC"}, "time:", "2026-01-31"),
    "no such zone": ({"time": 0, "zone": "Asia/Osaka"}, "zone:", "IANA"),
    "a way out of the zones": ({"time": 0, "zone": "../../etc/passwd"}, "zone:", "IANA"),
    "a folder of zones": ({"time": 0, "zone": "America"}, "zone:", "IANA"),
    "a table of zones": ({"time": 0, "zone": "zone.tab"}, "zone:", "IANA"),
    "before 1970": ({"time": -50_401}, "time:", "from 1970 to 9999"),
    "the year 1969": ({"time": "1969-12-31", "zone": "UTC"}, "time:", "from 1970 to 9999"),
    "beyond 9999 in Japan": ({"time": "9999-12-31T23:00:00Z"}, "time:", "from 1970 to 9999"),
    "a truth": ({"time": True}, "time:", "string or integer"),
    "half a second": ({"time": 0.5}, "time:", "string or integer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_invalid_time_is_refused_with_an_example(case: str) -> None:
    given, field, hint = REFUSED[case]
    error = convert(**given)["error"]
    assert error.startswith(field)
    assert hint in error


def test_the_current_time_is_given_in_utc_and_in_japan() -> None:
    got: Any = at_once(NOW.handle(Call("time_now", {}, PRINCIPAL)))
    assert got.structured["epoch"] == 1_798_729_199
    assert got.structured["zones"]["UTC"]["time"] == "2026-12-31T14:59:59+00:00"
    assert got.structured["zones"]["Asia/Tokyo"]["time"] == "2026-12-31T23:59:59+09:00"
    assert list(got.structured["zones"]) == BASIC
