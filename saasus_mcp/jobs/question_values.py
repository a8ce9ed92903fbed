"""Values and texts of the questions that jobs ask."""

from __future__ import annotations

from collections.abc import Iterable

from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import Localized, bilingual, message
from saasus_mcp.common.text import quote_name
from saasus_mcp.permissions.question.content import FixedText, NoValue, Quantity, Value, ValueList

MAX_ITEMS = 200
"""Items of a list that are stored with a question. Of a longer list, the question has the total."""


def name_text(name: str) -> Text:
    """Return a name, quoted where necessary, in both languages."""
    return Text(quote_name(name), quote_name(name, "ja"))


def leading_name(name: str) -> Text:
    """Return a name for the beginning of a sentence: in Japanese, a space follows a name without quotation marks."""
    japanese = quote_name(name, "ja")
    return Text(quote_name(name), japanese if japanese.endswith("」") else f"{japanese} ")


def fixed_text(text: Localized) -> FixedText:
    """Return a text as a value, in both languages."""
    return FixedText(bilingual(text))


def in_brackets(texts: Iterable[Text]) -> FixedText:
    """Return the texts as one value, separated as each language does it."""
    every = tuple(texts)
    joined = Text(", ".join(each.en for each in every), "・".join(each.ja for each in every))
    return fixed_text(message("jobs.brackets", text=joined))


def value_list(items: Iterable[Value], limit: int = MAX_ITEMS, unit: Text | None = None) -> ValueList:
    """Return the items as a list of which at most `limit` are stored."""
    every = tuple(items)
    return ValueList(every[:limit], (1,) * min(len(every), limit), len(every), unit)


def optional_list(items: Iterable[Value], unit: Text | None = None) -> Value:
    """Return the items as a list, or no value for an empty list."""
    found = value_list(items, unit=unit)
    return found if found.total else NoValue()


def people_count(number: int) -> Quantity:
    unit = "jobs_users.one_person_unit" if number == 1 else "jobs_users.people_unit"
    return Quantity(str(number), bilingual(message(unit)))


def optional_count(count: int, unit: Localized) -> Value:
    """Return a count with its unit, or no value for 0."""
    return Quantity(str(count), bilingual(unit)) if count else NoValue()
