"""A search for words of either language, in any order: on the pages of the console, and in the audit log."""

from __future__ import annotations

from collections.abc import Iterable

from saasus_mcp.common.normal_forms import normalize

MAX_WORDS = 12


class WordSearch:
    """A search for words. Something matches if its texts contain every word. Without words, everything does.

    Args:
        text: what the person typed. Letters of either width and case are equal.
    """

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._words = _folded(text).split()[:MAX_WORDS]

    def __bool__(self) -> bool:
        return bool(self._words)

    def matches(self, texts: Iterable[str]) -> bool:
        """Return True if the texts contain every word."""
        if not self._words:
            return True
        searched = _folded("\n".join(texts))
        return all(word in searched for word in self._words)


def _folded(text: str) -> str:
    return normalize("NFKC", text).casefold()
