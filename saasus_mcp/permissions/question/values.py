"""Make typed values of a question from raw values of a call and of the API."""

from __future__ import annotations

import math
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Literal, cast

from saasus_mcp.catalog.question_texts import FieldText, QuestionTexts
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.text import one_line, quote_text
from saasus_mcp.permissions.question.content import (
    PEOPLE,
    CalendarDate,
    FileContent,
    FixedText,
    LabelledValue,
    Money,
    NoValue,
    PriceTier,
    Quantity,
    QuotedText,
    TieredPrice,
    Timestamp,
    UnresolvedId,
    Value,
    ValueList,
)

FAR_SECONDS = 366 * 86_400
MAX_TEXT_LENGTH = 200
"""Characters of a text that are shown whole."""
HEAD_LENGTH, TAIL_LENGTH = 120, 60
"""Characters at the beginning and the end of a longer text, at most."""
_BREAK = re.compile(r"[。、>\s]")
"""After which a text is cut, rather than within a word or a tag."""
DIGEST_LENGTH = 16
"""Hexadecimal digits of a file's digest that are shown."""
MAX_DISTINCT_ITEMS = 200
"""Distinct items of a list that are kept."""
MAX_LABEL_LENGTH = 60
MIN_TIMESTAMP, MAX_TIMESTAMP = 0, 4_102_444_800
"""Epoch seconds from 1970 to 2100: anything else is no date that a person means."""
TIERED = ("tiered", "tiered_usage")
"""Types of pricing units with tiers: charged by the tier that the usage reaches, or tier by tier."""
PERCENT = Text("%", "%")
PRIVILEGED_NAMES = re.compile(r"admin|owner|root|super|master|manager|管理|オーナー|責任者|所有", re.IGNORECASE)
"""Names of roles and the like that stand first in a list. It decides on order alone."""
INTERVALS = frozenset({"day", "week", "month", "year", "each"})

NameLookup = Callable[[str, Any], Value]
"""The name of a thing, by its kind and its id."""


@dataclass(frozen=True, slots=True)
class ValueFactory:
    """Makes typed values of raw ones.

    Attributes:
        find_field: returns the texts of a field by path.
        resolve: returns the name of an item by kind and id.
        kinds: the kinds of items behind ids.
    """

    find_field: Callable[[str], FieldText]
    resolve: NameLookup
    kinds: frozenset[str]

    @classmethod
    def without_names(cls, texts: QuestionTexts) -> ValueFactory:
        """Return a factory for values of no certain operation, in which ids stay ids."""
        return cls(lambda path: texts.field("", path), lambda _, id_: UnresolvedId(str(id_)), frozenset(texts.kinds))

    def make(self, raw: Any, field: FieldText, path: str = "", beside: Mapping[str, Any] | None = None) -> Value:
        """Return the value of a field.

        Args:
            path: dotted path, to find the texts of nested fields.
            beside: sibling fields, one of which may contain the currency.
        """
        if raw is None or raw in ("", [], {}):
            return NoValue()
        if field.kind == "secret":
            return FixedText(message("question.hidden_value").both())
        made = _MAKERS.get(field.kind)
        if made is not None:
            return made(self, raw, field, beside or {})
        if isinstance(raw, list):
            unit = PEOPLE if field.kind == "user" else field.unit
            return self.make_list([self.make(item, field, path, beside) for item in raw], unit)
        return self._one(raw, field, path, beside or {})

    def _one(self, raw: Any, field: FieldText, path: str, beside: Mapping[str, Any]) -> Value:
        if field.kind in self.kinds:
            return self.resolve(field.kind, raw)
        if isinstance(raw, dict):
            return self._labelled(raw, path)
        if isinstance(raw, bool):
            return _chosen(str(raw).lower(), field) or FixedText(
                message("question.yes" if raw else "question.no").both()
            )
        return self._scalar(raw, field, beside)

    def _scalar(self, raw: Any, field: FieldText, beside: Mapping[str, Any]) -> Value:
        if isinstance(raw, str | int | float):
            chosen = _chosen(str(raw), field)
            if chosen is not None:
                return chosen
        if field.kind == "money":
            return make_money(raw, beside.get(field.currency), beside.get("recurring_interval"))
        if field.kind == "moment" and isinstance(raw, int | float) and MIN_TIMESTAMP <= raw <= MAX_TIMESTAMP:
            return Timestamp(float(raw))
        if field.kind == "day" and isinstance(raw, str):
            return CalendarDate(raw) if re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", raw) else quoted_text(raw)
        if isinstance(raw, int | float):
            return make_quantity(raw, PERCENT if field.kind == "percent" else field.unit)
        return quoted_text(raw if isinstance(raw, str) else compact_json(raw))

    def _labelled(self, raw: Mapping[str, Any], path: str) -> Value:
        items: list[Value] = []
        above = self.find_field(path).label if path else Text("", "")
        for name, item in raw.items():
            inner = f"{path}.{name}" if path else name
            field = self.find_field(inner)
            value = self.make(item, field, inner, raw)
            if not isinstance(value, NoValue):
                items.append(LabelledValue(_label_within(field.label, above), value))
        return items[0] if len(items) == 1 else self.make_list(items, None)

    def make_list(self, items: Iterable[Value], unit: Text | None = None) -> Value:
        """Return a list of values: each distinct one once, privileged ones first, then the rarest."""
        every = [item for item in items if not isinstance(item, NoValue)]
        if not every:
            return NoValue()
        counts: dict[Value, int] = {}
        for item in every:
            counts[item] = counts.get(item, 0) + 1
        if len(counts) == 1 and len(every) == 1:
            return every[0]
        ranks = counts if len(set(counts.values())) > 1 else dict.fromkeys(counts, 0)
        ordered = sorted(counts, key=lambda item: (not is_privileged(item), ranks[item]))
        kept = tuple(ordered[:MAX_DISTINCT_ITEMS])
        return ValueList(kept, tuple(counts[item] for item in kept), len(every), unit)


def _label_within(label: Text, above: Text) -> Text:
    """Return the label of a field beside the label of what contains it, which it does not repeat."""
    en = label.en.removeprefix(f"{above.en}, ").removeprefix(f"{above.en} ")
    return Text(en if en == label.en else en[:1].upper() + en[1:], label.ja.removeprefix(f"{above.ja}の"))


def quoted_text(raw: str) -> QuotedText:
    """Return a text from outside: whole if short, otherwise its beginning and end."""
    if len(raw) <= MAX_TEXT_LENGTH:
        return QuotedText(raw, "", len(raw))
    head, tail = raw[:HEAD_LENGTH], raw[-TAIL_LENGTH:]
    ends = [place.end() for place in _BREAK.finditer(head) if place.end() > HEAD_LENGTH // 2]
    starts = [place.end() for place in _BREAK.finditer(tail) if place.end() < TAIL_LENGTH // 2]
    return QuotedText((head[: ends[-1]] if ends else head).rstrip(), tail[starts[0] :] if starts else tail, len(raw))


def is_privileged(value: Value) -> bool:
    """Return whether a name sounds privileged. Such names come first."""
    return any(map(is_privileged_name, _names(value)))


def is_privileged_name(name: str) -> bool:
    """Return whether the name of a role sounds privileged."""
    return PRIVILEGED_NAMES.search(name) is not None


def make_money(amount: Any, currency: Any, interval: Any = None) -> Value:
    """Return an amount with its currency, or a plain number without one."""
    if not isinstance(amount, int | float) or isinstance(amount, bool):
        return quoted_text(str(amount))
    if not isinstance(currency, str) or not currency or not _is_finite(amount):
        return make_quantity(amount)
    return Money(format_decimal(amount), currency.upper(), _interval(interval))


def format_decimal(number: float) -> str:
    """Return a number as its shortest decimal text, without an exponent. It may have more digits than decimal arithmetic keeps."""
    text = format(Decimal(str(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def make_quantity(number: float, unit: Text | None = None) -> Value:
    """Return a number with its unit, or a text if it is infinite or no number."""
    return Quantity(format_decimal(number), unit) if _is_finite(number) else quoted_text(str(number))


def _is_finite(number: float) -> bool:
    return isinstance(number, int) or math.isfinite(number)  # an integer may be too large for a float


def make_quoted_label(name: object) -> Text:
    said = one_line(str(name), MAX_LABEL_LENGTH)
    return Text(quote_text(said, "en"), quote_text(said, "ja"))


def _names(value: Value) -> Iterator[str]:
    if isinstance(value, ValueList):
        for item in value.items:
            yield from _names(item)
    elif isinstance(value, LabelledValue):
        yield from _names(value.value)
    elif isinstance(value, QuotedText):
        yield value.head
    else:
        yield getattr(value, "name", "") or getattr(value, "id", "")


def _chosen(raw: str, field: FieldText) -> FixedText | None:
    words = field.choices.get(raw)
    return FixedText(words) if words is not None else None


def _interval(interval: Any) -> Literal["", "day", "week", "month", "year", "each"]:
    known = str(interval) if str(interval) in INTERVALS else ""
    return cast("Literal['', 'day', 'week', 'month', 'year', 'each']", known)


def make_tiers(raw: Any, currency: Any) -> Value:
    """Return the tiers of a pricing unit."""
    rows = [row for row in (raw if isinstance(raw, list) else [raw]) if isinstance(row, dict)]
    found = tuple(
        PriceTier(
            "" if row.get("inf") else _amount(row.get("up_to")),
            _amount(row.get("flat_amount")),
            _amount(row.get("unit_amount")),
        )
        for row in rows
    )
    return TieredPrice(found, str(currency).upper() if currency else "") if found else NoValue()


def _prices(values: ValueFactory, raw: Any, _: FieldText, __: Mapping[str, Any]) -> Value:
    """Return the prices of a plan: its menus with their pricing units."""
    items: list[Value] = []
    for menu in raw if isinstance(raw, list) else []:
        for unit in (menu.get("units") or []) if isinstance(menu, dict) else []:
            if isinstance(unit, dict):
                name = make_quoted_label(unit.get("display_name") or unit.get("name") or "")
                if unit.get("tiers") and unit.get("type") in TIERED:
                    name = one_of("question.tiered_unit", unit["type"], unit=name).both()
                items += [LabelledValue(name, make_price(unit))]
    return values.make_list(items)


def make_price(unit: Mapping[str, Any]) -> Value:
    """Return the price of a pricing unit: an amount or tiers."""
    if unit.get("tiers"):
        return make_tiers(unit["tiers"], unit.get("currency"))
    per = "each" if unit.get("type") == "usage" else unit.get("recurring_interval")
    return make_money(unit.get("unit_amount", 0), unit.get("currency"), per)


def _usage(values: ValueFactory, raw: Any, _: FieldText, __: Mapping[str, Any]) -> Value:
    """Return counts of metering units. A count of zero is omitted."""
    items: list[Value] = []
    for row in raw if isinstance(raw, list) else [raw]:
        if isinstance(row, dict) and row.get("count"):
            name = next((row[key] for key in ("display_name", "name", "metering_unit_name") if row.get(key)), "")
            unit = values.resolve("meter", row["metering_unit_name"]) if row.get("metering_unit_name") else None
            said = make_quoted_label(getattr(unit, "name", "") or name)
            items.append(LabelledValue(said, make_quantity(row["count"])))
    return values.make_list(items)


def _pairs(values: ValueFactory, raw: Any, field: FieldText, _: Mapping[str, Any]) -> Value:
    """Return list items by name with their content, such as environments with their roles."""
    by, of = field.pairs
    items: list[Value] = []
    for row in raw if isinstance(raw, list) else [raw]:
        if isinstance(row, dict):
            key, held = by.rsplit(".", 1)[-1], of.rsplit(".", 1)[-1]
            thing = values.make(row.get(key), values.find_field(by), by, row)
            said = make_quoted_label(getattr(thing, "name", "") or row.get(key))
            colon = Text(f"{said.en}:", f"{said.ja}:")
            items.append(LabelledValue(colon, values.make(row.get(held), values.find_field(of), of, row)))
    return values.make_list(items)


def _amount(raw: Any) -> str:
    return format_decimal(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else ""


def _file(_: ValueFactory, raw: Any, __: FieldText, ___: Mapping[str, Any]) -> Value:
    """Return a base64 or data URL file: its text, or its size and digest."""
    encoded = str(raw).partition(";base64,")[2] or str(raw)
    try:
        content = b64decode(encoded, validate=True)
    except ValueError:
        return quoted_text(str(raw))
    try:
        read = content.decode()
    except UnicodeDecodeError:
        read = ""
    if read and read.replace("\n", "").replace("\t", "").replace("\r", "").isprintable():
        return quoted_text(read)
    return FileContent(len(content), sha256(content).hexdigest()[:DIGEST_LENGTH])


_MAKERS: Mapping[str, Callable[[ValueFactory, Any, FieldText, Mapping[str, Any]], Value]] = {
    "code": lambda _factory, raw, _field, _beside: quoted_text(str(raw)),
    "file": _file,
    "tiers": lambda _factory, raw, field, beside: make_tiers(raw, beside.get(field.currency or "currency")),
    "pairs": _pairs,
    "prices": _prices,
    "usage": _usage,
}


def distance_from(now: float, value: Value) -> Literal["future", "past"] | None:
    """Return the direction of a time, or of one in a list, that is more than a year away: nobody meters, bills or plans then."""
    match value:
        case Timestamp(seconds=seconds):
            if abs(seconds - now) > FAR_SECONDS:
                return "future" if seconds > now else "past"
        case CalendarDate(date=day):
            with suppress(ValueError):
                at = datetime.fromisoformat(f"{day}-01"[:10]).replace(tzinfo=UTC).timestamp()
                return distance_from(now, Timestamp(at))
        case LabelledValue(value=inner):
            return distance_from(now, inner)
        case ValueList(items=items):
            return next(filter(None, (distance_from(now, item) for item in items)), None)
    return None
