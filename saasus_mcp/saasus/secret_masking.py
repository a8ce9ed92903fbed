"""The secrets of an answer hidden, in one walk that also sees whether the answer is true to its outputSchema."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from operator import is_
from types import NoneType
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_path import Schema
from saasus_mcp.saasus.secret_names import Hide, Mask, compile_mask, hide_all_values, is_revealing, redact, scrub_text

MAX_CACHED = 512
"""Operations whose walk is kept: more than there are."""

_KINDS: dict[str, frozenset[type]] = {
    "object": frozenset({dict}),
    "array": frozenset({list}),
    "string": frozenset({str}),
    "boolean": frozenset({bool}),
    "integer": frozenset({int}),
    "number": frozenset({int, float}),
    "null": frozenset({NoneType}),
}
_ALL = frozenset[type]().union(*_KINDS.values())
_SCALARS = _ALL - {dict, list}
_NONE: frozenset[type] = frozenset()


def mask_secrets(operation: Operation, value: Any, hide: Hide) -> tuple[Any, bool]:
    """An answer with its secrets hidden: by their places, and where it has another shape, by their names.

    Args:
        hide: called once with each secret; what it gives is shown instead.

    Returns:
        The answer, the same object where nothing was hidden; and whether it is sure to be true to its outputSchema.
        Where that is not sure, it may be or not.
    """
    seen = _Seen(hide)
    return _walk(operation).hidden(value, seen), seen.fits


@lru_cache(maxsize=MAX_CACHED)
def _walk(operation: Operation) -> _Place:
    secrets, logs = compile_mask(operation.secret_outputs) or None, compile_mask(operation.scrubbed_outputs) or None
    names = frozenset(path.rsplit(".", 1)[-1].rstrip("[]{}") for path in operation.secret_outputs)
    return _Place(operation.output_schema, secrets, logs, _Undeclared(names))


@dataclass(slots=True)
class _Seen:
    """What one walk has seen."""

    hide: Hide
    fits: bool = True


class _Place:
    """A place that the schema declares, with all that lies below it.

    Attributes:
        plain: the types whose every value may stand here as it is: nothing is secret in it, and it is true to the schema.
    """

    __slots__ = ("_fields", "_fits", "_items", "_other", "_scrubbed", "_secret", "_undeclared", "_words", "plain")

    def __init__(self, schema: Schema, secret: Mask | None, scrubbed: Mask | None, undeclared: _Undeclared) -> None:
        def below(schema: Schema, step: str) -> _Place | _Undeclared:
            marks, logs = secret.get(step) if secret else None, scrubbed.get(step) if scrubbed else None
            if not schema and marks is None and logs is None:
                return undeclared
            return _Place(schema, marks, logs, undeclared)

        self._secret, self._scrubbed, self._undeclared = secret == {}, scrubbed == {}, undeclared
        self._fits, self._words = _fitting(schema), _words(schema)
        self._fields = {name: below(field, name) for name, field in schema.get("properties", {}).items()}
        other = schema.get("additionalProperties")
        self._other = below(other, "{}") if isinstance(other, dict) else None
        self._items = below(schema.get("items", {}), "[]")
        self.plain = _NONE if self._secret else (self._fits & _SCALARS) - ({str} if self._scrubbed else _NONE)

    def hidden(self, value: Any, seen: _Seen) -> Any:
        text = isinstance(value, str)
        if self._secret or (self._scrubbed and text):
            seen.fits &= text and str in self._fits
            return hide_all_values(value, seen.hide) if self._secret else scrub_text(value)
        if type(value) not in self._fits and not (text and value in self._words):
            seen.fits = False
        if isinstance(value, dict):
            return self._object(value, seen)
        return _list(value, self._items, seen) if isinstance(value, list) else value

    def _object(self, value: dict[str, Any], seen: _Seen) -> dict[str, Any]:
        changed = {}
        for name, item in value.items():
            place = self._fields.get(name, self._other)
            if place is None:
                shown = self._undeclared.field(name, item, seen)
            elif type(item) in place.plain:
                continue
            else:
                shown = place.hidden(item, seen)
            if shown is not item:
                changed[name] = shown
        return value | changed if changed else value


class _Undeclared:
    """Any place of which the schema does not know: only names tell what is secret, in texts as well.

    Args:
        names: of the fields that are secret where they are declared.
    """

    plain = _SCALARS - {str}

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def hidden(self, value: Any, seen: _Seen) -> Any:
        if isinstance(value, dict):
            shown = {name: self.field(name, item, seen) for name, item in value.items()}
            return value if all(map(is_, shown.values(), value.values())) else shown
        if isinstance(value, list):
            return _list(value, self, seen)
        return scrub_text(value) if isinstance(value, str) else value

    def field(self, name: str, item: Any, seen: _Seen) -> Any:
        if name in self._names or is_revealing(name):
            return hide_all_values(item, redact)
        return self.hidden(item, seen)


def _list(value: list[Any], place: _Place | _Undeclared, seen: _Seen) -> list[Any]:
    shown = [item if type(item) in place.plain else place.hidden(item, seen) for item in value]
    return value if all(map(is_, shown, value)) else shown


def _fitting(schema: Schema) -> frozenset[type]:
    """The types of which every value is sure to be true to the schema, what lies below it aside."""
    if "anyOf" in schema:
        return _NONE.union(*map(_fitting, schema["anyOf"])) & _SCALARS
    if "enum" in schema:
        return _NONE
    return _KINDS[schema["type"]] if "type" in schema else _ALL


def _words(schema: Schema) -> frozenset[str]:
    """The texts that are enumerated where a text stands."""
    return frozenset(schema.get("enum", ())) if schema.get("type") == "string" else frozenset()
