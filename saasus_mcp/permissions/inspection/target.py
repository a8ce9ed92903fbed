"""The target of a call, read from the API: the name that a person types, and the fields whose change asks again."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.language import Text
from saasus_mcp.common.normal_forms import normalize
from saasus_mcp.common.text import escape_quotes, fold_name, inert_markup, visible_text
from saasus_mcp.permissions.approval.proof import json_digest
from saasus_mcp.permissions.inspection.difference import FieldChange, differing_parts
from saasus_mcp.permissions.operation_call import OperationCall

ApiReader = Callable[[str, Mapping[str, Any]], Awaitable["ReadResult"]]
"""Reads an operation by its key, as an audited child call: the pipeline gives it."""

MAX_NAME_LENGTH = 1_000
"""Characters of a name that are looked at."""
MAX_WHOLE_NAME = 199
"""Characters of a name that is shown whole. Of a longer one, the beginning and the end are: one character more, by which it is known."""
NAME_END_LENGTH = 60
"""Characters at the end of a longer name. Names that begin alike often differ there, and an address has its domain there."""
STATUS_NOT_FOUND = 404
OWNER_ARGUMENTS = ("tenant_id", "user_id", "env_id")
NAME_ARGUMENTS = ("id", "name", "role_name", "attribute_name", "unit_name", "email", "sign_in_id")
"""Arguments that name the created item. The first one present is used."""
MAX_STORED_LENGTH = 400
"""Characters of a text, or of a value's JSON, in a snapshot; of a longer one the beginning is kept, and a digest of the whole."""


class ReadFailure(StrEnum):
    """Why an inspection read gave nothing. Other texts are `HTTP` and a status, or for people."""

    NO_ANSWER = "no_answer"
    LATE = "late"
    NOT_FOUND = "not_found"
    TOO_MANY = "too_many"
    SEVERAL = "several"
    NOT_IN_ANSWER = "not_in_answer"
    TARGET_UNREAD = "target_unread"
    NOT_ALLOWED = "not_allowed"
    REPEATS_SECRET = "repeats_secret"  # noqa: S105 - a name, not a secret


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The result of an inspection read: the answer with secrets hidden, or why it is missing."""

    answer: Any = None
    read_error: str | Text = ""
    status: int | None = None


@dataclass(frozen=True, slots=True)
class TargetSnapshot:
    """The target of a call.

    Attributes:
        name: the text that a person types to agree; never empty.
        fields: the bound fields and their present values, by expression.
        read_error: why the target could not be read; empty if it was read, or no read shows it.
        target: the answer of the read, or the item selected from it; None if unreadable.
        status: HTTP status of the read, if the API answered.
        missing: whether the read answered that the target does not exist.
        long_name: the name as it was read, if `name` does not have all of it.
    """

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    read_error: str | Text = ""
    target: Any = field(default=None, repr=False)
    status: int | None = None
    missing: bool = False
    long_name: str = field(default="", repr=False)

    @property
    def encoded(self) -> str:
        """Return the bound fields as a text to store. A different text at execution means that the target changed."""
        return encode_snapshot(self.fields, seen=not self.read_error)


def clean_name(name: object) -> str:
    """Return a name as it is shown and compared: NFC, trimmed, one line, bounded, without invisible characters.

    Of a long name, the middle is left out (see `is_whole_name`).
    """
    given = _without_middle(str(name if name is not None else ""), MAX_NAME_LENGTH)
    text = normalize("NFC", visible_text(given, mark=" "))
    return _without_middle(" ".join(text.split()), MAX_WHOLE_NAME)


def is_whole_name(cleaned: str) -> bool:
    """Return whether a name of `clean_name` is all of the name."""
    return len(cleaned) <= MAX_WHOLE_NAME


def _without_middle(text: str, longest: int) -> str:
    """Return a text that is longer than `longest` as its beginning and end, one character longer than that."""
    return text if len(text) <= longest else f"{text[: longest - NAME_END_LENGTH]}…{text[-NAME_END_LENGTH:]}"


def target_name(call: OperationCall, saas_id: str, name: object) -> str:
    """Return the text to type for a target: its name; without one, its id; without a single target, the SaaS id."""
    operation, target = call.operation, call.operation.effects.target
    identifying = (target.identifying if target is not None else ()) or operation.path_parameters
    shown = [argument for argument in identifying if argument not in operation.secret_inputs]
    ids = [clean_name(call.arguments[argument]) for argument in shown if argument in call.arguments]
    return clean_name(name) or next((text for text in reversed(ids) if text), "") or clean_name(saas_id)


def names_match(typed: str, name: str) -> bool:
    """Return whether the typed text is the name, or the name as a question shows it."""
    return inert_markup(escape_quotes(clean_name(typed))) == inert_markup(escape_quotes(name))


def target_identity(call: OperationCall) -> str:
    """Return a text that is equal for all variations of a call.

    It consists of the path arguments, or without any, of the owner arguments, and of the name of a created item. Without all of them,
    the whole SaaS is the target. Case and character forms do not matter.
    """
    operation, arguments = call.operation, call.arguments
    about = operation.path_parameters or OWNER_ARGUMENTS
    named = {name: fold_name(str(arguments[name])) for name in about if arguments.get(name) is not None}
    if operation.effects.effect == "create":
        created = next((name for name in NAME_ARGUMENTS if name not in named and arguments.get(name) is not None), None)
        named |= {created: fold_name(str(arguments[created]))} if created is not None else {}
    return compact_json(named)


def encode_snapshot(fields: Mapping[str, Any], *, seen: bool) -> str:
    """Return the bound fields as a text that is equal if and only if nothing changed."""
    return json.dumps({"fields": {name: _short(value) for name, value in fields.items()}, "seen": seen}, sort_keys=True)


def was_readable(bound: str) -> bool:
    """Return whether the target could be read."""
    return bool(json.loads(bound)["seen"])


def snapshot_changes(before: str, after: str) -> list[FieldChange]:
    """Return the difference between two snapshots, field by field."""
    was, now = (json.loads(text)["fields"] for text in (before, after))
    return [
        _change(name, was.get(name, [None]), now.get(name, [None]))
        for name in {**was, **now}
        if was.get(name) != now.get(name)
    ]


def _change(name: str, was: list[Any], now: list[Any]) -> FieldChange:
    before, after = differing_parts(was[0], now[0])
    return FieldChange(name.removeprefix("target."), before, after, "change" if before != after else "unshown")


def _short(value: Any) -> list[Any]:
    # Sorted, since what an expression makes has its keys in any order.
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return [value] if len(text) <= MAX_STORED_LENGTH else [text[:MAX_STORED_LENGTH], json_digest(value)]
