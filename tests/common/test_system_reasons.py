"""Reasons of the system and of the JSON reader are in the reader's language."""

import ast
import errno
import json
import os
from pathlib import Path

import pytest

import saasus_mcp
from saasus_mcp.common.messages import Message
from saasus_mcp.common.system_reasons import JSON_REASONS, OS_REASONS, file_reason, json_reason, os_reason


@pytest.mark.parametrize("name", sorted(OS_REASONS))
def test_a_known_error_number_has_a_text_in_each_language(name: str) -> None:
    number = getattr(errno, name)
    reason = os_reason(OSError(number, os.strerror(number)))
    assert isinstance(reason, Message)
    assert reason.text("ja") != reason.text("en")


def test_another_error_has_the_text_of_the_system() -> None:
    assert os_reason(OSError(errno.EMFILE, "Too many open files")) == "Too many open files"
    assert os_reason(OSError("no number")) == "OSError"


def test_the_name_of_the_file_stands_before_the_reason_where_it_is_known() -> None:
    reason = file_reason(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/nowhere"))
    assert isinstance(reason, Message)
    assert (reason.id, reason.params["file"]) == ("system.of_file", "/nowhere")
    assert file_reason(PermissionError("others can write to it")) == "others can write to it"


def test_a_text_in_another_encoding_has_a_message() -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        b"\xe9".decode()
    reason = os_reason(caught.value)
    assert isinstance(reason, Message)
    assert reason.id == "system.not_utf8"


def test_no_message_gives_the_class_or_the_english_text_of_a_failure_of_the_system() -> None:
    """A person reads `Permission denied` in their language, not `PermissionError` or `[Errno 13]`."""
    wrong, failures = [], ("OSError", "UnicodeDecodeError")
    for file in sorted(Path(saasus_mcp.__file__).parent.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        if not any(name in source for name in failures):
            continue  # to parse all files takes over a second
        handlers = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ExceptHandler))
        for handler in handlers:
            if handler.type is None or names_in(handler.type).isdisjoint(failures):
                continue
            given = (node.value for each in handler.body for node in ast.walk(each) if isinstance(node, ast.keyword))
            shown = {"str(error)", "type(error).__name__"} & {ast.unparse(value) for value in given}
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
    assert isinstance(reason, Message)
    assert reason.id == f"system.json.{name}"
    assert name in JSON_REASONS.values()
