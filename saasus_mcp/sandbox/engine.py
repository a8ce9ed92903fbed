"""Generic behaviours: collections of records and single documents, which most operations use.

A row says where a collection or document is in the API's paths. The catalogue says which operations exist there, and under
which field a list is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from saasus_mcp.catalog import Catalogue
from saasus_mcp.sandbox.call import Behaviour, SandboxCall
from saasus_mcp.sandbox.state import Key, Record, invalid, missing

Check = Callable[[SandboxCall, Record], None]
Make = Callable[[SandboxCall], Record]
TransformRecord = Callable[[SandboxCall, Record], Record]

PARENTS = {
    "tenant_id": ("tenants", "tenant"),
    "user_id": ("users", "user"),
    "env_id": ("envs", "environment"),
    "feedback_id": ("feedbacks", "feedback"),
}
"""Ids in the path or body of any operation that must be known: unknown in the path is 404, in the body 400."""
REFERENCES = {
    "plan_id": ("pricing_plans", "plan"),
    "plan_ids": ("pricing_plans", "plan"),
    "next_plan_id": ("pricing_plans", "plan"),
    "next_plan_tax_rate_id": ("tax_rates", "tax rate"),
    "menu_ids": ("pricing_menus", "menu"),
    "unit_ids": ("pricing_units", "pricing unit"),
    "role_names": ("roles", "role"),
}
"""Ids, or lists of them, in the body of any operation that must be known, or empty."""


def accept_all(_call: SandboxCall, _record: Record) -> None:
    """Accept every record. Used as a check, or as a cascade that removes nothing."""


def sent_body(call: SandboxCall) -> Record:
    """Return the body as the new record, without an id."""
    return call.body


def merge_body(call: SandboxCall, record: Record) -> Record:
    return {**record, **call.body}


@dataclass(frozen=True, slots=True)
class CollectionResource:
    """Records under one path: GET lists, POST creates; below, by key: GET reads, PATCH changes, DELETE removes.

    Attributes:
        key: the record's field that is the last part of its key and path.
        unique: fields that must be unique within a scope.
        constant: fields that a change must repeat unchanged.
        new: makes the record that a create stores; by default the body, with an id.
        check: checks a record before it is created or changed.
        view: makes the answer from a record.
        guard: checks a record before it is removed.
        cascade: removes dependent records.
    """

    path: str
    table: str
    noun: str
    key: str = "id"
    unique: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    new: Make | None = None
    check: Check = accept_all
    view: TransformRecord = lambda _call, record: record
    guard: Check = accept_all
    cascade: Check = accept_all

    def behaviours(self, catalogue: Catalogue) -> Iterator[tuple[str, Behaviour]]:
        """Yield the behaviour of each operation on this path."""
        whole = {"GET": self.list, "POST": self.create}
        single = {"GET": self.read, "PATCH": self.update, "DELETE": self.delete}
        for operation in catalogue:
            below = operation.path.removeprefix(self.path + "/")
            if operation.path == self.path and operation.method in whole:
                yield operation.key, whole[operation.method]
            elif below.startswith("{") and below.endswith("}") and "/" not in below and operation.method in single:
                yield operation.key, single[operation.method]

    def list(self, call: SandboxCall) -> Record:
        """Return all records of the scope, under the field that the documents declare."""
        fields = call.operation.output_schema["properties"]
        field = next(str(name) for name, schema in fields.items() if schema.get("type") == "array")
        return {field: [self.view(call, record) for record in call.state.rows(self.table, *call.scope)]}

    def create(self, call: SandboxCall) -> Record:
        record = self.new(call) if self.new else {"id": call.state.new_id(self.table), **call.body}
        record = {"created_at": call.now, **record}
        self.check(call, record)
        key = (*call.scope, record[self.key])
        self._refuse_alike(call, key, record)
        call.state.put(self.table, key, record)
        return self.view(call, record)

    def read(self, call: SandboxCall) -> Record:
        return self.view(call, self._stored(call))

    def update(self, call: SandboxCall) -> None:
        """Merge the body into the record."""
        record = self._stored(call)
        changed = merge_body(call, record)
        for name in self.constant:
            if changed[name] != record[name]:
                raise invalid(f"{name}: it cannot be changed.")
        self.check(call, changed)
        self._refuse_alike(call, call.scope, changed)
        call.state.put(self.table, call.scope, changed)

    def delete(self, call: SandboxCall) -> None:
        """Remove the record and its dependents."""
        record = self._stored(call)
        self.guard(call, record)
        self.cascade(call, record)
        call.state.drop(self.table, *call.scope)

    def _stored(self, call: SandboxCall) -> Record:
        return call.state.get(self.table, *call.scope, noun=self.noun)

    def _refuse_alike(self, call: SandboxCall, key: Key, record: Record) -> None:
        """Refuse a record whose unique fields another record has."""
        own = call.state.find(self.table, *key)
        if own is not None and call.operation.method == "POST":
            raise invalid(f"{self.key}: the {self.noun} exists already.")
        for other in call.state.rows(self.table, *key[:-1]):
            for name in self.unique:
                if other is not own and record.get(name) and other.get(name) == record[name]:
                    raise invalid(f"{name}: another {self.noun} has it already.")


@dataclass(frozen=True, slots=True)
class DocumentResource:
    """One document under a path, perhaps one per tenant or user: GET reads it, PUT, PATCH and POST change it.

    Attributes:
        default: the answer if none is stored; 404 without it.
        change: makes the stored document from a write.
    """

    path: str
    noun: str = "setting"
    default: Make | None = None
    change: TransformRecord = merge_body
    check: Check = accept_all

    def behaviours(self, catalogue: Catalogue) -> Iterator[tuple[str, Behaviour]]:
        actions = {"GET": self.read, "PUT": self.write, "PATCH": self.write, "POST": self.write, "DELETE": self.delete}
        for operation in catalogue:
            if operation.path == self.path:
                yield operation.key, actions[operation.method]

    def read(self, call: SandboxCall) -> Record:
        stored = call.state.find("documents", self.path, *call.scope)
        if stored is None and self.default is None:
            raise missing(self.noun)
        return stored if stored is not None else self._default(call)

    def write(self, call: SandboxCall) -> None:
        stored = call.state.find("documents", self.path, *call.scope)
        changed = self.change(call, stored if stored is not None else self._default(call))
        self.check(call, changed)
        call.state.put("documents", (self.path, *call.scope), changed)

    def delete(self, call: SandboxCall) -> None:
        self.read(call)
        call.state.drop("documents", self.path, *call.scope)

    def _default(self, call: SandboxCall) -> Record:
        return self.default(call) if self.default else {}


def require_known(call: SandboxCall) -> None:
    """Check that all ids of a call exist.

    Raises:
        Refusal: an id is unknown.
    """
    for name, (table, noun) in PARENTS.items():
        if name in call.path and call.state.find(table, call.path[name]) is None:
            raise missing(noun)
        if name in call.body and call.state.find(table, call.body[name]) is None:
            raise invalid(f"{name}: the {noun} does not exist.")
    for name, (table, noun) in REFERENCES.items():
        value = call.body.get(name)
        for id_ in value if isinstance(value, list) else [value] if value else ():
            if call.state.find(table, id_) is None:
                shown = f"{noun} {id_}" if isinstance(value, list) else noun
                raise invalid(f"{name}: the {shown} does not exist.")
