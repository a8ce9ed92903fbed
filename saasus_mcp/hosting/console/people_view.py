"""The people of a page: name and e-mail address beside the stable principal id."""

from __future__ import annotations

from dataclasses import dataclass

from saasus_mcp.common.person import NOBODY, Person
from saasus_mcp.hosting.console.service import ProfileContext

MAX_ID = 40
"""Characters of an id that a list shows in full."""


@dataclass(frozen=True, slots=True)
class PersonView:
    """A principal as people see them. `label` is empty if only the id is known."""

    id: str
    label: str = ""

    @property
    def short_id(self) -> str:
        """Return the id for a list: of a long one with an issuer, the end tells people apart."""
        issuer, bar, subject = self.id.rpartition("|")
        kind = issuer.partition(":")[0]
        return f"{kind}:\N{HORIZONTAL ELLIPSIS}|{subject}" if bar and len(self.id) > MAX_ID else self.id

    @property
    def name(self) -> str:
        """Return what people know them by: the label, else of an id with an issuer its end; empty for other ids."""
        return self.label or (self.id.rpartition("|")[2] if "|" in self.id else "")

    def __str__(self) -> str:
        """Return label and id on one line; empty without a principal."""
        return f"{self.label} \N{MIDDLE DOT} {self.id}" if self.label else self.id


class PagePeople:
    """Finds the people of one page. Each is looked up once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], PersonView] = {}

    def view(self, context: ProfileContext, principal: str, known: Person = NOBODY) -> PersonView:
        """Return a person.

        Args:
            known: name and address as a record states them. They count, whatever the person is called today.
        """
        if known.label or not principal:
            return PersonView(principal, known.label)
        key = (context.name, principal)
        if key not in self._found:
            self._found[key] = PersonView(principal, context.store().audit_log.people.get(principal).label)
        return self._found[key]
