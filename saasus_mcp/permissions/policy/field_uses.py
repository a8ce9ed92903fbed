"""Which fields of its variables a condition uses, read from its syntax tree: not from its text, which can be written in many ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

FieldPath = tuple[str | None, ...]
"""A variable and the steps into it, such as `("args", "envs", None, "id")`. None stands for any item of a list."""
MESSAGE_FIELD = 2
"""The field of `google.protobuf.Any` with the message."""
EXPRESSION = 4
"""The field of `cel.expr.CheckedExpr` with the syntax tree."""
CONSTANT, IDENTIFIER, SELECT, CALL, LIST, STRUCT, COMPREHENSION = 3, 4, 5, 6, 7, 8, 9
"""The fields of `cel.expr.Expr`, one of which an expression has."""
STRING_CONSTANT = 6
_VARINT, _FIXED_64, _BYTES = 0, 1, 2

ProtoFields = Mapping[int, list[bytes | int]]
"""The fields of a message of protocol buffers, by number."""


@dataclass(frozen=True, slots=True)
class FieldUses:
    """The fields that a condition uses.

    Attributes:
        read: every field, also one that is only tested.
        tested: those whose existence it asks for.
    """

    read: set[FieldPath] = field(default_factory=set)
    tested: set[FieldPath] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _NameScope:
    """What names stand for: the paths of variables and items, texts of a list, and variables whose keys they run over."""

    paths: Mapping[str, FieldPath]
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keys: Mapping[str, FieldPath] = field(default_factory=dict)

    def with_name(self, name: str, node: ProtoFields) -> _NameScope:
        """Return the scope of a loop over an expression."""
        paths = {each: path for each, path in self.paths.items() if each != name}
        keys = {each: path for each, path in self.keys.items() if each != name}
        texts = {each: items for each, items in self.texts.items() if each != name}
        path, items = self.path(node), self.literals(node)
        if path is not None and len(path) == 1:
            keys[name] = path
        elif path is not None:
            paths[name] = (*path, None)
        elif items:
            texts[name] = items
        return _NameScope(paths, texts, keys)

    def path(self, node: ProtoFields) -> FieldPath | None:
        """Return the path that an expression stands for."""
        if IDENTIFIER in node:
            return self.paths.get(_name(node))
        if SELECT in node:
            select = _message(node, SELECT)
            path = self.path(_message(select, 1))
            return None if path is None or select.get(3) else (*path, _text(select, 2))
        if COMPREHENSION in node:
            return self._path_of_filter(_message(node, COMPREHENSION))
        function, arguments = _call(node)
        if function == "dyn":
            return self.path(arguments[0])
        if function != "_[_]" or (path := self.path(arguments[0])) is None:
            return None
        return (*path, next(iter(self.literals(arguments[1])), None))

    def _path_of_filter(self, loop: ProtoFields) -> FieldPath | None:
        """Return the path of a list of which a loop keeps some items, `step` being `condition ? kept + [item] : kept`."""
        name, over, step = _text(loop, 1), _message(loop, 2), _call(_message(loop, 6))[1]
        added = _call(step[1])[1] if len(step) > 1 else []
        items = _message(added[1], LIST).get(1, []) if len(added) > 1 else []
        return self.path(over) if [_name(_parse(item)) for item in items] == [name] else None

    def literals(self, node: ProtoFields) -> tuple[str, ...]:
        """Return the texts that an expression can be: a literal, the items of a list of literals, or a name for one."""
        if IDENTIFIER in node:
            return self.texts.get(_name(node), ())
        if CONSTANT in node:
            constant = _message(node, CONSTANT)
            return (_text(constant, STRING_CONSTANT),) if STRING_CONSTANT in constant else ()
        items = _message(node, LIST).get(1, []) if LIST in node else []
        return tuple(text for item in items for text in self.literals(_parse(item)))


def find_field_uses(serialized: bytes, variables: tuple[str, ...]) -> FieldUses:
    """Return the fields of these variables that a serialized expression uses."""
    uses = FieldUses()
    tree = _message(_message(_parse(serialized), MESSAGE_FIELD), EXPRESSION)
    _walk(tree, _NameScope({name: (name,) for name in variables}), uses)
    return uses


def _walk(node: ProtoFields, scope: _NameScope, uses: FieldUses) -> None:
    for path, tested in _uses_of(node, scope):
        uses.read.add(path)
        if tested:
            uses.tested.add(path)
    if COMPREHENSION in node:
        loop = _message(node, COMPREHENSION)
        _walk(_message(loop, 2), scope, uses)
        scope = scope.with_name(_text(loop, 1), _message(loop, 2))
        for part in (4, 5, 6, 7):
            _walk(_message(loop, part), scope, uses)
        return
    if SELECT in node:
        _walk(_message(_message(node, SELECT), 1), scope, uses)
    for each in (*_call(node)[1], *map(_parse, _message(node, LIST).get(1, []) if LIST in node else ())):
        _walk(each, scope, uses)
    for entry in map(_parse, _message(node, STRUCT).get(2, []) if STRUCT in node else ()):
        for part in (3, 4):  # its key and its value
            _walk(_message(entry, part), scope, uses)


def _uses_of(node: ProtoFields, scope: _NameScope) -> Iterator[tuple[FieldPath, bool]]:
    """Yield the fields that an expression itself uses, and whether it asks for their existence."""
    if SELECT in node:
        select = _message(node, SELECT)
        path = scope.path(_message(select, 1))
        if path is not None:
            yield (*path, _text(select, 2)), bool(select.get(3))
    function, arguments = _call(node)
    if function == "_[_]" and (path := scope.path(arguments[0])) is not None:
        yield from (((*path, text), False) for text in scope.literals(arguments[1]))
    if function == "@in" and (path := scope.path(arguments[1])) is not None:
        yield from (((*path, text), True) for text in scope.literals(arguments[0]))
    if function in ("_==_", "_!=_", "@in"):
        for one, other in (arguments, arguments[::-1]):
            if IDENTIFIER in one and (path := scope.keys.get(_name(one))) is not None:
                yield from (((*path, text), True) for text in scope.literals(other))


def _call(node: ProtoFields) -> tuple[str, list[ProtoFields]]:
    """Return the function and the arguments of a call, the object of a method first. Empty for another expression."""
    if CALL not in node:
        return "", []
    call = _message(node, CALL)
    return _text(call, 2), [_parse(each) for each in (*call.get(1, []), *call.get(3, []))]


def _name(node: ProtoFields) -> str:
    return _text(_message(node, IDENTIFIER), 1).removeprefix(".")


def _message(node: ProtoFields, number: int) -> ProtoFields:
    return _parse(node.get(number, [b""])[0])


def _text(node: ProtoFields, number: int) -> str:
    value = node.get(number, [b""])[0]
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _parse(content: bytes | int) -> ProtoFields:
    """Return the fields of a message in the wire format of protocol buffers."""
    fields: dict[int, list[bytes | int]] = {}
    at, raw = 0, content if isinstance(content, bytes) else b""
    while at < len(raw):
        key, at = _varint(raw, at)
        kind = key & 7
        value: bytes | int = 0
        if kind == _VARINT:
            value, at = _varint(raw, at)
        else:
            size, at = _varint(raw, at) if kind == _BYTES else (8 if kind == _FIXED_64 else 4, at)
            value, at = raw[at : at + size], at + size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return a number and the place after it."""
    value = shift = 0
    while True:
        byte = raw[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:  # noqa: PLR2004 - the bit that says that more bytes follow
            return value, at
