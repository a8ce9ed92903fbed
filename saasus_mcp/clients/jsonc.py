"""Reading JSON as clients accept it, with comments, trailing commas and a byte order mark: each value with its place in the text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
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
MARK = "\ufeff"
DEEPEST = 200


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


def empty(text: str) -> bool:
    """Whether there is nothing in the text, which clients take for an object without members."""
    return not text.strip(BLANK + MARK)
