"""Edits of JSON with comments that keep every other byte of the text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from saasus_mcp.clients import jsonc
from saasus_mcp.clients.jsonc import BYTE_ORDER_MARK, TOKEN, WHITESPACE, JsonChild, JsonNode

DEFAULT_INDENT = "  "


def put_value(text: str, path: tuple[str, ...], value: Any) -> str:
    """Return the text with the value at this path of keys. Missing objects on the path are created.

    Raises:
        JsonSyntaxError: the text is not JSON, or a value on the path is not an object.
    """
    if jsonc.is_blank(text):
        return text + json.dumps(_nest(path, value), ensure_ascii=False, indent=2) + "\n"
    node = jsonc.parse_jsonc(text)
    for depth, key in enumerate(path):
        if not isinstance(node.value, dict):
            raise jsonc.JsonSyntaxError(text, node.start)
        found = jsonc.find_member(node, key)
        if found is None:
            return _with_child(text, node, json.dumps(key) + ": ", _nest(path[depth + 1 :], value))
        node = found.node
    if node.value == value:
        return text
    is_one_line, indent = "\n" not in text.strip(), _line_indent(text, node.start)
    new = json.dumps(value, ensure_ascii=False) if is_one_line else _dumped(text, value, indent)
    return text[: node.start] + new + text[node.end :]


def append_item(text: str, path: tuple[str, ...], value: Any) -> str:
    """Return the text with one more item in the array at this path. A missing array is created.

    Raises:
        JsonSyntaxError: as `put_value`, or the value at the path is not an array.
    """
    node = _find(text, path)
    if node is None:
        return put_value(text, path, [value])
    if not isinstance(node.value, list):
        raise jsonc.JsonSyntaxError(text, node.start)
    return _with_child(text, node, "", value)


def remove_children(text: str, path: tuple[str, ...], selected: Callable[[JsonChild], bool]) -> str:
    """Return the text without the selected children of the container at this path: the reverse of `put_value` and `append_item`."""
    while (node := _find(text, path)) is not None:
        index = next((at for at, child in enumerate(node.children) if selected(child)), None)
        if index is None:
            break
        text = _without_child(text, node, index)
    return text


def _find(text: str, path: tuple[str, ...]) -> JsonNode | None:
    node = None if jsonc.is_blank(text) else jsonc.parse_jsonc(text)
    for key in path:
        found = jsonc.find_member(node, key) if node is not None else None
        node = found.node if found is not None else None
    return node


def _nest(path: tuple[str, ...], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _with_child(text: str, node: JsonNode, key: str, value: Any) -> str:
    """Return the text with one more child at the end of a container, formatted like the others."""
    if not node.children:
        return _with_first_child(text, node, key, value)
    last, start = node.children[-1], node.children[0].start
    behind = last.node.end if last.comma is None else last.comma + 1
    at = _after_comments(text, behind)
    if "\n" in text[node.start : start] or "//" in text[behind:at]:
        indent = _line_indent(text, start)
        child = _newline(text) + indent + key + _dumped(text, value, indent)
    else:
        child = f" {key}{json.dumps(value, ensure_ascii=False)}"
    if last.comma is None:
        return text[:behind] + "," + text[behind:at] + child + text[at:]
    return text[:at] + child + "," + text[at:]


def _with_first_child(text: str, node: JsonNode, key: str, value: Any) -> str:
    """Return the text with the first child of a container, after the comments in it."""
    outer, end = _line_indent(text, node.start), node.end - 1
    indent = outer + _indent_step(text)
    child = _newline(text) + indent + key + _dumped(text, value, indent)
    blank = text[node.start + 1 : end]
    if blank.strip(WHITESPACE):
        at = end - (len(blank) - len(blank.rstrip(WHITESPACE)))
        return text[:at] + child + text[at:]
    return text[: node.start + 1] + child + _newline(text) + outer + text[end:]


def _without_child(text: str, node: JsonNode, at: int) -> str:
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
    """Return the end of the comments that follow on the same line, or `at`."""
    end = at
    while (found := TOKEN.match(text, at)) is not None and found.lastgroup == "blank":
        if "\n" in found[0]:
            break
        at = found.end()
        if found[0].startswith("/"):
            end = at
    return end


def _dumped(text: str, value: Any, indent: str) -> str:
    lines = json.dumps(value, ensure_ascii=False, indent=_indent_step(text)).split("\n")
    return (_newline(text) + indent).join(lines)


def _line_indent(text: str, at: int) -> str:
    """Return the indentation of the line with this position."""
    line = text[text.rfind("\n", 0, at) + 1 : at].lstrip(BYTE_ORDER_MARK)
    return line[: len(line) - len(line.lstrip(" \t"))]


def _indent_step(text: str) -> str:
    """Return the indentation of the first indented line, or the default."""
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else DEFAULT_INDENT


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
