"""The tree of the tests mirrors the product, and no test imports another one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
OF_SEVERAL_ROOMS = {
    "attacks", "browser", "conformance", "deploy", "docs", "evaluation", "hardening", "properties", "questions", "schemas", "scripts", "snapshots",
    "support",
}  # fmt: skip
"""Folders of tests whose subject is in several rooms or outside the product."""


def imported_modules(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_no_test_is_imported() -> None:
    found = {
        (file.relative_to(ROOT).as_posix(), name)
        for file in TESTS
        for name in imported_modules(file)
        if name.startswith("tests.") and ".test_" in name
    }
    assert found == set()


def test_every_folder_of_tests_is_named_after_one_of_the_product() -> None:
    product = {folder.name for folder in (ROOT / "saasus_mcp").iterdir() if folder.is_dir()}
    folders = {folder.name for folder in (ROOT / "tests").iterdir() if folder.is_dir() and folder.name != "__pycache__"}
    assert folders - OF_SEVERAL_ROOMS <= product
