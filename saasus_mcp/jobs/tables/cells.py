"""Values of cells, and headings of columns, in the spellings that people write."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from math import isfinite
from typing import Any

from saasus_mcp.common import timezones
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.normal_forms import normalize
from saasus_mcp.common.text import Quoted, fold_name, nearest_names, one_line
from saasus_mcp.server.results.jmespath_query import looks_like_formula

ERAS = {"令和": (2018, date(2019, 5, 1)), "平成": (1988, date(1989, 1, 8)), "昭和": (1925, date(1926, 12, 25))}
"""By Japanese era, newest first: the year before its first, and its first day."""
ERA_LETTERS = {"R": "令和", "H": "平成", "S": "昭和"}
"""As in R8.4.1, which is a date format of Japanese Excel."""
DATE_PATTERN = re.compile(
    r"((?:令和|平成|昭和)(?=[^-/.]+年)|[RHS](?=\d{1,2}[-/.]))?(\d{1,4}|元)(?:[-/.]|年)(\d{1,2})(?:[-/.]|月)(\d{1,2})日?"
)
"""A date that begins with the year: in ISO form, as Japanese Excel writes it, and in Japanese words, also by era."""
CLOCK_PATTERN = re.compile(
    r"(?:\([月火水木金土日]\))?(?:[T ] *|(?<=[日)]))(?:(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?|(\d{1,2})時(?:(\d{1,2})分)?)"
    r" *(Z|UTC|JST|[-+]\d{2}:?\d{2})?"
)
"""What follows the date in a time: in ISO form, as Japanese Excel writes it, and as questions show it. After a number it begins with a separator:
2026-1-112:00 can be two times."""
COMPACT_DATE = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})")
"""A date as other systems export it. As epoch seconds, the number would be a time in 1970."""
SERIAL_NUMBER = re.compile(r"[2-7]\d{4}(\.\d+)?")
"""A date of 1954 to 2119 as a workbook stores it: days since 1899-12-30."""
FIRST_SERIAL = date(1899, 12, 30)
MIDNIGHT = re.compile(r"[T ]0{1,2}:00(:00(\.0+)?)?$")
"""The time of day that a spreadsheet adds to a date."""
NUMBER = re.compile(r"[-+]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)?(\.[0-9]*)?([eE][-+]?[0-9]+)?")
WIDTHS = {code: normalize("NFKC", chr(code)) for code in (0x3000, *range(0xFF01, 0xFFE7))}
"""Full-width and half-width forms, each with its usual form."""
TRUE_WORDS, FALSE_WORDS = (
    frozenset({"true", "1", "yes", "はい", "有効", "○", "\u3007", "◯", "✓", "✔"}),
    frozenset({"false", "0", "no", "いいえ", "無効", "\u00d7", "✕", "✗", "✖"}),
)
MAX_HEADING = 100


def cell_text(value: Any) -> str:
    """Return the text of a cell without spaces around it and without the apostrophe that guards it (`csv_cell`)."""
    text = "" if value is None else str(value).strip() if not isinstance(value, bool) else str(value).lower()
    return text[1:] if text.startswith("'") and looks_like_formula(text[1:]) else text


def narrow(text: str) -> str:
    """Return a text in half-width characters: for ids, numbers and dates, never for names.

    Only widths are changed. The NFKC form would make 102 of 10², and the address of another person of one with a ligature.
    """
    return normalize("NFC", text.translate(WIDTHS)).strip()


def is_filled(value: Any) -> bool:
    """Return whether a cell, or one of a list of cells, holds more than spaces."""
    if isinstance(value, list):
        return any(is_filled(each) for each in value)
    return value is not None and str(value).strip() != ""


def parse_number(text: str) -> int | float:
    """Return the number in a text. Raise ValueError if it is not a finite number."""
    text = narrow(text)
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    text = text.replace(",", "")
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def parse_bool(text: str) -> bool:
    """Return the truth value in a text. Raise ValueError if it is not a truth value."""
    word = narrow(text).casefold()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise ValueError(text)
    return word in TRUE_WORDS


def parse_date(text: str) -> str:
    """Return the date in a text as YYYY-MM-DD. Raise ValueError if it is not a date, or has a time of day."""
    return _date_of(DATE_PATTERN.fullmatch(MIDNIGHT.sub("", _with_hyphens(text)))).isoformat()


def parse_moment(text: str, zone: tzinfo) -> tuple[int, bool]:
    """Return the epoch seconds of a date (its start) or a time, and whether the zone decided them.

    Raises:
        ValueError: it is not a date or time, or clocks do not show that time in the zone.
    """
    text = _with_hyphens(text)
    found = DATE_PATTERN.match(text)
    day, end = _date_of(found), found.end() if found else 0
    if end == len(text):
        return timezones.start_of_day(day.year, day.month, day.day, zone), True
    clock = CLOCK_PATTERN.fullmatch(text, end)
    if clock is None:
        raise ValueError(text)
    hour, minute, second, hour_in_words, minute_in_words, offset = clock.groups()
    at = time(int(hour or hour_in_words), int(minute or minute_in_words or 0), int(second or 0))
    if offset:
        offset = {"Z": "+00:00", "UTC": "+00:00", "JST": "+09:00"}.get(offset, offset)
        return timezones.epoch_seconds(datetime.fromisoformat(f"{day}T{at}{offset}")), False
    moment = datetime.combine(day, at, zone)
    if timezones.clock_change_instant(moment) is not None:
        raise ValueError(text)
    return timezones.epoch_seconds(moment), True


def date_of_serial(text: str) -> date | None:
    """Return the date that a cell shows if it is formatted as one, or None if the text is not the number of such a date."""
    number = narrow(text)
    if not SERIAL_NUMBER.fullmatch(number):
        return None
    return FIRST_SERIAL + timedelta(days=int(float(number)))


def explain_value(kind: str, text: str) -> Message:
    """Return why a text is not a value of an attribute's type."""
    stored = date_of_serial(text) if kind == "date" else None
    if stored is not None:
        return message("jobs_tables.date_serial", value=Quoted(text), date=stored.isoformat())
    return one_of("jobs_users.not_a", kind, value=Quoted(text))


def _with_hyphens(text: str) -> str:
    text = narrow(text)
    compact = COMPACT_DATE.fullmatch(text)
    return "-".join(compact.groups()) if compact else text


def _date_of(found: re.Match[str] | None) -> date:
    if found is None:
        raise ValueError("no date")
    era, year, month, day = found.groups()
    if era is None:
        if len(year) < len("YYYY"):
            raise ValueError(year)
        return date(int(year), int(month), int(day))
    before_first, begins = ERAS[ERA_LETTERS.get(era, era)]
    named = date(before_first + (1 if year == "元" else int(year)), int(month), int(day))
    ends = min((other for _, other in ERAS.values() if other > begins), default=date.max)
    if not begins <= named < ends:
        raise ValueError(named)
    return named


PARSERS: Mapping[str, Callable[[str], Any]] = {"number": parse_number, "bool": parse_bool, "date": parse_date}
"""By type of attribute. Any other type is text."""


class ColumnNames:
    """Finds columns by heading, however case, width, spaces, hyphens and underscores are written.

    Args:
        headings: other headings, by column.
        prefixes: other prefixes, by the prefix of columns whose rest is a name, such as `attribute.`.
        titles: what people call such columns, by column; empty if they have no other name. A title that two of them have finds none.
    """

    def __init__(
        self,
        headings: Mapping[str, Sequence[str]],
        prefixes: Mapping[str, Sequence[str]] | None = None,
        titles: Mapping[str, str] | None = None,
    ) -> None:
        self._headings, self._prefixes, self._titles = headings, prefixes or {}, titles or {}
        self._japanese = {
            name: next((each for each in others if not each.isascii()), "")
            for name, others in (*headings.items(), *self._prefixes.items())
        }
        self._columns = {_fold(each): name for name, others in headings.items() for each in (*others, name)}
        self._folded_prefixes = {
            fold_name(each): name for name, others in self._prefixes.items() for each in (name, *others)
        }
        count = Counter(map(_fold, self._titles.values()))
        self._by_title = {
            _fold(title): column for column, title in self._titles.items() if title and count[_fold(title)] == 1
        }

    def with_titles(self, prefix: str, titles: Mapping[str, str]) -> ColumnNames:
        """Return names that find a column `prefix` + NAME also by the title of NAME."""
        columns = {prefix + name: title if title != name else "" for name, title in titles.items()}
        return ColumnNames(self._headings, self._prefixes, columns)

    def find(self, heading: str) -> str:
        """Return the column that a heading names; the heading itself if it is unknown."""
        heading = heading.strip()
        for prefix, name in self._folded_prefixes.items():
            if fold_name(heading[: len(prefix)]) == prefix:
                rest = heading[len(prefix) :].strip()
                column = name + rest
                return column if column in self._titles else self._by_title.get(_fold(rest), column)
        return self._columns.get(_fold(heading)) or self._by_title.get(_fold(heading), heading)

    def shown(self, column: str, rest: str = "") -> Text:
        """Return a column, or a prefix with `rest`, as an error lists it: in Japanese with its Japanese heading, or with its title."""
        name, title = one_line(column, MAX_HEADING), one_line(self._titles.get(column, ""), MAX_HEADING)
        if title:
            return Text(f"{name} ({title})", f"{name}({title})")
        japanese = self._japanese.get(column, "")
        return Text(name + rest, f"{name}{rest}({japanese}{rest})" if japanese else name + rest)

    def first(self, column: str, headings: Sequence[str]) -> str | None:
        """Return the heading that names a column; of several, the one whose spelling comes first for this column."""
        written = {_fold(heading): heading for heading in reversed(headings)}
        return next((written[name] for name, of in self._columns.items() if of == column and name in written), None)

    def nearest(self, heading: str, known: Iterable[str]) -> str | None:
        """Return the known column or heading that resembles an unknown one the most."""
        spellings = {**self._by_title, **self._columns, **{_fold(name): name for name in known}}
        near = nearest_names(_fold(heading[:MAX_HEADING]), spellings, 1)
        return spellings[near[0]] if near else None


def _fold(heading: str) -> str:
    folded = fold_name(heading)
    return "".join(letter for letter in folded if not letter.isspace() and letter not in "_-")
