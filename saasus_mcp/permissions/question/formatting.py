"""Typed values as text for a reader: names, numbers, money, times in the reader's zone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from string import Formatter
from typing import Any

from saasus_mcp.common.language import Language, Text
from saasus_mcp.common.messages import Localized, Message, message, one_of
from saasus_mcp.common.text import Quoted, one_line, quote_name
from saasus_mcp.permissions.inspection.target import ReadFailure, is_whole_name
from saasus_mcp.permissions.question.content import (
    ITEMS,
    CalendarDate,
    DescribedItem,
    FileContent,
    FixedText,
    LabelledValue,
    Money,
    NamedItem,
    NoValue,
    PriceTier,
    Quantity,
    QuotedText,
    Sentence,
    TieredPrice,
    Timestamp,
    Transition,
    UnreadableValue,
    UnresolvedId,
    Value,
    ValueList,
)

JAPAN = timezone(timedelta(hours=9), "JST")
MAX_LIST_ITEMS = 12
"""Distinct items of a list in one line. Of more, the others are announced."""


@dataclass(frozen=True, slots=True)
class Reader:
    """The language and time zone of a reader."""

    language: Language
    zone: tzinfo

    @classmethod
    def of(cls, language: Language, zone: tzinfo | None = None) -> Reader:
        """Return a reader with the default zone of their language if none is set: Japan's for Japanese, else UTC."""
        return cls(language, zone or (JAPAN if language == "ja" else UTC))

    @property
    def zone_name(self) -> str:
        """Return the IANA name of the zone."""
        return "Asia/Tokyo" if self.zone is JAPAN else getattr(self.zone, "key", "UTC")


def format_value(value: Value, reader: Reader) -> str:
    """Return the value on one line."""
    return _FORMATTERS[type(value)](value, reader)


def format_sentence(sentence: Text | Sentence, reader: Reader, longest: int = 0) -> str:
    """Return a sentence with its values in the reader's form.

    Japanese has no spaces around quotation marks; a template has them for values without marks.

    Args:
        longest: the characters of a value that are shown, so that a long name leaves room for the words; 0 for all.
    """
    if isinstance(sentence, Text):
        return _shorten(sentence.text(reader.language), 2 * longest)
    values = {name: _shorten(format_value(value, reader), longest) for name, value in sentence.values}
    parts = Formatter().parse(sentence.template.text(reader.language))
    if reader.language == "en":
        return "".join(words + (values.get(name, "") if name else "") for words, name, _, _ in parts)
    said = ""
    for words, name, _, _ in parts:
        value = values.get(name, "") if name else ""
        left = words.removeprefix(" ") if said.endswith(_CLOSING) else words
        said += (left.removesuffix(" ") if value.startswith("「") else left) + value
    return said


def _shorten(text: str, longest: int) -> str:
    """Return a long text without its middle: names that begin alike often differ at the end."""
    if not longest or len(text) <= longest:
        return text
    end = longest // 3
    return f"{text[: longest - end]}…{text[-end:]}"


def is_shown_whole(value: Value, longest: float = MAX_LIST_ITEMS) -> bool:
    """Return whether the whole value is shown, if a list shows so many of its distinct items, as `format_value` does."""
    of = partial(is_shown_whole, longest=longest)
    match value:
        case QuotedText():
            whole = value.whole
        case NamedItem(name=name) | UnresolvedId(id=name):
            whole = is_whole_name(name)
        case LabelledValue():
            whole = of(value.value)
        case Transition():
            whole = of(value.before) and of(value.after)
        case DescribedItem(label=label):
            whole = (is_whole_name(label.en) or "…" not in label.en) and all(map(of, value.parts))
        case ValueList():
            listed = sum(value.counts) == value.total and len(value.items) <= longest
            whole = listed and all(map(of, value.items))
        case _:
            whole = not isinstance(value, FileContent)
    return whole


def read_error(why: str | Text) -> Localized:
    """Return why a value could not be read, for a person."""
    if isinstance(why, Text):
        return Text(one_line(why.en), one_line(why.ja))
    if why in _READ_FAILURES:
        return one_of("question.why", why)
    return Text(one_line(why), one_line(why))


def format_both(value: Value) -> Text:
    """Return the value in both languages, in the default zone of each."""
    return Text(format_value(value, Reader.of("en")), format_value(value, Reader.of("ja")))


def _format_quoted(value: QuotedText, reader: Reader) -> str:
    if value.whole:
        return quote_name(value.head, reader.language)
    head, tail = Quoted(value.head), Quoted(value.tail)
    return message("question.long_text", head=head, tail=tail, length=value.length).text(reader.language)


def _format_unresolved(value: UnresolvedId, reader: Reader) -> str:
    id_ = quote_name(value.id, reader.language)
    return message("question.unresolved", id=id_, why=read_error(value.why)).text(reader.language) if value.why else id_


def _format_quantity(value: Quantity, reader: Reader) -> str:
    said = format_number(value.value)
    if value.unit is None:
        return said
    unit = value.unit.text(reader.language)
    return f"{said}{unit}" if reader.language == "ja" or unit == "%" else f"{said} {unit}".rstrip()


def _format_money(value: Money, reader: Reader) -> str:
    per = one_of("question.per", value.per).text(reader.language) if value.per else ""
    return format_amount(value.amount, value.currency, reader.language) + per


def _format_timestamp(value: Timestamp, reader: Reader) -> str:
    at = datetime.fromtimestamp(value.seconds, reader.zone)
    zone, weekday = at.tzname() or "UTC", _WEEKDAYS[reader.language][at.weekday()]
    if reader.language == "ja":
        return f"{at.year}年{at.month}月{at.day}日({weekday}) {at:%H:%M} {zone}"
    return f"{weekday} {at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} {zone}"


def _format_date(value: CalendarDate, reader: Reader) -> str:
    year, month, *day = (int(part) for part in value.date.split("-"))
    if reader.language == "ja":
        return f"{year}年{month}月" + (f"{day[0]}日" if day else "")
    name = _MONTHS[month - 1] if 1 <= month <= len(_MONTHS) else str(month)
    return (f"{day[0]} " if day else "") + f"{name} {year}"


def _format_tiers(value: TieredPrice, reader: Reader) -> str:
    if len(value.tiers) == 1 and not value.tiers[0].up_to:  # one price for everything: "above" would lack a below
        return format_tier_price(value.tiers[0], value.currency, reader)
    return _TIER_SEPARATORS[reader.language].join(
        f"{format_tier_range(tier, reader)}: {format_tier_price(tier, value.currency, reader)}" for tier in value.tiers
    )


def _format_transition(value: Transition, reader: Reader) -> str:
    before, after = format_value(value.before, reader), format_value(value.after, reader)
    return message("question.transition", before=before, after=after).text(reader.language)


def _format_described(value: DescribedItem, reader: Reader) -> str:
    parts = tuple(format_value(part, reader) for part in value.parts)
    return message("question.described", item=value.label, parts=parts).text(reader.language)


def _format_list(value: ValueList, reader: Reader) -> str:
    shown: list[str | Message] = [
        message("question.times", item=format_value(item, reader), count=count)
        if count > 1
        else format_value(item, reader)
        for item, count in zip(value.items[:MAX_LIST_ITEMS], value.counts, strict=False)
    ]
    distinct = len(value.items)
    if distinct > MAX_LIST_ITEMS:
        shown.append(format_rest(value, MAX_LIST_ITEMS, reader))
    if distinct > MAX_LIST_ITEMS or value.total != distinct:
        total = format_total(value, reader)
        return message("question.with_total", items=tuple(shown), total=total).text(reader.language)
    return message("question.list", items=tuple(shown)).text(reader.language)


def format_total(value: ValueList, reader: Reader) -> str:
    """Return how many items a list has."""
    return message("question.in_all", total=_count(value.total, value, reader)).text(reader.language)


def format_rest(value: ValueList, shown: int, reader: Reader) -> str:
    """Return how many items follow the first distinct ones, or an empty text if none do."""
    rest = value.total - sum(value.counts[:shown])
    return message("question.and_more", count=_count(rest, value, reader)).text(reader.language) if rest else ""


def _count(number: int, value: ValueList, reader: Reader) -> str:
    """Return a number with the counter of the items, which Japanese needs and English does not."""
    return format_value(Quantity(str(number), value.unit or ITEMS), reader)


def format_tier_range(tier: PriceTier, reader: Reader) -> str:
    """Return the upper limit of a tier."""
    limit = message("question.tier_to", to=format_number(tier.up_to)) if tier.up_to else message("question.tier_rest")
    return limit.text(reader.language)


def format_tier_span(below: str, end: str, reader: Reader) -> str:
    """Return the quantities above one limit, up to and including another; an empty limit means without limit."""
    if not below and not end:
        text = message("question.tier_all")
    elif not below:
        text = message("question.tier_to", to=format_number(end))
    else:
        first = format_number(str(Decimal(below) + 1))  # quantities are whole numbers
        text = (
            message("question.tier_between", first=first, to=format_number(end))
            if end
            else message("question.tier_from", first=first)
        )
    return text.text(reader.language)


def format_tier_price(tier: PriceTier, currency: str, reader: Reader) -> str:
    """Return the price of a tier: a flat amount, an amount per unit, or both."""
    language = reader.language
    flat = format_amount(tier.flat, currency, language) if tier.flat not in ("", "0") else ""
    each = (
        message("question.tier_each", amount=format_amount(tier.unit, currency, language)).text(language)
        if tier.unit not in ("", "0")
        else ""
    )
    plus = "+" if language == "ja" else " + "
    return plus.join(part for part in (flat, each) if part) or format_amount("0", currency, language)


def format_amount(number: str, currency: str, language: Language) -> str:
    """Return money with currency and separators. Amounts are in major units."""
    said = format_number(number)
    written = _CURRENCIES.get((currency, language))
    if written is not None:
        return written(said)
    return f"{said} {currency}".strip() if language == "ja" else f"{currency} {said}".strip()


def format_number(number: str) -> str:
    """Return a decimal number with thousands separators."""
    return f"{Decimal(number):,f}" if number else ""


_FORMATTERS: Mapping[type, Callable[[Any, Reader], str]] = {
    NoValue: lambda _, reader: message("question.nothing").text(reader.language),
    FixedText: lambda value, reader: value.text.text(reader.language),
    QuotedText: _format_quoted,
    NamedItem: lambda value, reader: quote_name(value.name, reader.language),
    UnresolvedId: _format_unresolved,
    UnreadableValue: lambda value, reader: message("question.unread", why=read_error(value.why)).text(reader.language),
    Quantity: _format_quantity,
    Money: _format_money,
    Timestamp: _format_timestamp,
    CalendarDate: _format_date,
    FileContent: lambda value, reader: message("question.file", size=value.size, digest=value.digest).text(
        reader.language
    ),
    TieredPrice: _format_tiers,
    LabelledValue: lambda value, reader: f"{value.label.text(reader.language)} {format_value(value.value, reader)}",
    Transition: _format_transition,
    DescribedItem: _format_described,
    ValueList: _format_list,
}
_CLOSING = ("」", "」…")
_READ_FAILURES = frozenset(ReadFailure)
_LINE_SEPARATORS: Mapping[Language, str] = {"en": " · ", "ja": "・"}
_TIER_SEPARATORS: Mapping[Language, str] = {"en": "; ", "ja": "、"}
_WEEKDAYS: Mapping[Language, Sequence[str]] = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "ja": "月火水木金土日",
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CURRENCIES: Mapping[tuple[str, Language], Callable[[str], str]] = {
    ("JPY", "ja"): "{}円".format,
    ("JPY", "en"): "¥{}".format,
    ("USD", "ja"): "{}米ドル".format,
    ("USD", "en"): "${}".format,
}


def join_on_line(parts: Iterable[str], language: Language) -> str:
    """Join the parts of one line: measures of reach, or signs and short warnings."""
    return _LINE_SEPARATORS[language].join(parts)
