"""The names and e-mail addresses of principals, as the audit records last stated them. They are for people to read, and prove nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, select

from saasus_mcp.common.person import NOBODY, Person
from saasus_mcp.store.database.engine import Database, insert_into
from saasus_mcp.store.database.schema import people
from saasus_mcp.store.records import DAY

MAX_REMEMBERED = 10_000
"""People whose rows this process knows to be recent. Beyond them, rows are written again."""


class PeopleDirectory:
    """The people of one SaaS. A person is written when their name changes, and once a day: other records cost nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written: dict[str, tuple[Person, float]] = {}
        self._pending: dict[str, tuple[Person, float]] = {}

    def is_news(self, record: Mapping[str, Any], at: float) -> bool:
        """Return True if a record names a person whose row is missing or old."""
        person = _person_of(record)
        if person is None:
            return False
        written = self._written.get(str(record["principal"]))
        return written is None or written[0] != _completed(person, written[0]) or at - written[1] >= DAY

    def note(self, connection: Connection, record: Mapping[str, Any], at: float) -> None:
        """Write the person of a record, in the transaction of the record. A field that the record lacks stays as it is."""
        person, principal = _person_of(record), str(record.get("principal", ""))
        if person is None:
            return
        values = {"name": person.name, "email": person.email, "seen_at": at}
        known = {column: value for column, value in values.items() if value != ""}
        insert = insert_into(connection, people).values(principal=principal, **values)
        connection.execute(insert.on_conflict_do_update(index_elements=[people.c.principal], set_=known))
        written = self._written.get(principal)
        self._pending[principal] = (_completed(person, written[0]) if written else person, at)

    def settle(self, *, committed: bool) -> None:
        """Remember what was written, after the transaction has ended."""
        if committed:
            if len(self._written) + len(self._pending) > MAX_REMEMBERED:
                self._written.clear()
            self._written |= self._pending
        self._pending.clear()

    def find(self, principals: Collection[str]) -> dict[str, Person]:
        """Return the known people among these principals."""
        query = select(people).where(people.c.principal.in_(principals))
        return {row.principal: Person(row.name, row.email) for row in self._database.rows(query)}

    def get(self, principal: str) -> Person:
        """Return the person of a principal, with empty fields if they are not known."""
        return self.find([principal]).get(principal, NOBODY)


def _completed(person: Person, known: Person) -> Person:
    """Return a person with the fields that were known before in place of empty ones."""
    return Person(person.name or known.name, person.email or known.email)


def _person_of(record: Mapping[str, Any]) -> Person | None:
    """Return the person whom a record names, or None."""
    if "principal_name" not in record and "principal_email" not in record:
        return None
    name, email = str(record.get("principal_name", "")), str(record.get("principal_email", ""))
    return Person(name, email) if (name or email) and record.get("principal") else None
