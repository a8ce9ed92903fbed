"""The tree of the tests mirrors the product, and no test imports another one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
IMPORT_OF_TESTS = re.compile(r"^[ \t]*(?:from|import)[ \t]+tests\b[^\n(]*(?:\([^)]*\))?", re.MULTILINE)
"""To parse all files takes two seconds."""
TYPE_NAME = re.compile(r"^(?:class _?(\w+)|_?([A-Z]\w*[a-z]\w*) = )", re.MULTILINE)
"""The name of a class, or of an alias of a type."""
OF_SEVERAL_ROOMS = {
    "attacks", "browser", "conformance", "deploy", "docs", "evaluation", "hardening", "properties", "questions", "schemas", "scripts", "snapshots",
    "support",
}  # fmt: skip
"""Folders of tests whose subject is in several rooms or outside the product."""


def test_no_test_is_imported() -> None:
    found = {
        (file.relative_to(ROOT).as_posix(), statement)
        for file in TESTS
        for statement in IMPORT_OF_TESTS.findall(file.read_text(encoding="utf-8"))
        if re.search(r"\btest_", statement)
    }
    assert found == set()


def test_the_expression_finds_imports_of_tests() -> None:
    for statement in (
        "import tests.jobs.test_a",
        "    from tests.jobs.test_a import one",
        "from tests.jobs import (\n    one,\n    test_a,\n)",
    ):
        [found] = IMPORT_OF_TESTS.findall(f"{statement}\n\n\ndef test_b():\n")
        assert found == statement


def test_every_folder_of_tests_is_named_after_one_of_the_product() -> None:
    product = {folder.name for folder in (ROOT / "saasus_mcp").iterdir() if folder.is_dir()}
    folders = {folder.name for folder in (ROOT / "tests").iterdir() if folder.is_dir() and folder.name != "__pycache__"}
    assert folders - OF_SEVERAL_ROOMS <= product


def test_no_two_types_of_the_product_have_the_same_name() -> None:
    places: dict[str, list[str]] = {}
    for file in sorted((ROOT / "saasus_mcp").rglob("*.py")):
        for of_class, of_alias in TYPE_NAME.findall(file.read_text(encoding="utf-8")):
            places.setdefault(of_class or of_alias, []).append(file.relative_to(ROOT).as_posix())
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
