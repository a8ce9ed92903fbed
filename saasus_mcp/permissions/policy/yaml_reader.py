"""A strict YAML reader: every value has its line, and ambiguous input is refused.

Refused are tags, anchors, further documents, duplicate keys, invisible characters, and large or deep input. Dates stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from saasus_mcp.common.messages import Parameter, message
from saasus_mcp.common.private_files import UnsafeFile, read_provided_file
from saasus_mcp.common.system_reasons import os_reason, yaml_reason
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.policy.errors import PolicyError, PolicyFault

MAX_BYTES = 256 * 1024
FILE_FAULTS = {"large": "too_big", "writable": "open"}
MAX_POLICY_DEPTH = 16
DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]{0,63})")
"""How a whole number must be written: YAML 1.1 reads 010 to the base of 8 and 1:30 to that of 60, and YAML 1.2 does not."""
FRACTION = re.compile(r"[-+]?([0-9]{1,64}\.[0-9]{0,64}|\.[0-9]{1,64})([eE][-+][0-9]{1,2})?")
"""How another number must be written: not to the base of 60, without `_`, and finite."""
FULL_WIDTH = re.compile("[ -]*(?:[A-Za-z_][A-Za-z_-]*)?([\u3000\u00a0\uff1a])")
"""A line that begins with a blank that is no space, or with a key before a full-width colon, as Japanese input writes them."""
TAG_PREFIX = "tag:yaml.org,2002:"

DocumentPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """The content of a file.

    Attributes:
        value: plain lists, dicts and scalars.
        lines: the line of every value (of its key, in an object), by path.
        blocks: paths of texts that start on the next line (`|` and `>`).
    """

    value: Any
    lines: dict[DocumentPath, int]
    blocks: frozenset[DocumentPath] = frozenset()

    def line(self, *steps: str | int) -> int:
        """Return the line of a value, or of its nearest parent."""
        while steps and steps not in self.lines:
            steps = steps[:-1]
        return self.lines.get(steps, 1)


def read_document(file: Path, content: bytes | None = None) -> PolicyDocument:
    """Return the document in a file, or in its content if that was read before.

    Raises:
        PolicyError: the file is unreadable, not YAML, or uses a refused feature.
    """
    text = _text(file, read_content(file) if content is None else content)
    try:
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return _DocumentBuilder(events).build()
    except _Unaccepted as error:
        raise PolicyError(file, [error.fault]) from None
    except yaml.MarkedYAMLError as error:
        raise PolicyError(file, [_syntax_fault(text.splitlines(), error)]) from None
    except yaml.YAMLError:
        raise PolicyError(file, [PolicyFault(0, "not_yaml", {"why": message("policy.unexpected_end")})]) from None


def _syntax_fault(lines: list[str], error: yaml.MarkedYAMLError) -> PolicyFault:
    """Return the fault of a text that is not YAML: the common mistakes by name, the others as the parser sees them."""
    why = yaml_reason(error.problem) if error.problem else message("policy.unexpected_end")
    if error.problem_mark is None:
        return PolicyFault(0, "not_yaml", {"why": why})
    at = min(error.problem_mark.line, len(lines) - 1)  # the parser reports an unclosed value after the last line
    if re.search("alias|anchor", error.context or ""):  # a bare `*` is half an alias
        return PolicyFault(at + 1, "anchor")
    for number in (at, at - 1):
        line = lines[number] if number >= 0 else ""
        if "\t" in line[: len(line) - len(line.lstrip(" \t-"))]:
            return PolicyFault(number + 1, "tab")
        if found := FULL_WIDTH.match(line):
            return PolicyFault(number + 1, "full_width", _code(found[1]))
    return PolicyFault(at + 1, "colon" if why.id == "system.yaml.colon" else "not_yaml", {"why": why})


def _code(character: str) -> dict[str, Parameter]:
    return {"code": f"U+{ord(character):04X}"}


def read_content(file: Path) -> bytes:
    """Return the bytes of a policy file. Raise PolicyError if the file is unreadable, too large, or others can change it."""
    try:
        return read_provided_file(file, MAX_BYTES)
    except UnsafeFile as error:
        raise PolicyError(
            file, [PolicyFault(0, FILE_FAULTS.get(error.flaw, "not_file"), {"most": str(MAX_BYTES // 1024)})]
        ) from None
    except OSError as error:
        raise PolicyError(
            file,
            [PolicyFault(0, "unreadable", {"why": os_reason(error) if error.errno else message("policy.not_a_file")})],
        ) from None


def _text(file: Path, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise PolicyError(file, [PolicyFault(raw[: error.start].count(b"\n") + 1, "not_text")]) from None
    shown = visible_text(text)
    if shown != text:
        place = next(at for at, (mine, seen) in enumerate(zip(text, shown, strict=True)) if mine != seen)
        line = text.count("\n", 0, place) + 1
        raise PolicyError(file, [PolicyFault(line, "invisible", _code(text[place]))])
    return text


class _Unaccepted(Exception):
    def __init__(self, event: Event, what: str, **params: Parameter) -> None:
        super().__init__(what)
        self.fault = PolicyFault(_line(event), what, params)


@dataclass(slots=True)
class _DocumentBuilder:
    """Builds a document from the parser's events, in one pass."""

    events: Iterator[Any]
    lines: dict[DocumentPath, int] = field(default_factory=dict)
    blocks: set[DocumentPath] = field(default_factory=set)

    def build(self) -> PolicyDocument:
        next(self.events)  # the stream starts
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return PolicyDocument(None, {})
        value = self._value(next(self.events), ())
        next(self.events)  # the document ends
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _Unaccepted(after, "documents")
        return PolicyDocument(value, self.lines, frozenset(self.blocks))

    def _value(self, event: Any, steps: DocumentPath) -> Any:
        self.lines.setdefault(steps, _line(event))
        if isinstance(event, AliasEvent) or event.anchor:
            raise _Unaccepted(event, "anchor")
        if event.tag is not None:
            raise _Unaccepted(event, "tag", tag=str(event.tag)[:40])
        if len(steps) > MAX_POLICY_DEPTH:
            raise _Unaccepted(event, "deep")
        if isinstance(event, MappingStartEvent):
            return self._mapping(steps)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(steps)
        if event.style in ("|", ">"):
            self.blocks.add(steps)
        return _scalar(event)

    def _mapping(self, steps: DocumentPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise _Unaccepted(event, "anchor" if isinstance(event, AliasEvent) else "key")
            if event.anchor or event.tag is not None:
                raise _Unaccepted(event, "anchor" if event.anchor else "key")
            key, place = event.value, (*steps, event.value)
            if not event.style and (blank := FULL_WIDTH.match(key)):
                raise _Unaccepted(event, "full_width", **_code(blank[1]))
            if key in found:
                raise _Unaccepted(event, "duplicate_key", key=key[:80], first=str(self.lines[place]))
            self.lines[place] = _line(event)
            found[key] = self._value(next(self.events), place)
        return found

    def _sequence(self, steps: DocumentPath) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            found.append(self._value(event, (*steps, len(found))))
        return found


def _scalar(event: ScalarEvent) -> str | int | float | bool | None:
    """Return the value of a scalar, as YAML 1.1 resolves it."""
    kind = _kind(event)
    wanted = {"int": DECIMAL, "float": FRACTION}.get(kind)
    if wanted is not None and not wanted.fullmatch(event.value):
        raise _Unaccepted(event, "decimal", given=event.value)
    match kind:
        case "null":
            return None
        case "bool":
            return bool(SafeConstructor().construct_yaml_bool(yaml.ScalarNode(TAG_PREFIX + kind, event.value)))
        case "int":
            return int(event.value)
        case "float":
            return float(event.value)
        case _:
            return str(event.value)


def _kind(event: ScalarEvent) -> str:
    resolver: Any = Resolver()  # its stubs leave a hole
    return str(resolver.resolve(yaml.ScalarNode, event.value, event.implicit)).removeprefix(TAG_PREFIX)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
