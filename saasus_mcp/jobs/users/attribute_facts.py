"""The attributes that an import sets, as facts and details of its question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import quote_name, quote_text
from saasus_mcp.jobs.job_question import name_text, people_count, value_list
from saasus_mcp.jobs.users.user_line import ATTRIBUTE_PREFIX, UserLine
from saasus_mcp.permissions.question.content import (
    DescribedItem,
    Detail,
    Fact,
    FixedText,
    LabelledValue,
    NamedItem,
    ValueList,
)
from saasus_mcp.permissions.question.formatting import MAX_LIST_ITEMS
from saasus_mcp.permissions.question.values import format_decimal

MAX_NAMED_HOLDERS = 3
"""Users with the same value up to which the question names them. Of more, it has the number."""
MAX_STORED = 100
"""Users whose values are stored with the question, for an attribute with many values. The details have all of them."""
VALUES_PER_DETAIL = 100


class AttributeFacts:
    """The attributes of the users who join a tenant. Those of other users stay as they are.

    Args:
        joining: the lines of users who join.
        titles: what people call the attributes, by name.
    """

    def __init__(self, joining: Iterable[UserLine], titles: Mapping[str, str]) -> None:
        self._titles = titles
        first = {(line.tenant_id, line.login_key): line for line in reversed(list(joining))}
        self._holders: dict[str, dict[Any, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
        for line in reversed(first.values()):
            for name, value in line.attributes.items():
                # True equals 1 in Python, and both can be values of attributes that differ in type only
                self._holders[name][type(value), value][line.login] = None

    @property
    def varied(self) -> tuple[str, ...]:
        """The facts about attributes with more values than a line has room for, such as names of people."""
        return tuple(_fact_name(name) for name, values in self._holders.items() if len(values) > MAX_LIST_ITEMS)

    def facts(self, *, varied: bool) -> Iterator[Fact]:
        """Yield the values of each attribute, the rarest first, with who gets them.

        Args:
            varied: yield the attributes with many values instead, with the value of each user.
        """
        for name, values in self._holders.items():
            if (len(values) > MAX_LIST_ITEMS) == varied:
                title = self._title(name)
                quoted = Text(quote_name(title, "en"), quote_text(title, "ja"))
                label = message("jobs_users.attribute", name=quoted).both()
                yield Fact(_fact_name(name), label, _listed(values))

    def _title(self, name: str) -> str:
        title = self._titles.get(name) or name
        return title if list(self._titles.values()).count(title) <= 1 else f"{title} ({name})"

    def details(self) -> Iterator[Detail]:
        """Yield every value of every attribute with the users who get it, some users a line."""
        for name, values in self._holders.items():
            texts = [f"{login}: {_value_text(value).en}" for (_, value), logins in values.items() for login in logins]
            for start in range(0, len(texts), VALUES_PER_DETAIL):
                yield Detail(_fact_name(name), ", ".join(texts[start : start + VALUES_PER_DETAIL]))


def _listed(values: Mapping[Any, Mapping[str, None]]) -> ValueList:
    if len(values) > MAX_LIST_ITEMS:
        by_user = ((login, value) for (_, value), logins in values.items() for login in logins)
        items = (LabelledValue(name_text(login), FixedText(_value_text(value))) for login, value in by_user)
        return value_list(items, MAX_STORED)
    rarest = sorted(values.items(), key=lambda item: len(item[1]))
    return value_list(_with_holders(_value_text(value), tuple(logins)) for (_, value), logins in rarest)


def _with_holders(value: Text, logins: tuple[str, ...]) -> DescribedItem:
    if len(logins) > MAX_NAMED_HOLDERS:
        return DescribedItem(value, (people_count(len(logins)),))
    return DescribedItem(value, tuple(map(NamedItem, logins)))


def _value_text(value: Any) -> Text:
    if isinstance(value, bool):
        return message("question.yes" if value else "question.no").both()
    if isinstance(value, int | float):
        return Text(format_decimal(value), format_decimal(value))
    return name_text(str(value))


def _fact_name(name: str) -> str:
    return f"{ATTRIBUTE_PREFIX}{name}"
