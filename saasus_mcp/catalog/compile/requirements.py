"""Check the requirements of a row of effects.yaml, and expand the shorthand `moment`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Row = dict[str, Any]

_KEYS = frozenset({"that", "when", "field", "read", "args", "en", "ja"})
VARIABLES = ("args", "now", "result", "status", "target")
"""The variables of `that` and `when`."""
_LIVE = re.compile(r"(?<![\w.])(?:target|status)\b")

_MILLISECONDS = {
    "en": "These are milliseconds. Send epoch seconds: divide by 1000.",
    "ja": "ミリ秒で指定されています。1000で割り、エポック秒で指定してください。",
}
_YEARS = {
    "en": "It must lie between the years 2000 and 2100, in epoch seconds.",
    "ja": "2000年から2100年までの日時を、エポック秒で指定してください。",
}
_BOUNDS = ((_MILLISECONDS, "{} < 100000000000"), (_YEARS, "{0} >= 946684800 && {0} < 4102444800"))
"""Text and expression of each bound on a time. Milliseconds come first, since their text is more specific."""


def expand_requirements(rows: list[Row]) -> list[Row]:
    """Expand the requirements of a row: join the texts, and mark those that depend on the current state."""
    return [_compile(each) for row in rows for each in (_moment(row["moment"]) if "moment" in row else (row,))]


def find_requirement_problems(rows: list[Row]) -> Iterator[str]:
    """Yield the problems of the requirements' keys as sentences."""
    for row in rows:
        if "moment" in row:
            yield from (
                () if row.keys() == {"moment"} else (f"requires has more keys beside the moment {row['moment']}",)
            )
            continue
        yield from (f"requires.{key} is unknown" for key in row if key not in _KEYS)
        yield from (f"requires.{key} is missing" for key in ("that", "en", "ja") if not isinstance(row.get(key), str))


def _moment(path: str) -> Iterator[Row]:
    """Yield the requirements that an argument, or a field in each item of it, is a time in epoch seconds."""
    argument, _, inner = path.partition("[].")
    for text, bound in _BOUNDS:
        each = bound.format(f"x.{inner}" if inner else f"args.{argument}")
        yield {"field": argument, "that": f"args.{argument}.all(x, {each})" if inner else each, **text}


def _compile(row: Mapping[str, Any]) -> Row:
    rest = {key: value for key, value in row.items() if key not in ("en", "ja")}
    live = "read" in row or bool(_LIVE.search(row["that"] + " " + row.get("when", "")))
    return {**rest, "text": {"en": row["en"], "ja": row["ja"]}, **({"live": True} if live else {})}
