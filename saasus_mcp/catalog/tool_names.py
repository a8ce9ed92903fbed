"""What people call a tool: its name, its key, its titles in both languages, and parts of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from saasus_mcp.catalog.catalogue import MAX_SUGGESTIONS, Catalogue
from saasus_mcp.catalog.jobs import find_job, load_jobs
from saasus_mcp.common.language import LANGUAGES
from saasus_mcp.common.word_search import WordSearch


def names_of(catalogue: Catalogue, name: str) -> list[str]:
    """Return every name of an operation, job or other tool, by its name or key; one that is unknown has only that."""
    operation = catalogue.get(name)
    if operation is not None:
        return [operation.key, operation.tool, *map(operation.title.text, LANGUAGES)]
    job = find_job(name)
    return [name] if job is None else [name, *map(job.title.text, LANGUAGES)]


@dataclass(frozen=True, slots=True)
class ToolFilter:
    """The tools that a text names: the one with that name or key, or else all whose names contain its words.

    An empty text names every tool.
    """

    text: str
    catalogue: Catalogue
    _words: WordSearch = field(init=False)
    _exact: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_words", WordSearch(self.text))
        object.__setattr__(self, "_exact", self._key(self.text.strip()))

    def matches(self, name: str) -> bool:
        """Return True for a tool by its name or key, whether this version knows it or not."""
        if self._exact:
            return self._key(name) == self._exact
        return self._words.matches(names_of(self.catalogue, name))

    def names_some(self) -> bool:
        """Return True if the text names a tool of this version."""
        known = (*(each.key for each in self.catalogue), *(each.name for each in load_jobs(for_people=True)))
        return any(map(self.matches, known))

    def nearest(self) -> tuple[str, ...]:
        """Return the names of the tools nearest to the text."""
        index = self.catalogue.index
        near = [each.tool for each in index.nearest(self.text, MAX_SUGGESTIONS)]
        found = [each.operation.tool for each in index.search(self.text, MAX_SUGGESTIONS)]
        return tuple(near or [*found, *index.search_jobs(self.text)])

    def _key(self, name: str) -> str:
        """Return the key of an operation or the name of a job; empty for other texts."""
        operation = self.catalogue.get(name)
        if operation is not None:
            return operation.key
        return name if find_job(name) is not None else ""
