"""The generic behaviours: collections of records and single documents, which most operations are about.

A row says where a collection or document lies in the API's paths; which operations it gives rise to, and under which
field a list is answered, the catalogue tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.sandbox.call import Behaviour, Call
from saasus_mcp.sandbox.refusals import invalid, missing
from saasus_mcp.sandbox.state import Key, Record

Check = Callable[[Call, Record], None]
Make = Callable[[Call], Record]
Change = Callable[[Call, Record], Record]

PARENTS = {
    "tenant_id": ("tenants", "tenant"),
    "user_id": ("users", "user"),
    "env_id": ("envs", "environment"),
    "feedback_id": ("feedbacks", "feedback"),
}
"""Ids in the path or body of any operation that must be known: unknown in the path is 404, in the body 400."""


def nothing(_call: Call, _record: Record) -> None:
    """A check that always passes, and a cascade that removes nothing."""


def as_it_is(_call: Call, record: Record) -> Record:
    """A view that shows the whole record."""
    return record


def merged(call: Call, record: Record) -> Record:
    """The record with the fields of the body put over it."""
    return {**record, **call.body}


@dataclass(frozen=True, slots=True)
class Collection:
    """Records under one path: GET lists, POST creates; below, by key: GET reads, PATCH changes, DELETE removes.

    Attributes:
        key: the record's field that is the last part of its key, and of its path.
        unique: fields whose values no two records of a scope share.
        constant: fields that a change must repeat as they are.
        new: what a create stores; without it the body, with an id.
        check: what must hold of a record that is created or changed.
        view: what of a record is shown.
        guard: what must hold before one is removed.
        cascade: what else goes with it.
    """

    path: str
    table: str
    noun: str
    key: str = "id"
    unique: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    new: Make | None = None
    check: Check = nothing
    view: Change = as_it_is
    guard: Check = nothing
    cascade: Check = nothing

    def behaviours(self, catalogue: Catalogue) -> Iterator[tuple[str, Behaviour]]:
        """What each operation on this path does."""
        whole = {"GET": self.list, "POST": self.create}
        single = {"GET": self.read, "PATCH": self.update, "DELETE": self.delete}
        for operation in catalogue:
            below = operation.path.removeprefix(self.path + "/")
            if operation.path == self.path and operation.method in whole:
                yield operation.key, whole[operation.method]
            elif below.startswith("{") and below.endswith("}") and "/" not in below and operation.method in single:
                yield operation.key, single[operation.method]

    def list(self, call: Call) -> Record:
        """All records of the scope, under the one field that the documents declare."""
        shown = [self.view(call, record) for record in call.state.rows(self.table, *call.scope)]
        return {_list_field(call.operation): shown}

    def create(self, call: Call) -> Record:
        """The record that was made."""
        record = self.new(call) if self.new else {"id": call.state.new_id(self.table), **call.body}
        record = {"created_at": call.now, **record}
        self.check(call, record)
        key = (*call.scope, record[self.key])
        self._refuse_alike(call, key, record)
        call.state.put(self.table, key, record)
        return self.view(call, record)

    def read(self, call: Call) -> Record:
        """The one record."""
        return self.view(call, self._stored(call))

    def update(self, call: Call) -> None:
        """Put the body's fields over those of the record."""
        record = self._stored(call)
        changed = merged(call, record)
        for name in self.constant:
            if changed[name] != record[name]:
                raise invalid(f"{name}: it cannot be changed.")
        self.check(call, changed)
        self._refuse_alike(call, call.scope, changed)
        call.state.put(self.table, call.scope, changed)

    def delete(self, call: Call) -> None:
        """Remove the record, and what depends on it."""
        record = self._stored(call)
        self.guard(call, record)
        self.cascade(call, record)
        call.state.drop(self.table, *call.scope)

    def _stored(self, call: Call) -> Record:
        return call.state.get(self.table, *call.scope, noun=self.noun)

    def _refuse_alike(self, call: Call, key: Key, record: Record) -> None:
        """Refuse a record that would share what must be unique with another than the one under its own key."""
        own = call.state.find(self.table, *key)
        if own is not None and call.operation.method == "POST":
            raise invalid(f"{self.key}: the {self.noun} exists already.")
        for other in call.state.rows(self.table, *key[:-1]):
            for name in self.unique:
                if other is not own and record.get(name) and other.get(name) == record[name]:
                    raise invalid(f"{name}: another {self.noun} has it already.")


@dataclass(frozen=True, slots=True)
class Document:
    """One document under a path, perhaps one for each tenant or user: GET reads it, PUT, PATCH and POST change it.

    Attributes:
        default: what is read where none was stored; without it 404.
        change: what a write makes of it.
        check: what must hold before a write.
    """

    path: str
    noun: str = "setting"
    default: Make | None = None
    change: Change = merged
    check: Check = nothing

    def behaviours(self, catalogue: Catalogue) -> Iterator[tuple[str, Behaviour]]:
        """What each operation on this path does."""
        actions = {"GET": self.read, "PUT": self.write, "PATCH": self.write, "POST": self.write, "DELETE": self.delete}
        for operation in catalogue:
            if operation.path == self.path:
                yield operation.key, actions[operation.method]

    def read(self, call: Call) -> Record:
        """The document."""
        stored = call.state.find("documents", self.path, *call.scope)
        if stored is None and self.default is None:
            raise missing(self.noun)
        return stored if stored is not None else self._default(call)

    def write(self, call: Call) -> None:
        """Change it, or make it."""
        stored = call.state.find("documents", self.path, *call.scope)
        changed = self.change(call, stored if stored is not None else self._default(call))
        self.check(call, changed)
        call.state.put("documents", (self.path, *call.scope), changed)

    def delete(self, call: Call) -> None:
        """Remove it."""
        self.read(call)
        call.state.drop("documents", self.path, *call.scope)

    def _default(self, call: Call) -> Record:
        return self.default(call) if self.default else {}


def require_known(call: Call) -> None:
    """Hold the ids that a call names to what there is.

    Raises:
        Refusal: one is not known.
    """
    for name, (table, noun) in PARENTS.items():
        if name in call.path and call.state.find(table, call.path[name]) is None:
            raise missing(noun)
        if name in call.body and call.state.find(table, call.body[name]) is None:
            raise invalid(f"{name}: the {noun} does not exist.")


def _list_field(operation: Operation) -> str:
    fields = operation.output_schema["properties"]
    return next(str(name) for name, schema in fields.items() if schema.get("type") == "array")
