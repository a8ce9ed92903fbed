"""Which path values would reach another operation's route, found by comparing every pair of templates."""

from __future__ import annotations

from collections.abc import Iterable


def ambiguous_values(method: str, path: str, routes: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """The combinations of this route's path values with which the request would match another route.

    Args:
        method, path: this route, e.g. `GET`, `/v1/auth/users/{user_id}`.
        routes: method and template of every route of the API, this one among them.

    Returns:
        One mapping a colliding route, of parameter to value: `{"user_id": "search"}`. A call is ambiguous when all the
        values of one mapping are met. Minimal: a mapping that contains another one is left out.
    """
    found: list[dict[str, str]] = []
    for other_method, other in routes:
        if other_method == method and other != path:
            values = _collision(path.split("/"), other.split("/"))
            if values and values not in found:
                found.append(values)
    return [values for values in found if not any(less.items() < values.items() for less in found)]


def _collision(mine: list[str], theirs: list[str]) -> dict[str, str] | None:
    if len(mine) != len(theirs):
        return None
    values: dict[str, str] = {}
    for own, other in zip(mine, theirs, strict=True):
        if own == other or (other.startswith("{") and not own.startswith("{")):
            continue
        if not own.startswith("{"):
            return None
        if not other.startswith("{"):
            values[own.strip("{}")] = other
    return values or None
