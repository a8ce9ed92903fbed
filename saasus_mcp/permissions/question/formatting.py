"""Typed values as a reader writes them: names, numbers, money, times in the reader's zone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import singledispatch
from string import Formatter
from typing import Any

from saasus_mcp.catalog.model import Language, Text
from saasus_mcp.permissions.question.model import (
    Absent,
    Day,
    File,
    Labelled,
    Moment,
    Money,
    Named,
    Number,
    Phrase,
    Quoted,
    Said,
    Several,
    Tier,
    Tiers,
    Unread,
    Unresolved,
    Value,
)
from saasus_mcp.permissions.question.words import MONTHS_EN, WEEKDAYS_EN, WEEKDAYS_JA, WHY_NOT_JA, WORDS
from saasus_mcp.saasus.words import named, one_line, quoted

JAPAN = timezone(timedelta(hours=9), "JST")
MOST_SHOWN = 12
"""Distinct items of a list in one line. Of more, the others are announced."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: in which language, and in which time zone."""

    language: Language
    zone: tzinfo

    @classmethod
    def of(cls, language: Language, zone: tzinfo | None = None) -> Reader:
        """A reader in the usual zone of their language, where none is set: Japan's for Japanese, else UTC."""
        return cls(language, zone or (JAPAN if language == "ja" else UTC))


def say(value: Value, reader: Reader) -> str:
    """The value in one line."""
    return _say(value, reader)


def fill(sentence: Text | Phrase, reader: Reader) -> str:
    """A sentence of ours with its values as the reader writes them.

    Japanese has no spaces around quotation marks; a template has them for values that are shown without.
    """
    if isinstance(sentence, Text):
        return sentence.get(reader.language)
    values = {name: say(value, reader) for name, value in sentence.values}
    parts = Formatter().parse(sentence.template.get(reader.language))
    if reader.language == "en":
        return "".join(words + (values.get(name, "") if name else "") for words, name, _, _ in parts)
    said = ""
    for words, name, _, _ in parts:
        value = values.get(name, "") if name else ""
        left = words.removeprefix(" ") if said.endswith(_CLOSING) else words
        said += (left.removesuffix(" ") if value.startswith("「") else left) + value
    return said


def shown_whole(value: Value) -> bool:
    """Whether `say` leaves nothing of the value out."""
    if isinstance(value, Quoted):
        return value.whole
    if isinstance(value, Labelled):
        return shown_whole(value.value)
    if isinstance(value, Several):
        return (
            sum(value.counts) == value.total and len(value.items) <= MOST_SHOWN and all(map(shown_whole, value.items))
        )
    return not isinstance(value, File)


def why_not(why: str, language: Language) -> str:
    """Why something could not be read, for a person."""
    return one_line(WHY_NOT_JA.get(why, why) if language == "ja" else why)


@singledispatch
def _say(value: Any, reader: Reader) -> str:
    raise AssertionError(f"no words for {type(value).__name__} in {reader.language}")


@_say.register
def _(_: Absent, reader: Reader) -> str:
    return WORDS[reader.language]["none"]


@_say.register
def _(value: Said, reader: Reader) -> str:
    return value.text.get(reader.language)


@_say.register
def _(value: Quoted, reader: Reader) -> str:
    if value.whole:
        return named(value.head, reader.language)
    head = quoted(value.head, reader.language)
    tail = quoted(value.tail, reader.language)
    return WORDS[reader.language]["long"].format(head=head, tail=tail, length=f"{value.length:,}")


@_say.register
def _(value: Named, reader: Reader) -> str:
    return named(value.name, reader.language)


@_say.register
def _(value: Unresolved, reader: Reader) -> str:
    id_ = named(value.id, reader.language)
    if not value.why:
        return id_
    return WORDS[reader.language]["unresolved"].format(id=id_, why=why_not(value.why, reader.language))


@_say.register
def _(value: Unread, reader: Reader) -> str:
    return WORDS[reader.language]["unread"].format(why=why_not(value.why, reader.language))


@_say.register
def _(value: Number, reader: Reader) -> str:
    said = grouped(value.value)
    if value.unit is None:
        return said
    unit = value.unit.get(reader.language)
    return f"{said}{unit}" if reader.language == "ja" or unit == "%" else f"{said} {unit}".rstrip()


@_say.register
def _(value: Money, reader: Reader) -> str:
    per = WORDS[reader.language][value.per] if value.per else ""
    return amount(value.amount, value.currency, reader.language) + per


@_say.register
def _(value: Moment, reader: Reader) -> str:
    at = datetime.fromtimestamp(value.seconds, reader.zone)
    zone = at.tzname() or "UTC"
    if reader.language == "ja":
        return f"{at.year}年{at.month}月{at.day}日({WEEKDAYS_JA[at.weekday()]}) {at:%H:%M} {zone}"
    return f"{WEEKDAYS_EN[at.weekday()]} {at.day} {MONTHS_EN[at.month - 1]} {at.year}, {at:%H:%M} {zone}"


@_say.register
def _(value: Day, reader: Reader) -> str:
    year, month, *day = (int(part) for part in value.date.split("-"))
    if reader.language == "ja":
        return f"{year}年{month}月" + (f"{day[0]}日" if day else "")
    name = MONTHS_EN[month - 1] if 1 <= month <= len(MONTHS_EN) else str(month)
    return (f"{day[0]} " if day else "") + f"{name} {year}"


@_say.register
def _(value: File, reader: Reader) -> str:
    return WORDS[reader.language]["file"].format(size=f"{value.size:,}", digest=value.digest)


@_say.register
def _(value: Tiers, reader: Reader) -> str:
    words = WORDS[reader.language]
    if len(value.tiers) == 1 and not value.tiers[0].up_to:  # one price for everything: "above" would lack a below
        return tier_price(value.tiers[0], value.currency, reader)
    return words["tier_join"].join(
        words["tier"].format(range=tier_range(tier, reader), price=tier_price(tier, value.currency, reader))
        for tier in value.tiers
    )


@_say.register
def _(value: Labelled, reader: Reader) -> str:
    return f"{value.label.get(reader.language)} {say(value.value, reader)}"


@_say.register
def _(value: Several, reader: Reader) -> str:
    words = WORDS[reader.language]
    shown = [
        words["times"].format(item=say(item, reader), count=count) if count > 1 else say(item, reader)
        for item, count in zip(value.items[:MOST_SHOWN], value.counts, strict=False)
    ]
    distinct = len(value.items)
    if distinct > MOST_SHOWN:
        shown.append(words["and_more"].format(count=f"{value.total - sum(value.counts[:MOST_SHOWN]):,}"))
    said = words["and"].join(shown)
    if distinct > MOST_SHOWN or value.total != distinct:
        return words["in_all"].format(items=said, total=f"{value.total:,}")
    return said


def tier_range(tier: Tier, reader: Reader) -> str:
    """Up to how many units a tier goes."""
    words = WORDS[reader.language]
    return words["tier_to"].format(to=grouped(tier.up_to)) if tier.up_to else words["tier_rest"]


def tier_price(tier: Tier, currency: str, reader: Reader) -> str:
    """What a tier costs: a flat amount, an amount for each unit, or both."""
    language = reader.language
    flat = amount(tier.flat, currency, language) if tier.flat not in ("", "0") else ""
    each = (
        WORDS[language]["tier_each"].format(amount=amount(tier.unit, currency, language))
        if tier.unit not in ("", "0")
        else ""
    )
    plus = "+" if language == "ja" else " + "
    return plus.join(part for part in (flat, each) if part) or amount("0", currency, language)


def amount(number: str, currency: str, language: Language) -> str:
    """Money with its currency and separators. Amounts are in major units."""
    said = grouped(number)
    written = _CURRENCIES.get((currency, language))
    if written is not None:
        return written(said)
    return f"{said} {currency}".strip() if language == "ja" else f"{currency} {said}".strip()


def grouped(number: str) -> str:
    """A decimal number with separators for thousands."""
    return f"{Decimal(number):,f}" if number else ""


_CLOSING = ("」", "」…")
_CURRENCIES: Mapping[tuple[str, Language], Callable[[str], str]] = {
    ("JPY", "ja"): "{}円".format,
    ("JPY", "en"): "¥{}".format,
    ("USD", "ja"): "{}米ドル".format,
    ("USD", "en"): "${}".format,
}


def joined(parts: Iterable[str], language: Language) -> str:
    """Short sentences in one line."""
    return WORDS[language]["join"].join(parts)
