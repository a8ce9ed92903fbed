"""Which reads can be made with what earlier reads answered, derived from paths, parameter names and answers' fields.

A slot is where a value belongs: a path up to a parameter (`/v1/auth/tenants/{tenant_id}`), or a module and a parameter's
name (`auth:email`) where no path tells. A read gives values for a slot in two ways:

- by its path: the items of `GET /tenants` fill `/tenants/{tenant_id}`, with their field `tenant_id` or `id`; the list
  `comments` of an answered feedback fills `/feedbacks/{feedback_id}/comments/{comment_id}`;
- by a name, within its module: a field `email` fills `email`, a field `unit_name` fills `metering_unit_name`.

Pure: nothing is sent from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_path import Schema

Row = dict[str, Any]
"""Values that belong together, by slot: a user's id, and the id of the tenant whose list it stands in."""

MAX_ITEMS = 50
"""Items of one list whose values are kept."""
MAX_ROWS = 200
"""Rows that are kept of one answer."""
DEFAULT_PERIOD = timedelta(days=30)
"""Length of the period that reads with a beginning and an end ask for."""


@dataclass(frozen=True, slots=True)
class ArgumentSource:
    """A field that gives values for a slot.

    Attributes:
        lists: names of the lists that lead to the field, outermost first.
    """

    slot: str
    lists: tuple[str, ...]
    field: str


@dataclass(frozen=True, slots=True)
class PlannedRead:
    """One read and what it needs.

    Attributes:
        needs: by parameter, the slots whose values it takes, best first; no slot where no read gives one.
        secret: whether a parameter is a secret, which no read shows.
        sources: what its answer gives.
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
        """Whether some read gives each value that it needs."""
        return not self.secret and all(self.needs.values())

    def arguments(self, rows: Iterable[Row], now: datetime) -> Iterator[dict[str, Any]]:
        """Arguments that these rows allow, in the order of the rows."""
        known = list(rows)
        made = {name: _made(schema, name, now) for name, schema in _required(self.operation) if _makes(schema)}
        if not self.needs:
            yield made
            return
        *others, last = self.needs
        for row in _having(known, self.needs[last]):
            found = {last: _first(row, self.needs[last])}
            for name in others:
                source = row if self._own(name) in row else next(_having(known, self.needs[name]), {})
                found[name] = _first(source, (self._own(name), *self.needs[name]))
            if None not in found.values():
                yield {**found, **made}

    def rows(self, arguments: Mapping[str, Any], answer: Any) -> list[Row]:
        """What an answer to these arguments gives, together with the arguments it was asked by."""
        given = {self._own(name): arguments[name] for name in self.needs if name in arguments}
        return list(islice(_rows(answer, (), given, self.sources), MAX_ROWS))

    def _own(self, name: str) -> str:
        return _slots(self.operation.path).get(name, "")


def plan_reads(operations: Iterable[Operation]) -> tuple[PlannedRead, ...]:
    """Every read among these operations, by key."""
    known = list(operations)
    reads = sorted((one for one in known if one.reads), key=lambda one: one.key)
    children = {slot.rpartition("/")[0]: slot for one in known for slot in _slots(one.path).values()}
    wanted = {(one.module, name) for one in reads for name, schema in _required(one) if not _makes(schema)}
    sources = {one.key: tuple(_sources(one, children, wanted)) for one in reads}
    filled = {source.slot for each in sources.values() for source in each}
    given = sorted(filled, key=lambda slot: (slot.count("{"), len(slot), slot))
    needs = {
        one.key: {name: _answering(one, name, given) for name, schema in _ordered(one) if not _makes(schema)}
        for one in reads
    }
    used = {slot for each in needs.values() for slots in each.values() for slot in slots}
    return tuple(
        PlannedRead(
            one,
            needs[one.key],
            secret=any(name in one.secret_inputs for name, _ in _required(one)),
            sources=tuple(source for source in sources[one.key] if source.slot in used),
        )
        for one in reads
    )


def _required(operation: Operation) -> list[tuple[str, Schema]]:
    schema = operation.input_schema
    return [(name, schema["properties"][name]) for name in schema.get("required", ())]


def _ordered(operation: Operation) -> list[tuple[str, Schema]]:
    """The required arguments, those of the path last and in its order: the last one lies below all others."""
    path = operation.path_parameters
    return sorted(_required(operation), key=lambda one: path.index(one[0]) if one[0] in path else -1)


def _slots(path: str) -> dict[str, str]:
    """The slot of each parameter of a path."""
    steps = path.split("/")
    return {step[1:-1]: "/".join(steps[: at + 1]) for at, step in enumerate(steps) if step.startswith("{")}


def _answering(operation: Operation, name: str, given: list[str]) -> tuple[str, ...]:
    """The slots that some read fills and that fit a parameter: its own alone, else those of the same name."""
    own = _slots(operation.path).get(name)
    if own in given:
        return (str(own),)
    by_name = f"{operation.module}:{name}"
    return tuple(slot for slot in given if slot.endswith(f"/{{{name}}}")) + ((by_name,) if by_name in given else ())


def _sources(
    operation: Operation, children: Mapping[str, str], wanted: set[tuple[str, str]]
) -> Iterator[ArgumentSource]:
    """What the fields of an operation's answer are good for."""
    root = operation.output_schema
    lists = [name for name, below in root.get("properties", {}).items() if _items(below) is not None]

    def walk(schema: Schema, at: tuple[str, ...], base: str) -> Iterator[ArgumentSource]:
        for name, below in schema.get("properties", {}).items():
            item = _items(below)
            if item is None:
                for module, parameter in sorted(wanted):
                    if module == operation.module and _same(name, parameter):
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
    """The schema of the objects in a list; None where it is no list of objects."""
    item = schema.get("items", {}) if schema.get("type") == "array" else {}
    return item if "properties" in item else None


def _same(field: str, parameter: str) -> bool:
    """Whether a field and a parameter have one name, or the field the last words of it."""
    return field == parameter or ("_" in field and parameter.endswith("_" + field))


def _rows(value: Any, at: tuple[str, ...], given: Row, sources: tuple[ArgumentSource, ...]) -> Iterator[Row]:
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
        for item in islice(items, MAX_ITEMS) if isinstance(items, list) else ():
            yield from _rows(item, (*at, name), row, sources)


def _usable(value: Any) -> bool:
    return bool(value) if isinstance(value, str) else isinstance(value, int) and not isinstance(value, bool)


def _having(rows: list[Row], slots: tuple[str, ...]) -> Iterator[Row]:
    """The rows with a value for one of the slots: those of the best slot first."""
    for slot in slots:
        yield from (row for row in rows if slot in row)


def _first(row: Row, slots: Iterable[str]) -> Any:
    return next((row[slot] for slot in slots if slot in row), None)


def _day(now: datetime, name: str) -> str:
    return f"{now - DEFAULT_PERIOD if name.startswith('start') else now:%Y-%m-%d}"


def _month(now: datetime, _: str) -> str:
    return f"{now:%Y-%m}"


def _epoch(now: datetime, name: str) -> int:
    return int((now - DEFAULT_PERIOD if name.startswith("start") else now).timestamp())


_FORMS: Mapping[str, Callable[[datetime, str], Any]] = {
    "YYYY-MM-DD": _day,
    "YYYY-MM": _month,
    "epoch": _epoch,
}
"""Times as parameters want them, by the first word of their terse description."""


def _makes(schema: Schema) -> bool:
    """Whether a value can be made without an account: a word of an enum, or a time."""
    return "enum" in schema or _form(schema) in _FORMS


def _form(schema: Schema) -> str:
    return str(schema.get("description", "")).partition(" ")[0]


def _made(schema: Schema, name: str, now: datetime) -> Any:
    return schema["enum"][0] if "enum" in schema else _FORMS[_form(schema)](now.astimezone(UTC), name)
