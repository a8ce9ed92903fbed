"""Values and texts of the questions that jobs ask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saasus_mcp.common.language import Language, Text
from saasus_mcp.common.messages import Localized, bilingual
from saasus_mcp.common.text import quote_name
from saasus_mcp.permissions.question.content import NoValue, Quantity, Value, ValueList

MAX_ITEMS = 200
"""Items of a list that are stored with a question. Of a longer list, the question has the total."""


@dataclass(frozen=True, slots=True)
class JoinedTexts:
    """Several texts as one, such as the lines of an error."""

    texts: tuple[Localized, ...]
    separator: str = "\n"

    def text(self, language: Language) -> str:
        return self.separator.join(each.text(language) for each in self.texts)


def name_text(name: str) -> Text:
    """Return a name, quoted where necessary, in both languages."""
    return Text(quote_name(name), quote_name(name, "ja"))


def leading_name(name: str) -> Text:
    """Return a name for the beginning of a sentence: in Japanese, a space follows a name without quotation marks."""
    japanese = quote_name(name, "ja")
    return Text(quote_name(name), japanese if japanese.endswith("」") else f"{japanese} ")


def value_list(items: Iterable[Value], limit: int = MAX_ITEMS) -> ValueList:
    """Return the items as a list of which at most `limit` are stored."""
    every = tuple(items)
    return ValueList(every[:limit], (1,) * min(len(every), limit), len(every))


def optional_list(items: Iterable[Value]) -> Value:
    """Return the items as a list, or no value for an empty list."""
    found = value_list(items)
    return found if found.total else NoValue()


def optional_count(count: int, unit: Localized) -> Value:
    """Return a count with its unit, or no value for 0."""
    return Quantity(str(count), bilingual(unit)) if count else NoValue()
