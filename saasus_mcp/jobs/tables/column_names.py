"""Columns by the headings that people write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from saasus_mcp.common.language import Text
from saasus_mcp.common.text import fold_name, nearest_names

MAX_HEADING = 100


class ColumnNames:
    """Finds columns by heading, however case, width, spaces, hyphens and underscores are written.

    Args:
        headings: other headings, by column.
        prefixes: other prefixes, by the prefix of columns whose rest is a name, such as `attribute.`.
    """

    def __init__(
        self, headings: Mapping[str, Sequence[str]], prefixes: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._japanese = {
            name: next((each for each in others if not each.isascii()), "")
            for name, others in (*headings.items(), *(prefixes or {}).items())
        }
        self._columns = {_fold(each): name for name, others in headings.items() for each in (*others, name)}
        self._prefixes = {
            fold_name(each): name for name, others in (prefixes or {}).items() for each in (name, *others)
        }

    def find(self, heading: str) -> str:
        """Return the column that a heading names; the heading itself if it is unknown."""
        heading = heading.strip()
        for prefix, name in self._prefixes.items():
            if fold_name(heading[: len(prefix)]) == prefix:
                return name + heading[len(prefix) :].strip()
        return self._columns.get(_fold(heading), heading)

    def shown(self, column: str, rest: str = "") -> Text:
        """Return a column, or a prefix with `rest`, as an error lists it: in Japanese with its Japanese heading."""
        japanese = self._japanese.get(column, "")
        return Text(column + rest, f"{column}{rest}({japanese}{rest})" if japanese else column + rest)

    def first(self, column: str, headings: Sequence[str]) -> str | None:
        """Return the heading that names a column; of several, the one whose spelling comes first for this column."""
        written = {_fold(heading): heading for heading in reversed(headings)}
        return next((written[name] for name, of in self._columns.items() if of == column and name in written), None)

    def nearest(self, heading: str, known: Iterable[str]) -> str | None:
        """Return the known column or heading that resembles an unknown one the most."""
        spellings = {**self._columns, **{_fold(name): name for name in known}}
        near = nearest_names(_fold(heading[:MAX_HEADING]), spellings, 1)
        return spellings[near[0]] if near else None


def _fold(heading: str) -> str:
    folded = fold_name(heading)
    return "".join(letter for letter in folded if not letter.isspace() and letter not in "_-")
