"""Plan reads whose arguments come from the answers of earlier reads, by paths, parameter names and answers' fields.

A slot identifies a value: a path up to a parameter (`/v1/auth/tenants/{tenant_id}`), or else a module and a parameter's
name (`auth:email`). A read provides values for a slot in two ways:

- by its path: the items of `GET /tenants` fill `/tenants/{tenant_id}`, with their field `tenant_id` or `id`; the list
  `comments` of an answered feedback fills `/feedbacks/{feedback_id}/comments/{comment_id}`;
- by name, within its module: a field `email` fills `email`, a field `unit_name` fills `metering_unit_name`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_path import Schema

SlotValues = dict[str, Any]
"""Values that belong together, by slot: a user's id, and the id of the tenant in whose list it appears."""

MAX_ITEMS_READ = 50
"""The limit of items of one list."""
MAX_READ_ROWS = 200
"""The limit of rows of one answer."""
DEFAULT_PERIOD = timedelta(days=30)
"""The period of reads with a start and an end."""


@dataclass(frozen=True, slots=True)
class ArgumentSource:
    """A field with values for a slot. `lists`: names of the lists that contain the field, outermost first."""

    slot: str
    lists: tuple[str, ...]
    field: str


@dataclass(frozen=True, slots=True)
class PlannedRead:
    """A read and the slots it needs.

    Attributes:
        needs: the slots for each parameter, best first. Empty if no read provides a value.
        secret: a parameter is a secret, which no read shows.
        sources: the fields of its answer that provide values.
    """

    operation: Operation
    needs: Mapping[str, tuple[str, ...]]
    secret: bool
    sources: tuple[ArgumentSource, ...]

    @property
    def key(self) -> str:
        return self.operation.key

    @property
    def possible(self) -> bool:
        """Return whether reads provide every value it needs."""
        return not self.secret and all(self.needs.values())

    def arguments(self, rows: Iterable[SlotValues], now: datetime) -> Iterator[dict[str, Any]]:
        """Yield the arguments that can be built from rows, in their order."""
        available = list(rows)
        generated = {
            name: _generate(schema, name, now) for name, schema in _required(self.operation) if _can_generate(schema)
        }
        if not self.needs:
            yield generated
            return
        *others, last = self.needs
        for row in _rows_with(available, self.needs[last]):
            values = {last: _first(row, self.needs[last])}
            for name in others:
                source = row if self._slot(name) in row else next(_rows_with(available, self.needs[name]), {})
                values[name] = _first(source, (self._slot(name), *self.needs[name]))
            if None not in values.values():
                yield {**values, **generated}

    def rows(self, arguments: Mapping[str, Any], answer: Any) -> list[SlotValues]:
        """Return the rows of an answer, each with the arguments of the read."""
        given = {self._slot(name): arguments[name] for name in self.needs if name in arguments}
        return list(islice(_rows(answer, (), given, self.sources), MAX_READ_ROWS))

    def _slot(self, name: str) -> str:
        return _slots(self.operation.path).get(name, "")


def plan_reads(operations: Iterable[Operation]) -> tuple[PlannedRead, ...]:
    """Return every read among the operations, ordered by key."""
    all_operations = list(operations)
    reads = sorted((operation for operation in all_operations if operation.reads), key=lambda operation: operation.key)
    children = {slot.rpartition("/")[0]: slot for each in all_operations for slot in _slots(each.path).values()}
    needed = {read.key: [name for name, schema in _ordered(read) if not _can_generate(schema)] for read in reads}
    wanted = {(read.module, name) for read in reads for name in needed[read.key]}
    sources = {read.key: tuple(_sources(read, children, wanted)) for read in reads}
    slots = {source.slot for each in sources.values() for source in each}
    provided = sorted(slots, key=lambda slot: (slot.count("{"), len(slot), slot))
    needs = {read.key: {name: _matching_slots(read, name, provided) for name in needed[read.key]} for read in reads}
    used = {slot for each in needs.values() for matching in each.values() for slot in matching}
    return tuple(
        PlannedRead(
            read,
            needs[read.key],
            secret=any(name in read.secret_inputs for name, _ in _required(read)),
            sources=tuple(source for source in sources[read.key] if source.slot in used),
        )
        for read in reads
    )


def _required(operation: Operation) -> list[tuple[str, Schema]]:
    schema = operation.input_schema
    return [(name, schema["properties"][name]) for name in schema.get("required", ())]


def _ordered(operation: Operation) -> list[tuple[str, Schema]]:
    """Return the required arguments. Those of the path come last, in its order."""
    path = operation.path_parameters
    return sorted(_required(operation), key=lambda one: path.index(one[0]) if one[0] in path else -1)


def _slots(path: str) -> dict[str, str]:
    """Return the slot of each parameter of a path."""
    steps = path.split("/")
    return {step[1:-1]: "/".join(steps[: at + 1]) for at, step in enumerate(steps) if step.startswith("{")}


def _matching_slots(operation: Operation, name: str, provided: list[str]) -> tuple[str, ...]:
    """Return the provided slots for a parameter: its own, or else those of the same name."""
    own = _slots(operation.path).get(name)
    if own in provided:
        return (str(own),)
    by_name = f"{operation.module}:{name}"
    return tuple(slot for slot in provided if slot.endswith(f"/{{{name}}}")) + (
        (by_name,) if by_name in provided else ()
    )


def _sources(
    operation: Operation, children: Mapping[str, str], wanted: set[tuple[str, str]]
) -> Iterator[ArgumentSource]:
    """Yield the fields of an operation's answer that provide values."""
    root = operation.output_schema
    lists = [name for name, below in root.get("properties", {}).items() if _items(below) is not None]

    def walk(schema: Schema, at: tuple[str, ...], base: str) -> Iterator[ArgumentSource]:
        for name, below in schema.get("properties", {}).items():
            item = _items(below)
            if item is None:
                for module, parameter in sorted(wanted):
                    is_end = "_" in name and parameter.endswith("_" + name)  # `unit_name` of `metering_unit_name`
                    if module == operation.module and (name == parameter or is_end):
                        yield ArgumentSource(f"{module}:{parameter}", at, name)
                continue
            slot = children.get(f"{base}/{name}") if base else None
            if slot is None and not at and len(lists) == 1:
                slot = children.get(base)
            if slot is not None:
                parameter = slot.rpartition("{")[2][:-1]
                field = next((one for one in (parameter, "id") if one in item["properties"]), None)
                if field is not None:
                    yield ArgumentSource(slot, (*at, name), field)
            yield from walk(item, (*at, name), slot or "")

    yield from walk(root, (), operation.path)


def _items(schema: Schema) -> Schema | None:
    """Return the schema of the objects in a list, or None for anything else."""
    item = schema.get("items", {}) if schema.get("type") == "array" else {}
    return item if "properties" in item else None


def _rows(
    value: Any, at: tuple[str, ...], given: SlotValues, sources: tuple[ArgumentSource, ...]
) -> Iterator[SlotValues]:
    if not isinstance(value, dict):
        return
    here = [source for source in sources if source.lists == at]
    row = given | {one.slot: value[one.field] for one in here if _usable(value.get(one.field))}
    if any(one.slot in row for one in here):
        yield row
    for name in sorted(
        {one.lists[len(at)] for one in sources if one.lists[: len(at)] == at and len(one.lists) > len(at)}
    ):
        items = value.get(name)
        for item in islice(items, MAX_ITEMS_READ) if isinstance(items, list) else ():
            yield from _rows(item, (*at, name), row, sources)


def _usable(value: Any) -> bool:
    return bool(value) if isinstance(value, str) else isinstance(value, int) and not isinstance(value, bool)


def _rows_with(rows: list[SlotValues], slots: tuple[str, ...]) -> Iterator[SlotValues]:
    """Yield the rows with a value for one of the slots, the best slot first."""
    for slot in slots:
        yield from (row for row in rows if slot in row)


def _first(row: SlotValues, slots: Iterable[str]) -> Any:
    return next((row[slot] for slot in slots if slot in row), None)


def _begun(now: datetime, name: str) -> datetime:
    return now - DEFAULT_PERIOD if name.startswith("start") else now


_TIME_FORMATS: Mapping[str, Callable[[datetime, str], Any]] = {
    "YYYY-MM-DD": lambda now, name: f"{_begun(now, name):%Y-%m-%d}",
    "YYYY-MM": lambda now, _: f"{now:%Y-%m}",
    "epoch": lambda now, name: int(_begun(now, name).timestamp()),
}
"""Formats of times, by the first word of the parameter's terse description."""


def _can_generate(schema: Schema) -> bool:
    """Return whether a value can be generated: from an enum, or as a time."""
    return "enum" in schema or _time_format(schema) in _TIME_FORMATS


def _time_format(schema: Schema) -> str:
    return str(schema.get("description", "")).partition(" ")[0]


def _generate(schema: Schema, name: str, now: datetime) -> Any:
    return schema["enum"][0] if "enum" in schema else _TIME_FORMATS[_time_format(schema)](now.astimezone(UTC), name)
