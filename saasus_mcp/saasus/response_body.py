"""Parse the JSON body of a response into values that any later JSON, log or model can represent."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from saasus_mcp.common.json_columns import Columns
from saasus_mcp.common.json_parts import parse_json
from saasus_mcp.common.json_tree import map_scalars, survey
from saasus_mcp.common.text import MARK

MAX_RESPONSE_DEPTH = 100
_TOO_DEEP = "nested too deeply"
_SURROGATE_ESCAPE = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_TAG_BYTES = re.compile(rb"\xf3\xa0(?:[\x80-\x83\x88-\xbf]|\x87[\xb0-\xbf])")
"""The beginning of a tag in UTF-8, which variation selectors are not."""
_TAGS = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)|[\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
"""A flag of a region, such as Scotland's; or a tag elsewhere. Nobody sees tags, but a model reads them as letters."""


class ParsedBody(NamedTuple):
    """The value of a body.

    Attributes:
        texts: its texts, keys and numbers, and what its lists are pieces of, each once.
        columns: by identity, the long lists whose items were looked at together.
    """

    value: Any
    texts: Collection[str]
    columns: Mapping[int, Columns]


def parse_body(raw: bytes) -> ParsedBody:
    """Return the content of a body.

    Lone surrogates, NUL characters and hidden tags are replaced. Numbers that JSON cannot represent become text.

    Raises:
        ValueError: the body is not JSON, or is nested too deeply.
    """
    try:
        value = parse_json(raw)
        found = survey(value, MAX_RESPONSE_DEPTH)
    except ValueError:  # what only the parser of Python reads, such as UTF-16 and lone surrogates, or what is no JSON
        found = None
    if found is None or found.infinite:
        value = _parse_slowly(raw)
        found = survey(value, MAX_RESPONSE_DEPTH)
    if found.too_deep:
        raise ValueError(_TOO_DEEP)
    if _may_need_replacing(raw):
        value = map_scalars(value, _replace_unsupported, keys=True)
        found = survey(value, MAX_RESPONSE_DEPTH)
    return ParsedBody(value, found.searched, found.columns)


def _parse_slowly(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=refuse_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def check_depth(value: Any) -> None:
    """Raise ValueError if a value is nested too deeply."""
    if survey(value, MAX_RESPONSE_DEPTH).too_deep:
        raise ValueError(_TOO_DEEP)


def _may_need_replacing(raw: bytes) -> bool:
    """Look for lone surrogates, NULs and tags: escaped, in UTF-8 or, by its NUL bytes, in another encoding.

    Copying a value takes longer than parsing it, so a body without them is not copied.
    """
    has_marks = b"\0" in raw or b"\xed" in raw
    return has_marks or _SURROGATE_ESCAPE.search(raw) is not None or _TAG_BYTES.search(raw) is not None


def _finite(text: str) -> float | str:
    """Return the number, or its text if it exceeds the range of floats."""
    number = float(text)
    return number if math.isfinite(number) else repr(number)


def _replace_unsupported(value: Any) -> Any:
    """Replace lone surrogates, which UTF-8 cannot represent, NUL, at which CEL expressions end a text, and hidden tags."""
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "replace").decode("utf-8").replace("\0", MARK)
    return _TAGS.sub(lambda found: found[1] or MARK, text)


def refuse_constant(name: str) -> Any:
    """Raise ValueError for NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(f"{name} is not JSON")
