"""The check of the prose, as `make check` runs it."""

from __future__ import annotations

import pytest

from scripts.prose import find_japanese, find_words


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


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("ja: 他のユーザー", "ほかの"),
        ("ja: IDプロバイダの設定", "プロバイダー"),
        ("ja: ファイル {file}を読み取れません", "no space"),
        ("`saasus-mcp doctor` を実行してください", "no space"),
    ],
)
def test_japanese_is_written_in_one_way(line: str, advice: str) -> None:
    assert [each for _, _, each in find_japanese(line)] == [advice]


@pytest.mark.parametrize(
    "text",
    [
        "`saasus-mcp approve コード`を実行してください",
        "「saasus-mcp token new 名前 --role approver」で発行します",
        "承認者が {url} で判断します",
        "```\nrm 他の ファイル\n```",
        "{name}: プロバイダーの応答が正しくありません",
    ],
)
def test_commands_and_addresses_keep_their_spaces(text: str) -> None:
    assert list(find_japanese(text)) == []
