"""A question as frozen data, equal in every language and time zone, stored as JSON. Renderers make texts of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

from saasus_mcp.common.language import Text
from saasus_mcp.permissions.approval.proof import Destination

if TYPE_CHECKING:
    from pydantic import TypeAdapter


MARKS: Mapping[str, str] = {
    "deceptive": "⚠",
    "unseen": "⚠",
    "consequence": "⚠",
    "irreversible": "⚠",
    "recreate": "⚠",
    "money": "¥",
    "email": "✉",
    "outside": "↗",
}
"""The sign before each kind of warning."""
SYSTEMS: Mapping[str, str] = {
    "stripe": "Stripe",
    "aws": "AWS",
    "aws_marketplace": "AWS Marketplace",
    "eventbridge": "Amazon EventBridge",
    "dns": "DNS",
    "ses": "Amazon SES",
}


@dataclass(frozen=True, slots=True)
class NoValue:
    """No value exists, or none is sent."""

    kind: Literal["absent"] = "absent"


@dataclass(frozen=True, slots=True)
class FixedText:
    """A text of this program, such as the name of a choice or `On`."""

    text: Text
    kind: Literal["said"] = "said"


@dataclass(frozen=True, slots=True)
class QuotedText:
    """A text from outside, shown as a quotation. Of a long text, only the beginning and the end are stored.

    Attributes:
        head, tail: the beginning, and the end of a text that is not stored whole.
        length: characters of the whole text.
    """

    head: str
    tail: str = ""
    length: int = 0
    kind: Literal["quoted"] = "quoted"

    @property
    def whole(self) -> bool:
        return self.length <= len(self.head)


@dataclass(frozen=True, slots=True)
class NamedItem:
    """An item with its name. `id` is for the details."""

    name: str
    id: str = ""
    kind: Literal["named"] = "named"


@dataclass(frozen=True, slots=True)
class UnresolvedId:
    """An id whose name could not be read. `why`: see `UnreadableValue`."""

    id: str
    why: str | Text = ""
    kind: Literal["unresolved"] = "unresolved"


@dataclass(frozen=True, slots=True)
class UnreadableValue:
    """A value that could not be read. `why`: a `ReadFailure`, `HTTP` and a status, or a text for people."""

    why: str | Text
    kind: Literal["unread"] = "unread"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as its shortest decimal text, with its unit."""

    value: str
    unit: Text | None = None
    kind: Literal["number"] = "number"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in major units of its currency (ISO 4217), per period or per used unit."""

    amount: str
    currency: str
    per: Literal["", "day", "week", "month", "year", "each"] = ""
    kind: Literal["money"] = "money"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """An instant in epoch seconds. Renderers show it in the reader's time zone."""

    seconds: float
    kind: Literal["moment"] = "moment"


@dataclass(frozen=True, slots=True)
class CalendarDate:
    """A date without a time, `YYYY-MM-DD` or `YYYY-MM`."""

    date: str
    kind: Literal["day"] = "day"


@dataclass(frozen=True, slots=True)
class FileContent:
    """Binary content, such as a picture or an archive. `digest`: beginning of the SHA-256, to compare it with a local file."""

    size: int
    digest: str
    kind: Literal["file"] = "file"


@dataclass(frozen=True, slots=True)
class PriceTier:
    """One tier of a price: up to and including `up_to` units (empty: without limit), a flat amount and one per unit."""

    up_to: str
    flat: str
    unit: str


@dataclass(frozen=True, slots=True)
class TieredPrice:
    """The tiers of a price, in order."""

    tiers: tuple[PriceTier, ...]
    currency: str
    kind: Literal["tiers"] = "tiers"


ITEMS, PEOPLE = Text("", "件"), Text("", "人")
"""What the items of a list are counted in, where a language needs a counter."""


@dataclass(frozen=True, slots=True)
class ValueList:
    """A list: its distinct items, the most important first, and its length.

    Attributes:
        counts: number of occurrences of each item.
        total: number of items, duplicates included.
        unit: what the items are counted in; by default ITEMS.
    """

    items: tuple[Value, ...]
    counts: tuple[int, ...]
    total: int
    unit: Text | None = None
    kind: Literal["several"] = "several"


@dataclass(frozen=True, slots=True)
class LabelledValue:
    """A value with a label, as in a list of meters and their counts."""

    label: Text
    value: Value
    kind: Literal["labelled"] = "labelled"


@dataclass(frozen=True, slots=True)
class Transition:
    """A value before and after."""

    before: Value
    after: Value
    kind: Literal["transition"] = "transition"


@dataclass(frozen=True, slots=True)
class DescribedItem:
    """An item of a list, with what happens to it."""

    label: Text
    parts: tuple[Value, ...]
    kind: Literal["described"] = "described"


Value = (
    NoValue
    | FixedText
    | QuotedText
    | NamedItem
    | UnresolvedId
    | UnreadableValue
    | Quantity
    | Money
    | Timestamp
    | CalendarDate
    | FileContent
    | TieredPrice
    | ValueList
    | LabelledValue
    | Transition
    | DescribedItem
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with values, which each renderer fills for its reader (formatting.format_sentence).

    Attributes:
        template: with `{name}` for each value, in both languages.
    """

    template: Text
    values: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact for the person.

    Attributes:
        name: its argument or metric, for programs.
        lead: whether it is among the first lines.
    """

    name: str
    label: Text
    value: Value
    lead: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One field that the call would change.

    Attributes:
        effect: `change` for a sent value; else the effect of leaving the field out: `resets` or `unknown`.
    """

    name: str
    label: Text
    before: Value
    after: Value
    effect: Literal["change", "resets", "unknown"] = "change"
    lead: bool = False


WarningKind = Literal["deceptive", "unseen", "consequence", "irreversible", "recreate", "money", "email", "outside"]


@dataclass(frozen=True, slots=True)
class QuestionWarning:
    """Something that a person must know before they agree."""

    kind: WarningKind
    text: Text | Sentence


@dataclass(frozen=True, slots=True)
class Detail:
    """One line of the details: the wire name of an argument or field, and its value as sent, secrets hidden."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Question:
    """The question before a call or a job.

    Attributes:
        tool: the tool's name, for the details.
        headline: verb and name of the target.
        name: name of the target.
        facts: by importance.
        changes: of an update, by importance; `compared` says whether there was a present state to compare.
        reach: affected people and tenants.
        undo: what can be undone; None if nothing can, which is then a warning.
        requester: id of the principal.
        requester_name: name and address of the requester, as their identity provider states them; may be empty.
        reason: of the requester, in their own words; may be empty.
        typed: the text to type, in both languages; None if a plain yes is enough.
        details: the exact request and all ids.
        lead: why the person is asked again.
    """

    tool: str
    headline: Text | Sentence
    name: str
    place: Destination
    requester: str
    facts: tuple[Fact, ...] = ()
    changes: tuple[Change, ...] = ()
    reach: tuple[Fact, ...] = ()
    warnings: tuple[QuestionWarning, ...] = ()
    undo: Text | None = None
    reason: str = ""
    typed: Text | None = None
    details: tuple[Detail, ...] = ()
    lead: tuple[Text, ...] = field(default=())
    requester_name: str = ""

    def to_json(self) -> str:
        return _adapter().dump_json(self).decode()

    @classmethod
    def from_json(cls, kept: str) -> Question:
        """Return the question of stored JSON text. Raise ValueError if it is not of this version."""
        return _adapter().validate_json(kept)


@cache
def _adapter() -> TypeAdapter[Question]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - not on the way to the list of tools

    return TypeAdapter(Question)
