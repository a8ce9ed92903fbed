"""Find path values that match another operation's route, by comparing every pair of templates."""

from __future__ import annotations

from collections.abc import Iterable


def ambiguous_values(method: str, path: str, routes: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Return the combinations of this route's path values that match another route.

    Args:
        method, path: this route, e.g. `GET`, `/v1/auth/users/{user_id}`.
        routes: method and template of every route of the API, including this one.

    Returns:
        For each colliding route a mapping of parameter to value: `{"user_id": "search"}`. A call is ambiguous if it has all
        values of one mapping. A mapping that contains another one is omitted.
    """
    collisions: list[dict[str, str]] = []
    for other_method, other in routes:
        if other_method == method and other != path:
            values = _collision(path.split("/"), other.split("/"))
            if values and values not in collisions:
                collisions.append(values)
    return [values for values in collisions if not any(less.items() < values.items() for less in collisions)]


def _collision(segments: list[str], others: list[str]) -> dict[str, str] | None:
    if len(segments) != len(others):
        return None
    values: dict[str, str] = {}
    for own, other in zip(segments, others, strict=True):
        if own == other or (other.startswith("{") and not own.startswith("{")):
            continue
        if not own.startswith("{"):
            return None
        if not other.startswith("{"):
            values[own.strip("{}")] = other
    return values or None
