"""Every regular expression of the product, with its place and its use."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import saasus_mcp
from tests.support.regex_complexity import Mode

PRODUCT = Path(saasus_mcp.__file__).parent
METHODS: Mapping[str, Mode] = {
    "match": "match",
    "fullmatch": "fullmatch",
    "search": "search",
    "sub": "search",
    "subn": "search",
    "split": "search",
    "findall": "search",
    "finditer": "search",
}
_USE = re.compile(rf"\.(?:{'|'.join(METHODS)})\b")
KEYWORDS = {"pattern", "allow_origin_regex"}
"""Arguments of libraries that take an expression."""
GLOB = "translate(pattern.replace('[', '[[]'))"
GLOBS = ("*", "auth.*", "*a*a*a*a*b", "?*?*?*x", "token:*@*.example.com")
"""What a policy may write in a list of tools or people. The expression is made of it by `fnmatch.translate`."""
WEAK_SECRETS = "'|'.join(sorted(words, key=len, reverse=True))"
WEAK = (("aaaa",), ("a.b", "aa a", "aaa"), ("-\\[(*", "パス", "0000"))
"""Short secrets of a call. The expression is made of the words that they are."""


@dataclass(frozen=True)
class Expression:
    """One expression and one use of it."""

    place: str
    pattern: str
    mode: Mode
    flags: int = 0

    def __str__(self) -> str:
        return f"{self.place} {self.mode} {self.pattern[:60]}"


class _Names(dict[str, Any]):
    """The names of a module. A local variable in an f-string stands for any word."""

    def __missing__(self, name: str) -> str:
        return "name"


def find_expressions() -> list[Expression]:
    """Return the expressions of the code and of the schemas of arguments and policy files."""
    return sorted(
        dict.fromkeys((*_of_code(), *_of_schemas())), key=lambda each: (each.place, each.mode, each.pattern, each.flags)
    )


def _of_code() -> Iterator[Expression]:
    for file, text in sorted(_sources().items()):
        if re.search(r"^ *import re$", text, re.MULTILINE) or any(keyword in text for keyword in KEYWORDS):
            yield from _of_module(file.relative_to(PRODUCT.parent), _parse(text))


def _of_module(file: Path, tree: ast.Module) -> Iterator[Expression]:
    names = _Names(vars(import_module(".".join(file.with_suffix("").parts).removesuffix(".__init__"))))
    uses = _uses(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        place = f"{file.as_posix()}:{node.lineno}"
        for given in (each.value for each in node.keywords if each.arg in KEYWORDS):
            if isinstance(pattern := _value(given, names), str):
                yield Expression(place, pattern, "search")
        method = _method(node)
        if method is None:
            continue
        for pattern in _patterns(node.args[0], names):
            flags = int(_value(node.args[1], names)) if method == "compile" and len(node.args) > 1 else 0
            flags |= next((int(_value(each.value, names)) for each in node.keywords if each.arg == "flags"), 0)
            if method in ("search", "match", "fullmatch") and len(node.args) > 2:
                flags |= int(_value(node.args[2], names))
            for mode in (
                uses.get(_assigned(tree, node), ("search", "fullmatch")) if method == "compile" else (METHODS[method],)
            ):
                yield Expression(place, pattern, mode, flags)


def _patterns(node: ast.expr, names: Mapping[str, Any]) -> list[str]:
    if ast.unparse(node) == GLOB:
        return [names["translate"](glob) for glob in GLOBS]
    if ast.unparse(node) == WEAK_SECRETS:
        return ["|".join(sorted(_words(weak, names), key=len, reverse=True)) for weak in WEAK]
    found = _value(node, names)
    return [found.decode("latin-1") if isinstance(found, bytes) else str(found)]


def _words(weak: tuple[str, ...], names: Mapping[str, Any]) -> list[str]:
    """Return the patterns of short secrets, by the functions of the module `saasus_mcp.saasus.redaction`."""
    return [names["_word_pattern"](each) for text in weak for each in names["_variants"](text)]


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    return eval(compile(ast.Expression(node), "<expression>", "eval"), {"__builtins__": {"str": str}}, names)  # noqa: S307 - our own code


def _method(node: ast.Call) -> str | None:
    """Return the function of `re` that is called, or None for another call."""
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and node.func.value.id == "re":
        return node.func.attr if node.func.attr in {"compile", *METHODS} else None
    return None


@cache
def _sources() -> Mapping[Path, str]:
    return {file: file.read_text(encoding="utf-8") for file in PRODUCT.rglob("*.py")}


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


def _assigned(tree: ast.Module, call: ast.Call) -> str:
    """Return the constant that an expression is assigned to, or the function that returns it."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            targets = node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else node.targets
            for target, value in zip(targets, values, strict=False):
                if value is call and isinstance(target, ast.Name):
                    return target.id
        if isinstance(node, ast.FunctionDef) and isinstance(node.body[-1], ast.Return) and node.body[-1].value is call:
            return node.name
    return ""


@cache
def _all_uses() -> Mapping[str, frozenset[Mode]]:
    """Return the uses of constants by name in the whole product, for those that their own module does not use."""
    found: dict[str, frozenset[Mode]] = {}
    for text in filter(_USE.search, _sources().values()):
        for name, modes in _own_uses(_parse(text)).items():
            found[name] = found.get(name, frozenset()) | modes
    return found


def _uses(tree: ast.Module) -> Mapping[str, frozenset[Mode]]:
    return {**_all_uses(), **_own_uses(tree)}


@cache
def _own_uses(tree: ast.Module) -> Mapping[str, frozenset[Mode]]:
    found: dict[str, frozenset[Mode]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in METHODS:
            used = node.value.func if isinstance(node.value, ast.Call) else node.value
            if isinstance(used, ast.Name):
                found[used.id] = found.get(used.id, frozenset()) | {METHODS[node.attr]}
    return found


def _of_schemas() -> Iterator[Expression]:
    for file in sorted(PRODUCT.rglob("*.json")):
        for pattern in sorted(set(_inside(json.loads(file.read_text(encoding="utf-8"))))):
            yield Expression(file.relative_to(PRODUCT.parent).as_posix(), pattern, "search")


def _inside(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield re.sub(r"\$$", r"\\Z", value["pattern"])
        for item in value.values():
            yield from _inside(item)
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item)
