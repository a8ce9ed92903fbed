"""Arguments that an earlier step's answer gives: where they stand among the others, and putting them there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def fill_placeholders(arguments: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with values in their places: `name`, or `name.0` for an item of a list that is long enough."""
    whole = dict(arguments)
    for place, value in values.items():
        name, _, index = place.partition(".")
        if index:
            items = list(whole[name])
            items[int(index)] = value
            whole[name] = items
        else:
            whole[name] = value
    return whole


def argument_at(arguments: Mapping[str, Any], place: str) -> Any:
    """The value in a place; None where it is not there."""
    name, _, index = place.partition(".")
    value = arguments.get(name)
    if not index:
        return value
    return value[int(index)] if isinstance(value, list) and int(index) < len(value) else None
