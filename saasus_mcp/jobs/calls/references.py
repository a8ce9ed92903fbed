"""References of a call to the answers of earlier calls: `{"$from": "call.id"}` in place of an argument or an item of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.common.json_path import InvalidArguments, Schema, main_branch
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.calls.entries import REFERENCE_KEY, CallEntry
from saasus_mcp.jobs.plan import KNOWN_LATER
from saasus_mcp.saasus.secret_paths import top_level_names

ID = "id"
"""The field of an answer with the id of a new item."""


class ReferenceResolver:
    """Replaces the references in arguments by placeholders, each with its place, so that it is recognized wherever it is shown.

    Args:
        entries: all entries of the list, which distinguishes a reference to a later one from an unknown one.
    """

    def __init__(self, entries: list[CallEntry]) -> None:
        self._ids = {entry.id for entry in entries} - {""}
        self._earlier: dict[str, tuple[str, Operation]] = {}
        self._faulty = set[str]()

    def add(self, entry: CallEntry, step: str, operation: Operation) -> None:
        """Let later calls refer to this one.

        Raises:
            InvalidArguments: an earlier call has the same id.
        """
        if entry.id in self._earlier:
            raise InvalidArguments(("id",), message("jobs_calls.duplicate_id", id=Quoted(_own_id(entry.id))))
        if entry.id:
            self._earlier[entry.id] = step, operation

    def add_faulty(self, entry: CallEntry) -> None:
        """Remember a call that has a fault, so that a reference to it is explained."""
        if entry.id not in self._earlier:
            self._faulty.add(entry.id)

    def replace(
        self, operation: Operation, arguments: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, tuple[str, str]], list[InvalidArguments]]:
        """Return the arguments with placeholders, by place the step and the field of its answer, and the faults.

        An argument whose reference cannot be followed is a fault, and is left out.
        """
        replaced: dict[str, Any] = {}
        places: dict[str, tuple[str, str]] = {}
        faults: list[InvalidArguments] = []
        properties: Mapping[str, Schema] = operation.input_schema.get("properties", {})
        for name, value in arguments.items():
            try:
                replaced[name], found = self._replace_value(
                    operation, name, value, main_branch(properties.get(name, {}))
                )
                places |= found
            except InvalidArguments as fault:
                faults.append(fault)
        return replaced, places, faults

    def _replace_value(
        self, operation: Operation, name: str, value: Any, schema: Schema
    ) -> tuple[Any, dict[str, tuple[str, str]]]:
        places: dict[str, tuple[str, str]] = {}
        if _is_reference(value):
            places[name], value = self._follow(operation, name, value[REFERENCE_KEY], schema)
        elif isinstance(value, list):
            inner, value = main_branch(schema.get("items", {})), list(value)
            for index, item in enumerate(value):
                if _is_reference(item):
                    place = f"{name}.{index}"
                    places[place], value[index] = self._follow(operation, place, item[REFERENCE_KEY], inner)
        if any(REFERENCE_KEY in found for found in _mappings(value)):
            raise InvalidArguments((name,), message("jobs_calls.nested_reference"))
        return value, places

    def _follow(self, operation: Operation, place: str, text: Any, schema: Schema) -> tuple[tuple[str, str], Any]:
        id_, _, field = str(text).partition(".")
        if operation.level in TYPED_LEVELS:
            raise InvalidArguments((place,), message("jobs_calls.reference_in_typed", level=operation.level))
        if place.partition(".")[0] in top_level_names(operation.secret_inputs):
            raise InvalidArguments((place,), message("jobs_calls.secret_reference"))
        if id_ not in self._earlier:
            key = "jobs_calls.forward_reference" if id_ in self._ids else "jobs_calls.unknown_reference"
            key = "jobs_calls.faulty_reference" if id_ in self._faulty else key
            raise InvalidArguments((place,), message(key, id=Quoted(_own_id(id_))))
        step, earlier = self._earlier[id_]
        created = _created_id(earlier)
        if not _has_field(earlier, field):
            fault = message("jobs_calls.unknown_field", field=Quoted(field), tool=earlier.tool)
            hint = message("jobs_calls.fields_hint", fields=(created,)) if created else None
            raise InvalidArguments((place,), fault, hint)
        # A person agrees to the value: it is the new item that the earlier call names, or it stands in the call.
        if not created or field != created:
            hint = message("jobs_calls.known_reference_hint")
            raise InvalidArguments((place,), message("jobs_calls.known_reference"), hint)
        kind = schema.get("type", "string")
        if kind != "string":
            raise InvalidArguments((place,), message("jobs_calls.reference_type", type=str(kind)))
        if "enum" in schema or "pattern" in schema or "const" in schema:
            raise InvalidArguments((place,), message("jobs_calls.reference_form"))
        return (step, field), f"{KNOWN_LATER}: {place}"


def _created_id(operation: Operation) -> str:
    """Return the field of an answer with the id that the API generates for the item that the call creates, or nothing."""
    generated = operation.output_schema.get("properties", {}).get(ID, {}).get("type") == "string"
    given = ID in operation.input_schema.get("properties", {})
    return ID if operation.effects.effect == "create" and generated and not given else ""


def _has_field(operation: Operation, path: str) -> bool:
    """Return whether an answer has a field, or one that contains it, that is no secret."""
    name = path.partition(".")[0]
    secrets = top_level_names((*operation.secret_outputs, *operation.scrubbed_outputs))
    return name in operation.output_schema.get("properties", {}) and name not in secrets


def _is_reference(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {REFERENCE_KEY}


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object within a value."""
    if isinstance(value, Mapping):
        yield value
        for item in value.values():
            yield from _mappings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _mappings(item)


def _own_id(id_: str) -> str:
    """Return the id as the caller wrote it: in a template, the line comes before it."""
    return id_.rpartition("/")[2]
