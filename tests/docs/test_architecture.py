"""The map of the code names what the code has."""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAP = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
CODE = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", MAP, re.DOTALL))
INHERITED = {"of"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> list[str]:
    return [file.read_text(encoding="utf-8") for file in (ROOT / "saasus_mcp").rglob("*.py")]


def defined_members(named: set[str]) -> dict[str, set[str]]:
    """Return the members of these classes. Only the files that define one are parsed: all of them take two seconds."""
    classes = defaultdict[str, set[str]](set)
    for text in sources():
        if named.isdisjoint(re.findall(r"^ *class (\w+)", text, re.MULTILINE)):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                classes[node.name] |= set(members(node))
    return classes


def members(node: ast.ClassDef) -> list[str]:
    methods = [each.name for each in node.body if isinstance(each, Function)]
    fields = [
        each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    ]
    assigned = [
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "self"
    ]
    return [*methods, *fields, *assigned]


def test_every_member_that_the_map_names_exists() -> None:
    named = set(re.findall(r"\b([A-Z][a-z]\w+)\.([a-z_]\w+)", CODE))
    assert len(named) > 10
    classes = defined_members({cls for cls, _ in named})
    assert {f"{cls}.{name}" for cls, name in named if name not in classes.get(cls, set()) | INHERITED} == set()


def test_every_function_that_the_map_calls_exists() -> None:
    named = set(re.findall(r"\b([a-z_]{3,})\(", CODE))
    assert len(named) > 20
    functions = {name for text in sources() for name in re.findall(r"^ *(?:async )?def (\w+)", text, re.MULTILINE)}
    assert named - functions == set()


def test_every_message_that_the_map_raises_exists() -> None:
    named = set(re.findall(r'\.of\("(\w+\.\w+)"', CODE))
    assert named
    assert named <= set(json.loads((ROOT / "saasus_mcp/common/messages.en.json").read_text(encoding="utf-8")))


def test_every_section_that_the_code_refers_to_exists() -> None:
    sources = ((ROOT / "saasus_mcp").rglob("*.py"), (ROOT / "tests").rglob("*.py"), (ROOT / "scripts").rglob("*.py"))
    texts = [file.read_text(encoding="utf-8") for files in sources for file in files]
    named = {name for text in texts for name in re.findall(r'ARCHITECTURE\.md, "([^"]+)"', text)}
    assert named
    assert named <= set(re.findall(r"^## (.+)$", MAP, re.MULTILINE))


def test_every_file_that_the_map_names_exists() -> None:
    named = set(re.findall(r"`((?:\w+/)*\w+\.(?:py|yaml|json|js|lock))`", MAP))
    assert len(named) > 60
    files = {
        file.as_posix()
        for folder in ("saasus_mcp", "tool_specs", "scripts", "tests")
        for file in (ROOT / folder).rglob("*.*")
    }
    files |= {file.as_posix() for file in ROOT.iterdir()}
    assert {name for name in named if not any(file.endswith(f"/{name}") for file in files)} == set()


def test_every_constant_that_the_map_names_exists() -> None:
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "saasus_mcp").rglob("*.py"))
    named = set(re.findall(r"`(?!SAASUS_)([A-Z]+_[A-Z_]+)`", MAP))
    assert {name for name in named if not re.search(rf"^{name}\b", code, re.MULTILINE)} == set()
