"""Finding what a job is asked about, by id or by what people call it, before it is begun."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.jobs.name_index import CellError, K, NameIndex


def resolve_names(argument: str, wanted: Iterable[Any], what: str, names: Mapping[K, Sequence[str]]) -> list[K]:
    """The ids of what is wanted: an empty table would not say that it does not exist.

    Args:
        what: what they are, in English.
        names: by id, the names of what there is.

    Raises:
        InvalidArguments: it does not exist, or several things are called so.
    """
    index = NameIndex(what, names)
    try:
        return list(dict.fromkeys(index.resolve(str(value), argument) for value in wanted))
    except CellError as fault:
        raise InvalidArguments((argument,), f"{fault.message}.", fault.hint) from None


def names_by_id(answer: Mapping[str, Any], items: str, key: str) -> dict[Any, list[str]]:
    """By id, the names of what a list in an answer holds."""
    names = ("name", "display_name", "unit_name", "role_name", "attribute_name")
    return {each[key]: [each[name] for name in names if each.get(name)] for each in answer.get(items, [])}
