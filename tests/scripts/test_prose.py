"""The check of the prose, as `make check` runs it."""

from __future__ import annotations

import pytest

from scripts.prose import find_words


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("It is asked anew.", "anew"),
        ("def test_a_question_is_asked_anew() -> None:", "anew"),
        ("in_clear = True", "in clear"),
        ("def test_what_expired_is_refused() -> None:", "what"),
    ],
)
def test_a_listed_word_is_found_in_prose_and_in_names(line: str, word: str) -> None:
    assert [found for _, found, _ in find_words(line)] == [word]


def test_plain_words_are_not_reported() -> None:
    assert list(find_words("def test_an_expired_approval_is_refused() -> None:  # no longer valid")) == []
