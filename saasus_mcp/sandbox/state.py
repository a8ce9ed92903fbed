"""The data of the emulated SaaS: tables of records, each under a key of ids; and refusals in the API's form. It knows no operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from uuid import NAMESPACE_DNS, uuid5

from pydantic import BaseModel, Field, StrictInt, StrictStr


class Refusal(Exception):
    """A refused call, which changed nothing: a status, a `type` and a `message`."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


def invalid(message: str) -> Refusal:
    """Return the refusal of an invalid request. The message names the field."""
    return Refusal(400, "invalid_parameter", message)


def not_now(message: str) -> Refusal:
    """Return the refusal of a valid request whose preconditions are not met."""
    return Refusal(400, "precondition_failed", message)


def unauthorized(message: str) -> Refusal:
    """Return the refusal of a signature, or of a token in the request."""
    return Refusal(401, "unauthorized", message)


def missing(noun: str) -> Refusal:
    """Return the refusal for an unknown record."""
    return Refusal(404, "not_found", f"The {noun} does not exist.")


Id = str | int
Key = tuple[Id, ...]
Record = Mapping[str, Any]
"""One stored thing. It is never changed in place: a change puts another record under the same key."""

_NAMESPACE = uuid5(NAMESPACE_DNS, "sandbox.example.com")


def uid(*names: object) -> str:
    """Return the id of a named record, equal in every sandbox, so that demonstrations can be repeated."""
    return str(uuid5(_NAMESPACE, "/".join(map(str, names))))


class _ExportedState(BaseModel):
    """The form of an exported state."""

    made: Annotated[StrictInt, Field(ge=0)]
    tables: dict[str, list[tuple[Annotated[list[StrictStr | StrictInt], Field(min_length=1)], dict[str, Any]]]]


class State:
    """All tables of one emulated SaaS. A key's first parts are its scope, as in (tenant, invitation)."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[Key, Record]] = {}
        self._by_first: dict[str, dict[Id, dict[Key, Record]]] = {}
        self._made = 0

    def rows(self, table: str, *scope: Id) -> list[Record]:
        """Return the records whose key begins with the scope, oldest first."""
        within = self._first(table).get(scope[0], {}) if scope else self._table(table)
        return [record for key, record in within.items() if key[: len(scope)] == scope]

    def find(self, table: str, *key: Id) -> Record | None:
        return self._table(table).get(key)

    def get(self, table: str, *key: Id, noun: str = "") -> Record:
        """Return the record with this key. Raise Refusal if no such record exists (404)."""
        found = self.find(table, *key)
        if found is None:
            raise missing(noun or table.removesuffix("s").replace("_", " "))
        return found

    def put(self, table: str, key: Key, record: Record) -> None:
        """Store a record, replacing the old one."""
        self._table(table)[key] = record
        if table in self._by_first:
            self._by_first[table].setdefault(key[0], {})[key] = record

    def change(self, table: str, key: Key, **fields: Any) -> None:
        """Replace some fields of a stored record."""
        self.put(table, key, {**self.get(table, *key), **fields})

    def drop(self, table: str, *scope: Id) -> None:
        """Remove every record whose key begins with the scope, or the whole table without a scope."""
        kept = {key: record for key, record in self._table(table).items() if key[: len(scope)] != scope}
        self._replace(table, kept)

    def sweep(self, table: str, doomed: Callable[[Record], bool]) -> None:
        self._replace(table, {key: record for key, record in self._table(table).items() if not doomed(record)})

    def rewrite(self, table: str, change: Callable[[Record], Record]) -> None:
        """Replace each record by the result of `change`."""
        self._replace(table, {key: change(record) for key, record in self._table(table).items()})

    def new_id(self, kind: str) -> str:
        """Return an unused id, equal for the same sequence of calls."""
        self._made += 1
        return uid(kind, "made", self._made)

    def new_secret(self, kind: str) -> str:
        """Return a password or key that is visibly fake."""
        return f"sandbox-{kind}-{self.new_id(kind)[:8]}"

    def exported(self) -> dict[str, Any]:
        """Return all tables as JSON: each a list of [key, record]."""
        tables = {name: [[list(key), record] for key, record in rows.items()] for name, rows in self._tables.items()}
        return {"made": self._made, "tables": tables}

    @classmethod
    def imported(cls, exported: Mapping[str, Any]) -> State:
        """Return the state that was exported. Raise ValueError if it has another form."""
        checked, state = _ExportedState.model_validate(exported), cls()
        state._made = checked.made
        state._tables = {name: {tuple(key): record for key, record in rows} for name, rows in checked.tables.items()}
        return state

    def _first(self, table: str) -> dict[Id, dict[Key, Record]]:
        """Return the table's records by the first part of their key. Most scopes are a tenant, and there may be many."""
        if table not in self._by_first:
            found = self._by_first[table] = {}
            for key, record in self._table(table).items():
                found.setdefault(key[0], {})[key] = record
        return self._by_first[table]

    def _replace(self, table: str, records: dict[Key, Record]) -> None:
        self._tables[table] = records
        self._by_first.pop(table, None)

    def _table(self, table: str) -> dict[Key, Record]:
        return self._tables.setdefault(table, {})
