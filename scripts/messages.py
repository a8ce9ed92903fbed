"""Check the uses of messages: every id exists and is used, and gets the parameters that its texts name.

Uses are `message("id", …)`, `one_of("group", …)`, `AnError.of("id", …)`, `CallRefused.because(reason, "id", …)` and
`InvalidArguments.at(path, "id", …)` in Python, `t("id", …)` and `one_of("group", …)` in templates, `t("id", {…})` and
`oneOf("group.", …)` in scripts, and ids in tables of Python.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.catalogue.messages import MessageTexts, read_messages

ROOT = Path(__file__).resolve().parents[1]
ERROR = ".of"
"""`SettingsError.of("id", …)` uses the message and its hint."""
LATER = frozenset({".because", ".at"})
"""`CallRefused.because(reason, "id", …)` and `InvalidArguments.at(path, "id", …)` do, too."""
CALLS = frozenset({"message", "one_of", "t", ERROR}) | LATER
_SCRIPT_USE = re.compile(r'\b(?:t|oneOf)\("(apps\.[\w.]+)"(?:, (?:\{([^{}]*)\})?)?')
_TEMPLATE_USE = re.compile(r"""\b(t|one_of)\(\s*["']([\w.]+)["']([^()]*)""")


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a message.

    Attributes:
        place: file and line.
        group: the id is a group, and the value is known at run time.
        params: the names of the parameters, or None where they are not written out.
    """

    place: str
    id: str
    group: bool
    params: frozenset[str] | None


def find_uses(folder: Path) -> Iterator[Use]:
    """Yield the uses in every Python file and template under `folder`."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and (called := _name(node)) in CALLS:
                place, names = f"{file}:{node.lineno}", [keyword.arg for keyword in node.keywords]
                params = None if None in names else frozenset(name for name in names if name)
                for key in _literals(node.args[1 if called in LATER else 0]):
                    yield Use(place, key, called == "one_of", params)
                    if called == ERROR or called in LATER:
                        yield Use(place, f"{key}_hint", group=False, params=frozenset())
    for file in sorted(folder.rglob("*.js")):
        for found in _SCRIPT_USE.finditer(file.read_text(encoding="utf-8")):
            is_group = found[1].endswith(".")
            given = None if is_group else frozenset[str](re.findall(r"(?:^|,)\s*(\w+)\s*(?=[:,]|$)", found[2] or ""))
            yield Use(str(file), found[1].rstrip("."), is_group, given)
    for file in sorted([*folder.rglob("*.html"), *folder.rglob("*.j2")]):
        for found in _TEMPLATE_USE.finditer(file.read_text(encoding="utf-8")):
            given = frozenset[str](re.findall(r"(\w+)\s*=", found[3]))
            yield Use(str(file), found[2], group=found[1] == "one_of", params=given)


def find_literals(folder: Path) -> frozenset[str]:
    """Return every string that stands in a Python file under `folder`."""
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in folder.rglob("*.py"))
    return frozenset(
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def find_faults(messages: Mapping[str, MessageTexts], uses: list[Use], literals: frozenset[str]) -> Iterator[str]:
    """Yield a sentence for every use that does not fit the messages, and for every message without a use."""
    used: set[str] = set()
    for use in uses:
        ids = (
            [key for key in messages if key.rpartition(".")[0] == use.id]
            if use.group
            else [use.id]
            if use.id in messages
            else []
        )
        used.update(ids)
        if not ids:
            yield f"{use.place}: no message has the {'group' if use.group else 'id'} {use.id}"
        wanted = frozenset[str]().union(*(messages[key].params for key in ids))
        if ids and use.params is not None and use.params != wanted and not (use.group and use.params > wanted):
            yield f"{use.place}: {use.id} takes {sorted(wanted)}, not {sorted(use.params)}"
    for key in messages.keys() - used - literals:
        yield f"tool_specs/messages: {key} is used nowhere"


def find_untranslated_pages(messages: Mapping[str, MessageTexts]) -> Iterator[str]:
    """Yield a sentence for every Japanese text that names an English page of docs/ which has a Japanese one."""
    for key, each in messages.items():
        texts = each.texts["ja"]
        for text in (texts,) if isinstance(texts, str) else texts:
            for page in re.findall(r"\bdocs/([\w/-]+)\.md\b", text):
                if (ROOT / "docs" / f"{page}.ja.md").exists():
                    yield f"tool_specs/messages: {key} names docs/{page}.md in Japanese, not docs/{page}.ja.md"


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)


def _name(call: ast.Call) -> str:
    """Return the name of what is called. An `of` is that of an error if it gets an id, which has a dot."""
    if isinstance(call.func, ast.Attribute):
        name = f".{call.func.attr}"
        if name in LATER:
            return name if len(call.args) > 1 else ""
        return ERROR if name == ERROR and any("." in key for key in _literals(call.args[0])) else ""
    return call.func.id if isinstance(call.func, ast.Name) else ""


def main() -> None:
    source, messages = ROOT / "saasus_mcp", read_messages(ROOT / "tool_specs" / "messages")
    found = find_faults(messages, list(find_uses(source)), find_literals(source))
    faults = sorted((*found, *find_untranslated_pages(messages)))
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
