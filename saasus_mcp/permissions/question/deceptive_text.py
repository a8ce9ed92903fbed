"""Names that a reader takes for others: hidden characters, letters of another alphabet that look alike, text that runs from right to left."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace

from saasus_mcp.common.json_tree import iterate_scalars
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message
from saasus_mcp.common.normal_forms import normalize
from saasus_mcp.common.text import LIKE_KATAKANA, MARK, Quoted, visible_text
from saasus_mcp.permissions.question.content import Question, QuestionWarning

_KANA_OF = {**LIKE_KATAKANA, **dict.fromkeys("―─一", "ー")}
_KANJI_OF = {kana: other for other, kana in _KANA_OF.items()}

_KATAKANA, _KANJI = "[ァ-ヴー]", "[一-龥々]"
_START = r"(?:(?<!\w)|(?<=会社)|(?<=法人))"
"""Where a name begins, perhaps after the form of the company."""
# Each of them is an ordinary character, so its neighbours tell whether it is misplaced.
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
MAX_NAME, MAX_WORD, MAX_LETTERS = 400, 60, 4
"""Characters of a name, characters of a word that the warning repeats, and letters that it names."""
_FOREIGN = re.compile("[\u0250-\u1fff\u2070-\u2fff\ua4d0-\uabff\ufb00-\ufdff\ufe70-\ufefc\U00010000-\U0001ffff]")
"""Characters that are neither Latin nor East Asian: most texts have none, and are not looked at further."""
_ESCAPED_BLANK = re.compile(r"\\[nt]")
"""A line break or a tab in JSON, after which a word begins."""
_ESCAPED_CONTROL = re.compile(r"\\(?:u00[01]|[bf])")
"""A control character in JSON, other than a line break or a tab."""
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_WORD = re.compile(r"[^\W_]+")
_BESIDE_LATIN = ("LATIN", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "FULLWIDTH", "HALFWIDTH", "MODIFIER")
"""Beginnings of the names of letters that stand in one word with Latin ones, as in Japanese names of products."""
_LOOKALIKES = frozenset(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf"
    "\u0405\u0406\u0408\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0430"
    "\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d"
)
"""Greek and Cyrillic letters that look like Latin ones."""
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


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


def warn_of_deceptive_text(question: Question) -> Question:
    """Return the question with a warning in front if one of its texts can be taken for another."""
    document = replace(question, details=()).to_json()  # they may be megabytes
    suspicious = _FOREIGN.search(document) or _ESCAPED_CONTROL.search(document) or _has_hidden(document)
    if not suspicious and not find_lookalikes(_ESCAPED_BLANK.sub(" ", document)):
        return question
    texts = [each for each in iterate_scalars(json.loads(document)) if isinstance(each, str)]
    checks = (_hidden, _mixed_alphabets, _reversed, _misplaced)
    found = next((each for check in checks for each in map(check, texts) if each is not None), None)
    if found is None:
        return question
    return replace(question, warnings=(QuestionWarning("deceptive", found), *question.warnings))


def _has_hidden(text: str) -> bool:
    return MARK in visible_text(text.replace("\r", ""))


def _hidden(text: str) -> Text | None:
    """Return the warning of a name with characters that cannot be shown. Long texts, such as documents, are no names."""
    if len(text) > MAX_NAME or not _has_hidden(text):
        return None
    return message("question.hidden_characters", word=Quoted(visible_text(text)[:MAX_WORD])).both()


def _mixed_alphabets(text: str) -> Text | None:
    """Return the warning of a word with letters of several alphabets, or of a text of letters that only look Latin."""
    for word in _WORD.findall(text):
        if _LATIN.search(word) and _FOREIGN.search(word) and (letters := _foreign_letters(word)):
            return _lookalike(word, letters)
    foreign = _foreign_letters(text)
    if len(foreign) > 1 and all(letter in _LOOKALIKES or _is_styled(letter) for letter in foreign):
        return _lookalike(_word_with(foreign[0], text), foreign)
    return None


def _lookalike(word: str, letters: tuple[str, ...]) -> Text:
    codes = tuple(f"U+{ord(letter):04X}" for letter in letters[:MAX_LETTERS])
    return message("question.lookalike", word=Quoted(word[:MAX_WORD]), letters=codes).both()


def _reversed(text: str) -> Text | None:
    """Return the warning of a text that is written from right to left."""
    reversed_letters = {each for each in set(text) if unicodedata.bidirectional(each) in _RIGHT_TO_LEFT}
    first = next((each for each in text if each in reversed_letters), None)
    if first is None:
        return None
    return message("question.right_to_left", word=Quoted(_word_with(first, text)[:MAX_WORD])).both()


def _misplaced(text: str) -> Text | None:
    """Return the warning of a name with Japanese characters in the place of others that look the same."""
    found = find_lookalikes(text) if len(text) <= MAX_NAME else ()
    if not found:
        return None
    word = _word_with(found[0][0], text)[:MAX_WORD]
    return message("question.misplaced_lookalike", word=Quoted(word), letters=found[:MAX_LETTERS]).both()


def _word_with(character: str, text: str) -> str:
    """Return the first word with a character, or the character if it stands in none."""
    return next((found[0] for found in _WORD.finditer(text) if character in found[0]), character)


def _foreign_letters(text: str) -> tuple[str, ...]:
    """Return the different foreign letters of a text, in its order."""
    return tuple(filter(_is_foreign, dict.fromkeys(text)))


def _is_foreign(character: str) -> bool:
    """Return whether a letter does not stand in one word with Latin ones."""
    return (
        _FOREIGN.match(character) is not None
        and character.isalpha()
        and not unicodedata.name(character, "").startswith(_BESIDE_LATIN)
    )


def _is_styled(letter: str) -> bool:
    """Return whether a letter is a Latin one in a mathematical style."""
    return unicodedata.name(letter, "").startswith("MATHEMATICAL") and normalize("NFKC", letter).isascii()
