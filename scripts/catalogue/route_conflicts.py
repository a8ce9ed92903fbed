"""Find path values that match another operation's route, or that are words of the API, by comparing templates."""

from __future__ import annotations

from collections.abc import Iterable


def refused_values(method: str, path: str, routes: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Return the combinations of path values with which a call of this route is refused, each once."""
    known = list(routes)
    ambiguous = ambiguous_values(method, path, known)
    return [*ambiguous, *(each for each in words_for_all(path, (other for _, other in known)) if each not in ambiguous)]


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


def words_for_all(path: str, paths: Iterable[str]) -> list[dict[str, str]]:
    """Return the words that a route which begins like this one, under any verb, has in place of an id: `all` in `/tenants/all/users`.

    They stand for every id there, and nothing documents that a change with such a word reaches none.
    """
    segments, words = path.split("/"), list[dict[str, str]]()
    for other in (each.split("/") for each in paths):
        differing = [at for at, (own, its) in enumerate(zip(segments, other, strict=False)) if own != its]
        if len(differing) == 1 and differing[0] + 1 < len(other) <= len(segments):
            name, word = segments[differing[0]], other[differing[0]]
            if name.startswith("{") and not word.startswith("{") and {name.strip("{}"): word} not in words:
                words.append({name.strip("{}"): word})
    return words


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
