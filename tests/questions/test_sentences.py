"""How long the sentences of questions may be, and that each is whole in its language."""

from __future__ import annotations

import re
import string
import unicodedata

import pytest

from saasus_mcp.catalog import load_catalogue, question_texts
from saasus_mcp.common.language import Text

HEADLINE, SAY, NOTE = 70, 110, 100
"""Most characters of English; of Japanese, most full-width characters are a little more than half of it."""
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
ROWS = question_texts.load_question_texts().rows
EVERY = pytest.mark.parametrize("key", ROWS)
CATALOGUE = load_catalogue()


def without_names(text: str) -> str:
    return "".join(before for before, *_ in string.Formatter().parse(text))


def width(text: str) -> float:
    """Return the width of a text in full-width characters."""
    return sum(1 if unicodedata.east_asian_width(letter) in "WF" else 0.5 for letter in text)


def fits(text: Text, most: int) -> bool:
    return len(without_names(text.en)) <= most and width(without_names(text.ja)) <= most * 0.55


@EVERY
def test_a_headline_fits_in_a_line_and_begins_with_what_is_done(key: str) -> None:
    for line in ROWS[key].ask:
        assert fits(line.text, HEADLINE), line.text
        assert line.text.en[0].isupper(), line.text.en
        assert not line.text.en.endswith("."), line.text.en
        assert re.search(r"(ます|ません)(\(.*\))?$", line.text.ja), line.text.ja


@EVERY
def test_a_consequence_is_one_short_sentence_in_either_language(key: str) -> None:
    say = CATALOGUE.find(key).effects.say
    for text in (*([say] if say else []), *(line.text for line in ROWS[key].warn)):
        assert fits(text, SAY), text
        assert JAPANESE.search(text.ja), text
        assert not JAPANESE.search(text.en), text


@EVERY
def test_an_irreversible_loss_is_stated_briefly_and_without_a_tool(key: str) -> None:
    undo = CATALOGUE.find(key).effects.undo
    if undo is not None and undo.note is not None:
        assert fits(undo.note, NOTE), undo.note
        assert undo.note.en.endswith("."), undo.note.en
        assert undo.note.ja.endswith("。"), undo.note.ja
        assert "_" not in undo.note.en + undo.note.ja, "names of tools are for the details"


@EVERY
def test_both_languages_speak_of_the_same_things(key: str) -> None:
    for line in (*ROWS[key].ask, *ROWS[key].warn):
        names = [
            {name for _, name, *_ in string.Formatter().parse(text)} - {None} for text in (line.text.en, line.text.ja)
        ]
        assert names[0] == names[1], line.text


ALIKE = (
    (re.compile(r"documented"), re.compile(r"公式資料")),
    (
        re.compile(r"\b(may|can change|probably|most likely)\b", re.IGNORECASE),
        re.compile(r"ことがあり|おそれ|考えられ|なり得"),
    ),
)
"""Words of a doubt, in English and in Japanese."""


@EVERY
def test_both_languages_are_equally_sure(key: str) -> None:
    effects = CATALOGUE.find(key).effects
    note = effects.undo.note if effects.undo else None
    for text in filter(None, (effects.say, note, *(line.text for line in ROWS[key].warn))):
        for english, japanese in ALIKE:
            assert bool(english.search(text.en)) == bool(japanese.search(text.ja)), text


@EVERY
def test_no_loss_is_stated_of_which_nothing_is_documented(key: str) -> None:
    operation = CATALOGUE.find(key)
    note, said = operation.effects.undo.note if operation.effects.undo else None, operation.description.en
    for thing in ("subscription", "usage", "payment method"):
        if note is not None and thing in note.en and "documented" not in note.en:
            assert thing in said, f"{note.en} {said}"
            assert not re.search(rf"{thing}[^.]* (is|are) not documented", said), said
