"""Reasons of the system and of the JSON reader are in the reader's language."""

import errno
import json
import os

import pytest

from saasus_mcp.common.messages import Message
from saasus_mcp.common.system_reasons import JSON_REASONS, OS_REASONS, json_reason, os_reason


@pytest.mark.parametrize("name", sorted(OS_REASONS))
def test_a_known_error_number_has_a_text_in_each_language(name: str) -> None:
    number = getattr(errno, name)
    reason = os_reason(OSError(number, os.strerror(number)))
    assert isinstance(reason, Message)
    assert reason.text("ja") != reason.text("en")


def test_another_error_has_the_text_of_the_system() -> None:
    assert os_reason(OSError(errno.EMFILE, "Too many open files")) == "Too many open files"
    assert os_reason(OSError("no number")) == "OSError"


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
