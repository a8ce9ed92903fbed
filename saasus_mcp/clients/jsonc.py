"""JSON with comments, edited in place: whatever is not touched stays as it was, byte for byte.

Reads what clients accept (comments, trailing commas, a byte order mark) and keeps each value's place in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(
    r"(?P<blank>[ \t\r\n\ufeff]+|//[^\r\n]*|/\*.*?\*/)"
    r'|(?P<string>"(?:[^"\\\x00-\x1f]|\\.)*")'
    r"|(?P<mark>[{}\[\]:,])"
    r"|(?P<word>-?[0-9][0-9.eE+-]*|true|false|null)",
    re.DOTALL,
)
BLANK = " \t\r\n"
DEEPEST = 200
USUAL_STEP = "  "


class NotJson(ValueError):
    """The text is no JSON, and where it stops being it."""

    def __init__(self, text: str, at: int) -> None:
        before = text[:at]
        super().__init__(f"line {before.count(chr(10)) + 1}, column {at - before.rfind(chr(10))}")


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place in the text; objects and arrays with what is in them."""

    start: int
    end: int
    value: Any
    children: tuple[Child, ...] = ()


@dataclass(frozen=True, slots=True)
class Child:
    """A member of an object, from its key on, or an item of an array; `comma` is the place of the one after it."""

    key: str | None
    start: int
    node: Node
    comma: int | None


def parse(text: str) -> Node:
    """The root value.

    Raises:
        NotJson: it is none.
    """
    reader = _Reader(text)
    root = reader.value(0)
    reader.expect("end")
    return root


class _Reader:
    """Reads a text from its beginning, one token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._scan()
        self._next = next(self._tokens)

    def _scan(self) -> Iterator[Token]:
        at = 0
        while at < len(self._text):
            found = TOKEN.match(self._text, at)
            if found is None:
                raise NotJson(self._text, at)
            at = found.end()
            if found.lastgroup == "mark":
                yield Token(found[0], found[0], found.start(), at)
            elif found.lastgroup != "blank":
                yield Token(str(found.lastgroup), found[0], found.start(), at)
        yield Token("end", "", at, at)

    def expect(self, *kinds: str) -> Token:
        """The next token, which is one of these kinds."""
        token = self._next
        if token.kind not in kinds:
            raise NotJson(self._text, token.start)
        if token.kind != "end":
            self._next = next(self._tokens)
        return token

    def value(self, depth: int) -> Node:
        first = self.expect("{", "[", "string", "word")
        if depth > DEEPEST:
            raise NotJson(self._text, first.start)
        if first.kind in "{[":
            return self._container(first, depth)
        return Node(first.start, first.end, self._scalar(first))

    def _scalar(self, token: Token) -> Any:
        try:
            return json.loads(token.text)
        except ValueError:
            raise NotJson(self._text, token.start) from None

    def _container(self, opening: Token, depth: int) -> Node:
        closing = "}" if opening.kind == "{" else "]"
        children: list[Child] = []
        while self._next.kind != closing:
            if children and children[-1].comma is None:
                raise NotJson(self._text, self._next.start)
            children.append(self._child(closing, depth))
        end = self.expect(closing).end
        value: Any = [child.node.value for child in children]
        if closing == "}":
            value = {child.key: child.node.value for child in children}
        return Node(opening.start, end, value, tuple(children))

    def _child(self, closing: str, depth: int) -> Child:
        start, key = self._next.start, None
        if closing == "}":
            key = self._scalar(self.expect("string"))
            self.expect(":")
        node = self.value(depth + 1)
        comma = self.expect(",").start if self._next.kind == "," else None
        return Child(key, start, node, comma)


def member(node: Node, key: str) -> Child | None:
    """The member of an object that a reader of JSON would take: the last of that name."""
    return next((child for child in reversed(node.children) if child.key == key), None)


def put(text: str, path: tuple[str, ...], value: Any) -> str:
    """The text with the value at this path of member names; what is missing on the way is made.

    Raises:
        NotJson: the text is no JSON, or something on the way is no object.
    """
    if not text.strip(BLANK + "\ufeff"):
        return text + json.dumps(_nested(path, value), ensure_ascii=False, indent=2) + "\n"
    node = parse(text)
    for depth, key in enumerate(path):
        if not isinstance(node.value, dict):
            raise NotJson(text, node.start)
        found = member(node, key)
        if found is None:
            return _added(text, node, json.dumps(key) + ": ", _nested(path[depth + 1 :], value))
        node = found.node
    if node.value == value:
        return text
    return text[: node.start] + _written(text, node.start, value) + text[node.end :]


def append(text: str, path: tuple[str, ...], value: Any) -> str:
    """The text with one more item in the array at this path, which is made where there is none.

    Raises:
        NotJson: as `put`, or there is something else than an array.
    """
    node = parse(text) if text.strip(BLANK + "\ufeff") else None
    for key in path:
        found = member(node, key) if node is not None else None
        node = found.node if found is not None else None
    if node is None:
        return put(text, path, [value])
    if not isinstance(node.value, list):
        raise NotJson(text, node.start)
    return _added(text, node, "", value)


def remove(text: str, path: tuple[str, ...], is_ours: Callable[[Child], bool]) -> str:
    """The text without the members or items of the container at this path that are ours: undoes `put` and `append`."""
    while text.strip(BLANK + "\ufeff"):
        node: Node | None = parse(text)
        for key in path:
            found = member(node, key) if node is not None else None
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


def _added(text: str, node: Node, key: str, value: Any) -> str:
    """The text with one more child at the end of a container."""
    outer = _line_indent(text, node.start)
    if not node.children:
        blank, step = text[node.start + 1 : node.end - 1], _step(text)
        if blank.strip(BLANK):  # comments and nothing else: they stay in front
            at = node.end - 1 - (len(blank) - len(blank.rstrip(BLANK)))
            return text[:at] + _newline(text) + outer + step + key + _dumped(text, value, outer + step) + text[at:]
        inner = _newline(text) + outer + step
        body = inner + key + _dumped(text, value, outer + step) + _newline(text) + outer
        return text[: node.start + 1] + body + text[node.end - 1 :]
    last = node.children[-1]
    start = node.children[0].start
    own_line = "\n" in text[node.start : start]
    lead = _newline(text) + _line_indent(text, start) if own_line else " "
    said = _dumped(text, value, _line_indent(text, start)) if own_line else json.dumps(value, ensure_ascii=False)
    at = _after_comments(text, last.node.end if last.comma is None else last.comma + 1)
    if last.comma is None:
        return text[: last.node.end] + "," + text[last.node.end : at] + lead + key + said + text[at:]
    return text[:at] + lead + key + said + "," + text[at:]


def _without(text: str, node: Node, at: int) -> str:
    child = node.children[at]
    before = node.children[at - 1] if at else None
    start = child.start
    while text[start - 1] in BLANK:
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
    line = text[text.rfind("\n", 0, at) + 1 : at].lstrip("\ufeff")
    return line[: len(line) - len(line.lstrip(" \t"))]


def _step(text: str) -> str:
    """What the text indents by: the first indented line says."""
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else USUAL_STEP


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
