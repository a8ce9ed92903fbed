"""A file of a spreadsheet is read in the encoding that it was saved in, or is refused: never as other characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.jobs.tables.decoding import decode_table

TABLE = "メールアドレス,テナント名,部署\nminami@example.jp,株式会社髙﨑㈱①,ｼｽﾃﾑ開発課\n"
PLAIN = "メールアドレス,テナント名\nminami@example.jp,青空商事と仲間たち\n"


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("cp932", "cp932"),
    ],
)
def test_each_encoding_of_excel_gives_the_same_text(codec: str, encoding: str) -> None:
    decoded = decode_table(TABLE.encode(codec))
    assert decoded is not None
    assert (decoded.text, decoded.encoding) == (TABLE, encoding)


def test_a_list_of_an_older_system_is_read_as_euc_jp() -> None:
    decoded = decode_table(PLAIN.encode("euc_jp"))
    assert decoded is not None
    assert (decoded.text, decoded.encoding) == (PLAIN, "euc_jp")


@pytest.mark.parametrize(
    "raw",
    ["ﾔﾏﾀﾞ,ﾀﾛｳ\n".encode("cp932"), "山田,太郎\n".encode("euc_jp"), b"a,b\n\x80\xff\n", b"a\0b\0\0c"],
    ids=["half-width only", "kanji only", "binary", "odd UTF-16"],
)
def test_an_ambiguous_encoding_is_refused(raw: bytes) -> None:
    decoded = decode_table(raw)
    assert decoded is None or decoded.text.encode(decoded.encoding) == raw
    assert decoded is None or decoded.text in ("ﾔﾏﾀﾞ,ﾀﾛｳ\n", "山田,太郎\n")


@given(st.text(st.characters(codec="cp932", categories=("L", "N"), exclude_characters="¢£¬‖−〜"), min_size=1))
def test_a_text_of_excel_in_japan_is_read_as_it_is_or_refused(text: str) -> None:
    decoded = decode_table(("氏名,役割\n" + text).encode("cp932"))
    assert decoded is None or decoded.text == "氏名,役割\n" + text
