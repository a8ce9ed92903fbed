"""JSON with comments, trailing commas and a byte order mark, parsed into values with their positions in the text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.messages import message

TOKEN = re.compile(
    r"(?P<blank>[ \t\r\n\ufeff]+|//[^\r\n]*|/\*.*?\*/)"
    r'|(?P<string>"(?:[^"\\\x00-\x1f]|\\.)*")'
    r"|(?P<mark>[{}\[\]:,])"
    r"|(?P<word>-?[0-9][0-9.eE+-]*|true|false|null)",
    re.DOTALL,
)
WHITESPACE = " \t\r\n"
BYTE_ORDER_MARK = "\ufeff"
MAX_CONFIG_DEPTH = 200


class JsonSyntaxError(ValueError):
    """The text is not JSON. `reason` is the position of the error."""

    def __init__(self, text: str, position: int) -> None:
        before = text[:position]
        line, column = before.count("\n") + 1, position - before.rfind("\n")
        self.reason = message("clients.position", line=line, column=column)
        super().__init__(str(self.reason))


@dataclass(frozen=True, slots=True)
class JsonToken:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A value, its position in the text, and the children of an object or array."""

    start: int
    end: int
    value: Any
    children: tuple[JsonChild, ...] = ()


@dataclass(frozen=True, slots=True)
class JsonChild:
    """A member of an object, starting at its key, or an item of an array. `comma` is the position of the comma after it."""

    key: str | None
    start: int
    node: JsonNode
    comma: int | None


def parse_jsonc(text: str) -> JsonNode:
    """Return the root value. Raise JsonSyntaxError if the text is not JSON."""
    parser = _Parser(text)
    root = parser.value(0)
    parser.expect("end")
    return root


class _Parser:
    """A recursive descent parser with one token of lookahead."""

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
        """Consume and return the next token, which must have one of these kinds."""
        token = self._next
        if token.kind not in kinds:
            raise JsonSyntaxError(self._text, token.start)
        if token.kind != "end":
            self._next = next(self._tokens)
        return token

    def value(self, depth: int) -> JsonNode:
        first = self.expect("{", "[", "string", "word")
        if depth > MAX_CONFIG_DEPTH:
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
    """Return the last member with this key, which is the one that JSON parsers use."""
    return next((child for child in reversed(node.children) if child.key == key), None)


def is_blank(text: str) -> bool:
    """Return True for an empty text, which clients read as an empty object."""
    return not text.strip(WHITESPACE + BYTE_ORDER_MARK)
