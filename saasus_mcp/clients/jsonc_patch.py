"""JSON with comments, edited in place: whatever is not touched stays as it was, byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from saasus_mcp.clients import jsonc
from saasus_mcp.clients.jsonc import BYTE_ORDER_MARK, TOKEN, WHITESPACE, JsonChild, JsonNode

DEFAULT_INDENT = "  "


def put_value(text: str, path: tuple[str, ...], value: Any) -> str:
    """The text with the value at this path of member names; what is missing on the way is made.

    Raises:
        NotJson: the text is no JSON, or something on the way is no object.
    """
    if jsonc.is_blank(text):
        return text + json.dumps(_nested(path, value), ensure_ascii=False, indent=2) + "\n"
    node = jsonc.parse_jsonc(text)
    for depth, key in enumerate(path):
        if not isinstance(node.value, dict):
            raise jsonc.JsonSyntaxError(text, node.start)
        found = jsonc.find_member(node, key)
        if found is None:
            return _added(text, node, json.dumps(key) + ": ", _nested(path[depth + 1 :], value))
        node = found.node
    if node.value == value:
        return text
    return text[: node.start] + _written(text, node.start, value) + text[node.end :]


def append_item(text: str, path: tuple[str, ...], value: Any) -> str:
    """The text with one more item in the array at this path, which is made where there is none.

    Raises:
        NotJson: as `put`, or there is something else than an array.
    """
    node = jsonc.parse_jsonc(text) if not jsonc.is_blank(text) else None
    for key in path:
        found = jsonc.find_member(node, key) if node is not None else None
        node = found.node if found is not None else None
    if node is None:
        return put_value(text, path, [value])
    if not isinstance(node.value, list):
        raise jsonc.JsonSyntaxError(text, node.start)
    return _added(text, node, "", value)


def remove_children(text: str, path: tuple[str, ...], is_ours: Callable[[JsonChild], bool]) -> str:
    """The text without the members or items of the container at this path that are ours: undoes `put` and `append`."""
    while not jsonc.is_blank(text):
        node: JsonNode | None = jsonc.parse_jsonc(text)
        for key in path:
            found = jsonc.find_member(node, key) if node is not None else None
            node = found.node if found is not None else None
        ours = next((at for at, child in enumerate(node.children) if is_ours(child)), None) if node else None
        if node is None or ours is None:
            break
        text = _without(text, node, ours)
    return text


def _nested(path: tuple[str, ...], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _added(text: str, node: JsonNode, key: str, value: Any) -> str:
    """The text with one more child at the end of a container, in the way of those before it."""
    if not node.children:
        return _first(text, node, key, value)
    last, start = node.children[-1], node.children[0].start
    behind = last.node.end if last.comma is None else last.comma + 1
    at = _after_comments(text, behind)
    if "\n" in text[node.start : start] or "//" in text[behind:at]:
        indent = _line_indent(text, start)
        said = _newline(text) + indent + key + _dumped(text, value, indent)
    else:
        said = f" {key}{json.dumps(value, ensure_ascii=False)}"
    if last.comma is None:
        return text[:behind] + "," + text[behind:at] + said + text[at:]
    return text[:at] + said + "," + text[at:]


def _first(text: str, node: JsonNode, key: str, value: Any) -> str:
    """The text with the first child of a container; comments in it stay in front."""
    outer, end = _line_indent(text, node.start), node.end - 1
    indent = outer + _step(text)
    said = _newline(text) + indent + key + _dumped(text, value, indent)
    blank = text[node.start + 1 : end]
    if blank.strip(WHITESPACE):
        at = end - (len(blank) - len(blank.rstrip(WHITESPACE)))
        return text[:at] + said + text[at:]
    return text[: node.start + 1] + said + _newline(text) + outer + text[end:]


def _without(text: str, node: JsonNode, at: int) -> str:
    child = node.children[at]
    before = node.children[at - 1] if at else None
    start = child.start
    while text[start - 1] in WHITESPACE:
        start -= 1
    if child.comma is not None:
        return text[:start] + text[child.node.end : child.comma] + text[child.comma + 1 :]
    rest = text[child.node.end :]
    if before is None or before.comma is None:
        return text[:start] + rest
    return text[: before.comma] + text[before.comma + 1 : start] + rest


def _after_comments(text: str, at: int) -> int:
    """The end of the comments that follow on the same line, else the place itself."""
    end = at
    while (found := TOKEN.match(text, at)) is not None and found.lastgroup == "blank":
        if "\n" in found[0]:
            break
        at = found.end()
        if found[0].startswith("/"):
            end = at
    return end


def _written(text: str, start: int, value: Any) -> str:
    """A value in the place of another one."""
    if "\n" not in text.strip():
        return json.dumps(value, ensure_ascii=False)
    return _dumped(text, value, _line_indent(text, start))


def _dumped(text: str, value: Any, indent: str) -> str:
    lines = json.dumps(value, ensure_ascii=False, indent=_step(text)).split("\n")
    return (_newline(text) + indent).join(lines)


def _line_indent(text: str, at: int) -> str:
    """The blanks at the beginning of the line that holds this place."""
    line = text[text.rfind("\n", 0, at) + 1 : at].lstrip(BYTE_ORDER_MARK)
    return line[: len(line) - len(line.lstrip(" \t"))]


def _step(text: str) -> str:
    """What the text indents by: the first indented line says."""
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else DEFAULT_INDENT


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
