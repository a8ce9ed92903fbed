"""A question as data: frozen, the same in every language and time zone, kept as JSON. Renderers make text of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

from saasus_mcp.common.language import Text
from saasus_mcp.permissions.approval.proof import Destination

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class NoValue:
    """Nothing is there, or nothing is sent."""

    kind: Literal["absent"] = "absent"


@dataclass(frozen=True, slots=True)
class FixedText:
    """Words of ours, such as the name of a choice or `On`."""

    text: Text
    kind: Literal["said"] = "said"


@dataclass(frozen=True, slots=True)
class QuotedText:
    """Text of somebody else, shown as a quotation. Only this much of it is kept where it is long.

    Attributes:
        head, tail: the beginning and, of a text that is not kept whole, the end.
        length: characters of the whole.
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
    """A thing by the name that people call it. `id` is for the details."""

    name: str
    id: str = ""
    kind: Literal["named"] = "named"


@dataclass(frozen=True, slots=True)
class UnresolvedId:
    """An id of which the name could not be read. `why` is in words of ours (wording.WHY_NOT)."""

    id: str
    why: str = ""
    kind: Literal["unresolved"] = "unresolved"


@dataclass(frozen=True, slots=True)
class UnreadableValue:
    """A value that could not be read."""

    why: str
    kind: Literal["unread"] = "unread"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A count or quantity, as its shortest decimal text, with its unit."""

    value: str
    unit: Text | None = None
    kind: Literal["number"] = "number"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in major units of its currency (ISO 4217), and the period that it is for, or each unit that is used."""

    amount: str
    currency: str
    per: Literal["", "day", "week", "month", "year", "each"] = ""
    kind: Literal["money"] = "money"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """An instant in epoch seconds. The renderer puts it in the reader's time zone."""

    seconds: float
    kind: Literal["moment"] = "moment"


@dataclass(frozen=True, slots=True)
class CalendarDate:
    """A calendar date without a time, `YYYY-MM-DD` or `YYYY-MM`."""

    date: str
    kind: Literal["day"] = "day"


@dataclass(frozen=True, slots=True)
class FileContent:
    """Content that nobody reads, such as a picture or an archive.

    Attributes:
        size: bytes.
        digest: beginning of the content's SHA-256, to compare it with a file on a computer.
    """

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


@dataclass(frozen=True, slots=True)
class ValueList:
    """A list: its distinct items, those that matter most first, and how many it has in all.

    Attributes:
        counts: how often each item occurs.
        total: items of the list, equal ones included.
        unit: what is counted.
    """

    items: tuple[Value, ...]
    counts: tuple[int, ...]
    total: int
    unit: Text | None = None
    kind: Literal["several"] = "several"


@dataclass(frozen=True, slots=True)
class LabelledValue:
    """A value under a label, as in a list of meters and their counts."""

    label: Text
    value: Value
    kind: Literal["labelled"] = "labelled"


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
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of ours with values in it, which each renderer puts in for its reader (formatting.fill).

    Attributes:
        template: with `{name}` for each value, in both languages.
    """

    template: Text
    values: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a person should know.

    Attributes:
        name: the argument or measure that it comes from, for programs.
        lead: whether it stands in the first lines.
    """

    name: str
    label: Text
    value: Value
    lead: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One field that the call would change.

    Attributes:
        effect: `change` where a value is sent; else what leaving the field out does: `resets` it, or that is `unknown`.
    """

    name: str
    label: Text
    before: Value
    after: Value
    effect: Literal["change", "resets", "unknown"] = "change"
    lead: bool = False


WarningKind = Literal["unseen", "consequence", "irreversible", "recreate", "money", "email", "outside"]


@dataclass(frozen=True, slots=True)
class QuestionWarning:
    """Something that a person must know before they agree."""

    kind: WarningKind
    text: Text | Sentence


@dataclass(frozen=True, slots=True)
class Detail:
    """One line of the details: the wire name of an argument or field, and its value as it is sent, secrets hidden."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked before a call or a job.

    Attributes:
        tool: the tool's name, for the details.
        headline: verb and human name of the target.
        name: what people call the target.
        facts: by weight.
        changes: what an update changes, by weight; `compared` tells whether there was anything to compare with.
        reach: people and tenants that are affected.
        undo: what can be put back afterwards; None where nothing can, which is then a warning.
        requester: id of the principal who asks.
        reason: why, in the requester's own words; empty where they gave none.
        typed: what must be typed to agree, in either language; None where a plain yes is enough.
        hidden: labels of what is not shown whole.
        details: the exact request and all ids.
        lead: why it is asked again.
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
    hidden: tuple[Text, ...] = ()
    details: tuple[Detail, ...] = ()
    lead: tuple[Text, ...] = field(default=())

    def to_json(self) -> str:
        """The question as JSON text."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def from_json(cls, kept: str) -> Question:
        """The question that was kept as JSON text.

        Raises:
            ValueError: it is none of this version.
        """
        return _adapter().validate_json(kept)


@cache
def _adapter() -> TypeAdapter[Question]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - not on the way to the list of tools

    return TypeAdapter(Question)
