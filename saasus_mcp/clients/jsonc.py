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
WHITESPACE = " \t\r\n"
BYTE_ORDER_MARK = "\ufeff"
MAX_DEPTH = 200


class JsonSyntaxError(ValueError):
    """The text is no JSON, and where it stops being it."""

    def __init__(self, text: str, at: int) -> None:
        before = text[:at]
        super().__init__(f"line {before.count(chr(10)) + 1}, column {at - before.rfind(chr(10))}")


@dataclass(frozen=True, slots=True)
class JsonToken:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A value and its place in the text; objects and arrays with what is in them."""

    start: int
    end: int
    value: Any
    children: tuple[JsonChild, ...] = ()


@dataclass(frozen=True, slots=True)
class JsonChild:
    """A member of an object, from its key on, or an item of an array; `comma` is the place of the one after it."""

    key: str | None
    start: int
    node: JsonNode
    comma: int | None


def parse_jsonc(text: str) -> JsonNode:
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

    def _scan(self) -> Iterator[JsonToken]:
        at = 0
        while at < len(self._text):
            found = TOKEN.match(self._text, at)
            if found is None:
                raise JsonSyntaxError(self._text, at)
            at = found.end()
            if found.lastgroup == "mark":
                yield JsonToken(found[0], found[0], found.start(), at)
            elif found.lastgroup != "blank":
                yield JsonToken(str(found.lastgroup), found[0], found.start(), at)
        yield JsonToken("end", "", at, at)

    def expect(self, *kinds: str) -> JsonToken:
        """The next token, which is one of these kinds."""
        token = self._next
        if token.kind not in kinds:
            raise JsonSyntaxError(self._text, token.start)
        if token.kind != "end":
            self._next = next(self._tokens)
        return token

    def value(self, depth: int) -> JsonNode:
        first = self.expect("{", "[", "string", "word")
        if depth > MAX_DEPTH:
            raise JsonSyntaxError(self._text, first.start)
        if first.kind in "{[":
            return self._container(first, depth)
        return JsonNode(first.start, first.end, self._scalar(first))

    def _scalar(self, token: JsonToken) -> Any:
        try:
            return json.loads(token.text)
        except ValueError:
            raise JsonSyntaxError(self._text, token.start) from None

    def _container(self, opening: JsonToken, depth: int) -> JsonNode:
        closing = "}" if opening.kind == "{" else "]"
        children: list[JsonChild] = []
        while self._next.kind != closing:
            if children and children[-1].comma is None:
                raise JsonSyntaxError(self._text, self._next.start)
            children.append(self._child(closing, depth))
        end = self.expect(closing).end
        value: Any = [child.node.value for child in children]
        if closing == "}":
            value = {child.key: child.node.value for child in children}
        return JsonNode(opening.start, end, value, tuple(children))

    def _child(self, closing: str, depth: int) -> JsonChild:
        start, key = self._next.start, None
        if closing == "}":
            key = self._scalar(self.expect("string"))
            self.expect(":")
        node = self.value(depth + 1)
        comma = self.expect(",").start if self._next.kind == "," else None
        return JsonChild(key, start, node, comma)


def find_member(node: JsonNode, key: str) -> JsonChild | None:
    """The member of an object that a reader of JSON would take: the last of that name."""
    return next((child for child in reversed(node.children) if child.key == key), None)


def is_blank(text: str) -> bool:
    """Whether there is nothing in the text, which clients take for an object without members."""
    return not text.strip(WHITESPACE + BYTE_ORDER_MARK)
