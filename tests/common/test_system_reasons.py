"""Reasons of the system and of the JSON reader are in the reader's language."""

import ast
import errno
import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

import saasus_mcp
from saasus_mcp.common.messages import one_of
from saasus_mcp.common.system_reasons import (
    JSON_REASONS,
    OS_REASONS,
    YAML_REASONS,
    file_reason,
    json_reason,
    os_reason,
    toml_reason,
    yaml_reason,
)
from saasus_mcp.store.state_files import read_state_file


@pytest.mark.parametrize("name", sorted(OS_REASONS))
def test_a_known_error_number_has_a_text_in_each_language(name: str) -> None:
    number = getattr(errno, name)
    reason = os_reason(OSError(number, os.strerror(number)))
    assert reason.text("ja") != reason.text("en")


def test_another_error_has_its_name_and_no_english_text() -> None:
    for error, name in (
        (OSError(errno.EDOM, "Numerical argument out of domain"), "EDOM"),
        (OSError("text"), "OSError"),
    ):
        reason = os_reason(error)
        assert (reason.id, reason.params) == ("system.other", {"name": name})


def test_the_name_of_the_file_stands_before_the_reason_where_it_is_known() -> None:
    reason = file_reason(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/nowhere"))
    assert (reason.id, reason.params["file"]) == ("system.of_file", "/nowhere")


def test_a_file_that_others_can_change_is_explained_by_its_message(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    with pytest.raises(PermissionError) as caught:
        read_state_file(tmp_path / "link")
    assert file_reason(caught.value).id == "files.unsafe.link"


def test_a_text_in_another_encoding_has_a_message() -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        b"\xe9".decode()
    reason = os_reason(caught.value)
    assert reason.id == "system.not_utf8"


def test_no_message_gives_the_class_or_the_english_text_of_a_failure_of_the_system() -> None:
    """A person reads `Permission denied` in their language, not `PermissionError` or `[Errno 13]`."""
    wrong, failures = [], ("OSError", "UnicodeDecodeError")
    for file in sorted(Path(saasus_mcp.__file__).parent.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        if not re.search("OSError|UnicodeDecodeError|str\\(error\\)|{error|strerror", source):
            continue  # to parse all files takes over a second
        handlers = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ExceptHandler))
        for handler in handlers:
            given = [node.value for each in handler.body for node in ast.walk(each) if isinstance(node, ast.keyword)]
            shown = {text for text in map(ast.unparse, given) if re.search(r"str\(error\)|\{error[}!:]|strerror", text)}
            if handler.type is not None and not names_in(handler.type).isdisjoint(failures):
                shown |= {"type(error).__name__"} & {ast.unparse(value) for value in given}
            wrong += [f"{file.name}:{handler.lineno}: {text}" for text in shown]
    # What cannot be loaded is our own file, and the names of its errors are for us.
    assert [each for each in wrong if not each.startswith("checks.py")] == []


def names_in(node: ast.expr) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "value"),
        ("{", "name"),
        ('{"a" 1}', "colon"),
        ("[1 2]", "comma"),
        ("{} {}", "extra"),
        ('"a', "unterminated"),
        ('"\x01"', "control"),
        (r'"\x"', "escape"),
        (r'"\u12"', "escape"),
    ],
)
def test_each_fault_of_a_text_has_a_message(text: str, name: str) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    reason = json_reason(caught.value)
    assert reason.id == f"system.json.{name}"
    assert name in JSON_REASONS.values()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("word", "equals"),
        ("= 1", "statement"),
        ("[table", "bracket"),
        ("[[table]", "bracket"),
        ("a = 1 b", "newline"),
        ("a = 'x", "unterminated"),
        ('a = "x', "unterminated"),
        ('a = "x\nb = 1', "unterminated"),
        ('a = """x', "unterminated"),
        ("a = 1\na = 2", "twice"),
        ("[a]\n[a]", "twice"),
        ("a = {b = 1, b = 2}", "twice"),
        ("a = {b = 1}\n[a.c]", "twice"),
        ("a.'", "unterminated"),
        ("a.! = 1", "key"),
        ("a = [1, 2", "array"),
        ("a = {b = 1", "inline_table"),
        (r'a = "C:\Users"', "escape"),
        (r'a = "\u12"', "escape"),
        (r'a = "\ud800"', "escape"),
        ("a = 2026-02-30", "date"),
        ("a = word", "value"),
        ("a = ", "value"),
        ("# \x01", "character"),
        ('a = "\x01"', "character"),
    ],
)
def test_each_fault_of_toml_has_a_message_with_its_place(text: str, name: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    reason = toml_reason(caught.value)
    assert str(reason.params["reason"]) == one_of("system.toml", name).text("en")
    assert reason.id == ("system.at_end" if "(at end of document)" in str(caught.value) else "system.at_place")
    assert not re.search("[a-z]{3}", reason.text("ja").replace("Windows", ""))


@pytest.mark.parametrize("loader", ["SafeLoader", "CSafeLoader"])
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a: b: c", "colon"),
        ("a\nb: c\n", "colon"),
        ("a: |x\n", "other"),
        ("? a\nb\nc: d", "no_colon"),
        ("a: [1, 2", "separator"),
        ("a: {b: c", "separator"),
        ("a: @b", "character"),
        ('a: "b', "end"),
        (r'a: "\q"', "escape"),
        ("a:\n  b: 1\n c: 2\n", "indentation"),
        ("- a\nb: 1\n", "indentation"),
    ],
)
def test_each_fault_of_yaml_has_the_same_message_whichever_reader_found_it(loader: str, text: str, name: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        list(yaml.parse(text, Loader=getattr(yaml, loader)))
    assert yaml_reason(str(caught.value.problem)).id == f"system.yaml.{name}"
    assert name in {*YAML_REASONS.values(), "other"}
