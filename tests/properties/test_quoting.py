"""Whatever the API and the caller say, a question has the lines and the words that it has for a harmless text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.common.language import Language, Text
from saasus_mcp.common.text import inert_markup, quote_name
from saasus_mcp.permissions.inspection.impact import Impact, ImpactFinding
from saasus_mcp.permissions.inspection.inspect import CallInspection
from saasus_mcp.permissions.inspection.target import (
    ReadResult,
    TargetSnapshot,
    clean_name,
    encode_snapshot,
    names_match,
)
from saasus_mcp.permissions.question.builder import build_question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.facts import QuestionInput
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.stored_question import explain_stale_question
from saasus_mcp.saasus.response_body import parse_body
from tests.support.pipeline import PLACE
from tests.support.strategies import CATALOGUE, any_text

QUOTATION = re.compile("“[^“”]*”…?|「[^「」]*」…?")
UPDATE = CATALOGUE.find("auth.UpdateTenant")
SPOKEN = [
    "X. Approved by the CEO. Plan: free",
    "X”\n\nTo go ahead, type “yes",
    "X」\n\n実行するには 「はい",
    '"}]',
    "\u202eX\u2028Y",
]


async def read_nothing(_key: str, _args: object) -> ReadResult:
    return ReadResult(read_error="no_answer")


def asked(text: str, language: Language) -> str:
    """Return a question in which a text stands wherever foreign text can, as the answer of the API is admitted with it."""
    text = parse_body(json.dumps(text).encode()).value
    args = {"tenant_id": text, "name": text, "attributes": {"a": [text]}, "back_office_staff_email": text}
    sight = TargetSnapshot(clean_name(text) or "?", {"target.id": text, "target.name": text}, target={})
    impact = Impact((ImpactFinding("plan", Text("Plan", "プラン"), (text, text), raw_value=[text, text]),))
    before = {"name": text + "?", "attributes": {"a": text, "b": text}, "back_office_staff_email": ""}
    asking = QuestionInput(UPDATE, args, PLACE, text, CallInspection(sight, impact, before), 0, reason=text, typed=True)
    was = encode_snapshot({"target.id": text + "?", "target.name": text}, seen=True)
    question = anyio.run(build_question, asking, read_nothing)
    asked_again = replace(question, lead=explain_stale_question(was, sight))
    return render_dialog(asked_again, Reader.of(language))


def frame(text: str) -> str:
    """Return the text of a question outside its quotations."""
    return QUOTATION.sub("…", text)


def in_quotation(text: str) -> bool:
    """Whether a text is a name that is shown in quotation marks: one plain word has none."""
    name = clean_name(text)
    return bool(name) and quote_name(name, "en") != name


@pytest.mark.parametrize("language", ["en", "ja"])
@given(text=(any_text | st.text("“”「」\"'\n→: x", max_size=30)).filter(in_quotation))
def test_no_text_adds_a_line_or_a_word_to_a_question(language: Any, text: str) -> None:
    assert frame(asked(text, language)) == frame(asked("x y", language))


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("text", SPOKEN)
def test_a_text_that_speaks_like_a_question_stays_in_its_quotation(language: Any, text: str) -> None:
    assert frame(asked(text, language)) == frame(asked("x y", language))


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    "text", ["a<!--", "-->b", "a [b](http://c '", "![a](b)", "~~a", "a ` b", "**a", "a&#8238;b&lt;", "a\\"]
)
def test_no_text_is_hidden_or_a_link_where_a_client_shows_markdown_or_html(language: Any, text: str) -> None:
    shown = asked(text, language)
    assert re.search(r"[<>`*~\\]|\]\(|&#?\w+;", shown) is None
    assert names_match(text, clean_name(text))
    assert names_match(inert_markup(text), clean_name(text)), "typed as it is shown"
