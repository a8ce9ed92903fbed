"""Japanese characters in the place of others that look the same.

Every one of them is an ordinary character, so it is the neighbours that tell: a kanji inside a word in katakana, or a katakana inside one in kanji.
"""

from __future__ import annotations

import re

from saasus_mcp.common.normal_forms import normalize
from saasus_mcp.common.text import LIKE_KATAKANA

_KANA_OF = {**LIKE_KATAKANA, **dict.fromkeys("―─一", "ー")}
_KANJI_OF = {kana: other for other, kana in _KANA_OF.items()}

_KATAKANA, _KANJI = "[ァ-ヴー]", "[一-龥々]"
_START = r"(?:(?<!\w)|(?<=会社)|(?<=法人))"
"""Where a name begins, perhaps after the form of the company."""
_MISPLACED = re.compile(
    "|".join(
        (
            # In katakana. 口コミ is a word, 力 an ending of words, ヤマ一 and the like are marks of merchants, and 一カ月 counts.
            rf"(?<={_KATAKANA})(?![一二八](?:カ[月所国年村]|[ノツ]{_KANJI}))(?<!ノ)(?<!ヤマ)(?<!カネ)(?<!マル)(?<!カク)(?<!ヒシ)(?!口コミ|力アップ)[口力工夕卜二八才又匕一―─べぺり](?={_KATAKANA})",  # noqa: RUF001 - Japanese letters
            rf"{_START}(?!口コミ)[口力工夕卜二才匕](?=(?![ノツッケカ]){_KATAKANA})",
            rf'(?:^|(?<=")|(?<=会社)|(?<=法人))[へべぺ](?={_KATAKANA}{{2}})',  # also in a JSON document
            # In kanji. 三カ国 and 数百カ所 count.
            rf"(?<={_KANJI})(?<!会社)(?<!法人)(?<![一二三四五六七八九十数何])(?!(?<=[百千万億半両全各幾])カ[月所国年村])[ロカエタニハ](?={_KANJI}|(?!\w))",
            rf"{_START}[ロエタニハー](?={_KANJI})",
            rf"(?<={_KANJI})ー(?={_KANJI})",
            # In hiragana.
            r"(?<=[ぁ-ん])[ヘベペリ](?=[ぁ-ん]|(?!\w))",
        )
    )
)
_MIXED_WIDTH = re.compile(r"[A-Za-z][Ａ-Ｚａ-ｚ]|[Ａ-Ｚａ-ｚ][A-Za-z]|[ァ-ヴー][ｦ-ﾟ]|[ｦ-ﾟ][ァ-ヴー]")  # noqa: RUF001 - wide letters
_RADICAL = re.compile("[⺀-⿕]")
"""Radicals of a dictionary, which nobody types."""


def find_lookalikes(text: str) -> tuple[str, ...]:
    """Return the characters of a text that stand where another one that looks the same is expected, as code points."""
    if text.isascii():
        return ()
    found = {each[0]: _expected(each[0]) for pattern in (_RADICAL, _MISPLACED) for each in pattern.finditer(text)}
    for each in _MIXED_WIDTH.finditer(text):
        odd = next(letter for letter in each[0] if normalize("NFKC", letter) != letter)
        found[odd] = normalize("NFKC", odd)
    return tuple(_code(odd) + (f" ≠ {_code(other)}" if other != odd else "") for odd, other in found.items())


def _expected(character: str) -> str:
    """Return the character that a reader takes another one for."""
    return _KANA_OF.get(character) or _KANJI_OF.get(character) or normalize("NFKC", character)


def _code(character: str) -> str:
    return f"{character} U+{ord(character):04X}"
