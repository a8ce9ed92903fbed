"""Normal forms take linear time whatever the text, and are those of Unicode for every text of a language."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from saasus_mcp.common.normal_forms import MAX_MARKS, SEPARATOR, normalize


@pytest.mark.parametrize(
    "text",
    [
        "Zoë Łódź",
        "株式会社ｱｵｿﾞﾗ",
        "e\u0301\u0323",
        "한국",
        "ZALGO" + "\u0334" * MAX_MARKS,
        "ascii",
        "\U0001d41a" * (MAX_MARKS + 1),  # letters between the marks beyond the first 65,536 characters
        "\U00011099\U000110ba" * MAX_MARKS,
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_an_ordinary_text_gets_the_form_of_unicode(form: str, text: str) -> None:
    assert normalize(form, text * 5) == unicodedata.normalize(form, text * 5)  # type: ignore[arg-type]


def test_whatever_begins_with_a_mark_is_separated_in_long_runs() -> None:
    """No character sorts in longer runs: each one whose full decomposition begins with a mark is known."""
    sorts = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.combining(unicodedata.normalize("NFKD", character)[0])
    ]
    assert [hex(ord(each)) for each in sorts if SEPARATOR not in normalize("NFKD", "a" + each * (MAX_MARKS + 1))] == []


@pytest.mark.parametrize("form", ["NFC", "NFKD"])
def test_marks_that_must_change_places_with_many_others_take_no_quadratic_time(form: str) -> None:
    """Sorted as one run, these would take days."""
    text = normalize(form, "a" + "\u0301" * 1_000_000 + "\u0334" * 1_000_000)  # type: ignore[arg-type]
    assert text.count("\u0334") == 1_000_000
