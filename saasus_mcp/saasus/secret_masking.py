"""Hide the secrets of an answer, in one walk that also checks the answer against the tool's outputSchema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import is_
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_columns import MANY, NO_COLUMNS, Columns, columns_of
from saasus_mcp.common.json_path import JSON_TYPES, Schema
from saasus_mcp.saasus.secret_names import is_revealing, may_need_scrubbing, scrub_text
from saasus_mcp.saasus.secret_paths import Hide, Mask, compile_mask, hide_all_values, redact

_CACHE_SIZE = 512
"""More than the number of operations."""
_ALL = frozenset[type]().union(*JSON_TYPES.values())
_SCALARS = _ALL - {dict, list}
_NONE: frozenset[type] = frozenset()
_TEXTS_TOGETHER = 1024
"""Texts that are searched together: a search of megabytes would stop every other thread."""


def mask_secrets(
    operation: Operation, value: Any, hide: Hide, columns: Mapping[int, Columns] = NO_COLUMNS
) -> tuple[Any, bool]:
    """Hide the secrets of an answer: by the schema's paths, and by name where the schema declares nothing.

    Args:
        hide: called once with each secret. Its result is shown instead.
        columns: lists of the value whose items were already looked at together, by identity.

    Returns:
        The answer, the same object if nothing was hidden; and True if the answer certainly satisfies the outputSchema.
    """
    walk = _Walk(hide, columns)
    return _root_field(operation).mask(value, walk), walk.conforms


@lru_cache(maxsize=_CACHE_SIZE)
def _root_field(operation: Operation) -> _DeclaredField:
    secret, scrubbed = compile_mask(operation.secret_outputs), compile_mask(operation.scrubbed_outputs)
    names = frozenset(path.rsplit(".", 1)[-1].rstrip("[]{}") for path in operation.secret_outputs)
    return _DeclaredField(operation.output_schema, secret or None, scrubbed or None, _UndeclaredField(names))


@dataclass(slots=True)
class _Walk:
    """The state of one walk.

    Attributes:
        looks_together: how often the items of a list may still be looked at together without effect: nested lists would be looked at
            again at each level.
    """

    hide: Hide
    columns: Mapping[int, Columns]
    conforms: bool = True
    looks_together: int = 4


class _DeclaredField:
    """A field that the schema declares, with the fields below it.

    Args:
        secret: the paths of secrets below it, or an empty tree if the field is a secret.
        scrubbed: the same for logged bodies.

    Attributes:
        unchanged: the types whose values pass unchanged: they satisfy the schema and contain no secret.
    """

    __slots__ = ("_fields", "_items", "_other", "_scrubbed", "_secret", "_texts", "_types", "_undeclared", "unchanged")

    def __init__(
        self, schema: Schema, secret: Mask | None, scrubbed: Mask | None, undeclared: _UndeclaredField
    ) -> None:
        def inner(schema: Schema, step: str) -> _DeclaredField | _UndeclaredField:
            secrets, logs = secret.get(step) if secret else None, scrubbed.get(step) if scrubbed else None
            if not schema and secrets is None and logs is None:
                return undeclared
            return _DeclaredField(schema, secrets, logs, undeclared)

        self._secret, self._scrubbed, self._undeclared = secret == {}, scrubbed == {}, undeclared
        self._types, self._texts = _conforming_types(schema), _enumerated_texts(schema)
        self._fields = {name: inner(field, name) for name, field in schema.get("properties", {}).items()}
        other = schema.get("additionalProperties")
        self._other = inner(other, "{}") if isinstance(other, dict) else None
        self._items = inner(schema.get("items", {}), "[]")
        self.unchanged = _NONE if self._secret else (self._types & _SCALARS) - ({str} if self._scrubbed else _NONE)

    def passes(self, place: Columns) -> bool:
        """Return whether all values at a place certainly pass unchanged."""
        if self._secret or (self._scrubbed and str in place.types):
            return False
        if not place.types <= self._types:
            return place.types == {str} and self._texts.issuperset(place.values)
        return (place.items is None or self._items.passes(place.items)) and all(
            self._passes_field(name, field) for name, field in place.fields.items()
        )

    def _passes_field(self, name: str, place: Columns) -> bool:
        field = self._fields.get(name, self._other)
        return self._undeclared.passes_field(name, place) if field is None else field.passes(place)

    def mask(self, value: Any, walk: _Walk) -> Any:
        if (
            not self._secret and type(value) in self._types
        ):  # the usual case first: this walk is half of the time of an answer
            if isinstance(value, dict):
                return self._mask_object(value, walk)
            if isinstance(value, list):
                return _mask_list(value, self._items, walk)
        is_text = isinstance(value, str)
        if self._secret or (self._scrubbed and is_text):
            walk.conforms &= is_text and str in self._types
            return hide_all_values(value, walk.hide) if self._secret else scrub_text(value)
        if type(value) not in self._types and not (is_text and value in self._texts):
            walk.conforms = False
        if isinstance(value, dict):
            return self._mask_object(value, walk)
        return _mask_list(value, self._items, walk) if isinstance(value, list) else value

    def _mask_object(self, value: dict[str, Any], walk: _Walk) -> dict[str, Any]:
        changed = {}
        for name, item in value.items():
            field = self._fields.get(name, self._other)
            if field is None:
                shown = self._undeclared.mask_field(name, item, walk)
            elif type(item) in field.unchanged:
                continue
            else:
                shown = field.mask(item, walk)
            if shown is not item:
                changed[name] = shown
        return value | changed if changed else value


class _UndeclaredField:
    """A field that the schema does not declare. Secrets are recognised by name only, inside texts as well.

    Args:
        names: the names of secret fields that the schema declares elsewhere.
    """

    unchanged = _SCALARS - {str}

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def passes(self, place: Columns) -> bool:
        """Return whether all values at a place certainly contain no secret (see `_DeclaredField.passes`)."""
        if str in place.types:
            texts = place.of_type(str)
            parts = (texts[start : start + _TEXTS_TOGETHER] for start in range(0, len(texts), _TEXTS_TOGETHER))
            if any(map(may_need_scrubbing, parts)):
                return False
        return (place.items is None or self.passes(place.items)) and all(
            self.passes_field(name, field) for name, field in place.fields.items()
        )

    def passes_field(self, name: str, place: Columns) -> bool:
        return name not in self._names and not is_revealing(name) and self.passes(place)

    def mask(self, value: Any, walk: _Walk) -> Any:
        if isinstance(value, dict):
            shown = {name: self.mask_field(name, item, walk) for name, item in value.items()}
            return value if all(map(is_, shown.values(), value.values())) else shown
        if isinstance(value, list):
            return _mask_list(value, self, walk)
        return scrub_text(value) if isinstance(value, str) else value

    def mask_field(self, name: str, item: Any, walk: _Walk) -> Any:
        if name in self._names or is_revealing(name):
            return hide_all_values(item, redact)
        return self.mask(item, walk)


def _mask_list(value: list[Any], field: _DeclaredField | _UndeclaredField, walk: _Walk) -> list[Any]:
    if len(value) >= MANY and walk.looks_together:
        place = walk.columns.get(id(value))
        if place is None or place.values is not value:
            place = columns_of(value)
        if place is not None and field.passes(place):
            return value
        walk.looks_together -= 1
    shown = [item if type(item) in field.unchanged else field.mask(item, walk) for item in value]
    return value if all(map(is_, shown, value)) else shown


def _conforming_types(schema: Schema) -> frozenset[type]:
    """Return the types of which every value satisfies the schema, apart from the values inside it."""
    if "anyOf" in schema:
        return _NONE.union(*map(_conforming_types, schema["anyOf"])) & _SCALARS
    if "enum" in schema:
        return _NONE
    return JSON_TYPES[schema["type"]] if "type" in schema else _ALL


def _enumerated_texts(schema: Schema) -> frozenset[str]:
    return frozenset(schema.get("enum", ())) if schema.get("type") == "string" else frozenset()
