"""The requirements of a row of effects: their vocabulary, and the shorthand `moment` written out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Row = dict[str, Any]

REQUIREMENT = frozenset({"that", "when", "field", "read", "args", "en", "ja"})
OVER = ("args", "now", "result", "status", "target")
"""What `that` and `when` may speak of."""
LIVE = re.compile(r"(?<![\w.])(?:target|status)\b")

SECONDS = {
    "en": "These are milliseconds. Send epoch seconds: divide by 1000.",
    "ja": "ミリ秒で指定されています。1000で割り、エポック秒で指定してください。",
}
YEARS = {
    "en": "It must lie between the years 2000 and 2100, in epoch seconds.",
    "ja": "2000年から2100年までの日時を、エポック秒で指定してください。",
}
BOUNDS = ((SECONDS, "{} < 100000000000"), (YEARS, "{0} >= 946684800 && {0} < 4102444800"))
"""What a moment is: text and expression, milliseconds first so that they are called by their name."""


def expand_requirements(rows: list[Row]) -> list[Row]:
    """The requirements of a row, each with its texts in one place and whether it speaks of what is there now."""
    return [_compiled(each) for row in rows for each in (_moment(row["moment"]) if "moment" in row else (row,))]


def find_requirement_problems(rows: list[Row]) -> Iterator[str]:
    """What is wrong with their keys, in words."""
    for row in rows:
        if "moment" in row:
            yield from () if row.keys() == {"moment"} else (f"requires says more of the moment {row['moment']}",)
            continue
        yield from (f"requires.{key} is not known" for key in row if key not in REQUIREMENT)
        yield from (f"requires.{key} is missing" for key in ("that", "en", "ja") if not isinstance(row.get(key), str))


def _moment(path: str) -> Iterator[Row]:
    """That an argument, or a field in each item of one, is a moment in epoch seconds."""
    argument, _, below = path.partition("[].")
    for text, bound in BOUNDS:
        each = bound.format(f"x.{below}" if below else f"args.{argument}")
        yield {"field": argument, "that": f"args.{argument}.all(x, {each})" if below else each, **text}


def _compiled(row: Mapping[str, Any]) -> Row:
    kept = {key: value for key, value in row.items() if key not in ("en", "ja")}
    live = "read" in row or bool(LIVE.search(row["that"] + " " + row.get("when", "")))
    return {**kept, "text": {"en": row["en"], "ja": row["ja"]}, **({"live": True} if live else {})}
