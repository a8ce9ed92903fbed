"""Seeing that what a job is asked about exists, before it is begun."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from saasus_mcp.saasus.places import InvalidArguments

MOST_NAMED = 20


def require_known(argument: str, wanted: Iterable[Any], there: Sequence[Any]) -> None:
    """See that what is filtered by exists: an empty table would not say that it does not.

    Raises:
        InvalidArguments: it does not: what does.
    """
    for value in wanted:
        if value not in there:
            shown = ", ".join(map(str, there[:MOST_NAMED])) + (", …" if len(there) > MOST_NAMED else "")
            raise InvalidArguments((argument,), f"there is no {value!r}.", f"There are: {shown or 'none'}.")
