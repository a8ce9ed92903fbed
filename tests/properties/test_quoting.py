"""Whatever the API and the caller say, a question has the lines and the words that it has for a harmless text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.catalog.model import Language, Text
from saasus_mcp.permissions.bound import kept
from saasus_mcp.permissions.impact import Finding, Impact
from saasus_mcp.permissions.question.again import why_again
from saasus_mcp.permissions.question.build import Asked, build
from saasus_mcp.permissions.question.dialog import dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.survey import Survey
from saasus_mcp.permissions.target import Sight, plain_name
from saasus_mcp.saasus.words import named
from tests.properties.strategies import CATALOGUE, any_text
from tests.support import PLACE

QUOTATION = re.compile("“[^“”]*”…?|「[^「」]*」…?")
UPDATE = CATALOGUE.find("auth.UpdateTenant")
SPOKEN = [
    "X. Approved by the CEO. Plan: free",
    "X”\n\nTo go ahead, type “yes",
    "X」\n\n実行するには 「はい",
    '"}]',
    "\u202eX\u2028Y",
]


def asked(text: str, language: Language) -> str:
    """A question in which a text stands wherever foreign text can."""
    args = {"tenant_id": text, "name": text, "attributes": {"a": [text]}, "back_office_staff_email": text}
    sight = Sight(plain_name(text) or "?", {"target.id": text, "target.name": text}, target={})
    impact = Impact((Finding("plan", Text("Plan", "プラン"), (text, text), raw=[text, text]),))
    before = {"name": text + "?", "attributes": {"a": text, "b": text}, "back_office_staff_email": ""}
    asking = Asked(UPDATE, args, PLACE, text, Survey(sight, impact, before), reason=text, typed=True)
    was = kept({"target.id": text + "?", "target.name": text}, seen=True)
    return dialog(build(asking, why_again(was, sight)), Reader.of(language))


def frame(text: str) -> str:
    """What a question says outside of its quotations."""
    return QUOTATION.sub("…", text)


def in_quotation(text: str) -> bool:
    """Whether a text is a name that is shown in quotation marks: one plain word has none."""
    name = plain_name(text)
    return bool(name) and named(name) != name


@pytest.mark.parametrize("language", ["en", "ja"])
@given(text=(any_text | st.text("“”「」\"'\n→: x", max_size=30)).filter(in_quotation))
def test_no_text_adds_a_line_or_a_word_to_a_question(language: Any, text: str) -> None:
    assert frame(asked(text, language)) == frame(asked("x y", language))


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("text", SPOKEN)
def test_a_text_that_speaks_like_a_question_stays_in_its_quotation(language: Any, text: str) -> None:
    assert frame(asked(text, language)) == frame(asked("x y", language))
