"""The search of the console's pages: words of either language, in any order."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

from saasus_mcp.catalog import Catalogue

MAX_WORDS = 12
MAX_FOUND_TOOLS = 40
"""The operations that the catalogue's search adds to those whose texts contain the words."""


class WordSearch:
    """A search for words. Something matches if its texts contain every word, or if the catalogue finds its operation.

    Args:
        text: what the person typed. Letters of either width and case are equal.
    """

    def __init__(self, text: str, catalogue: Catalogue) -> None:
        self.text = text
        self._words = _folded(text).split()[:MAX_WORDS]
        hits = catalogue.index.search(text, MAX_FOUND_TOOLS) if self._words else []
        self._found = {hit.operation.key for hit in hits}

    def matches(self, texts: Iterable[str], operation: str = "") -> bool:
        """Return True if the texts contain every word, or the operation is among those that the catalogue finds."""
        return operation in self._found or self.contains_all(texts)

    def matches_lazily(self, texts: Callable[[], Iterable[str]], operation: str) -> bool:
        """Return the same, but make the texts only if they are needed."""
        return not self._words or operation in self._found or self.contains_all(texts())

    def contains_all(self, texts: Iterable[str]) -> bool:
        """Return True if the texts contain every word."""
        if not self._words:
            return True
        searched = _folded("\n".join(texts))
        return all(word in searched for word in self._words)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
