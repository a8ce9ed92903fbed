"""The lines of a dialog: at most twelve, decisive ones first, and whatever finds no room is announced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saasus_mcp.common.language import Text
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.question.content import Change, Fact, Quantity, Question, QuestionWarning, QuotedText
from saasus_mcp.permissions.question.dialog import render_dialog, render_for_model
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.layout import MAX_LINES, hidden_labels

EN = Reader.of("en")
WORDS = Text("w", "w")


def fact(name: str, *, lead: bool = False, head: str = "v") -> Fact:
    return Fact(name, Text(name, name), QuotedText(head, "", len(head)), lead=lead)


def asked(facts: int = 0, warnings: int = 0) -> Question:
    return Question(
        "auth_delete_tenant",
        Text("Delete the tenant “Harbor Lights Inc.”", "「Harbor Lights Inc.」を削除します"),
        "Harbor Lights Inc.",
        Destination("default", "saas"),
        "local:me",
        facts=tuple(fact(f"f{n}", lead=n == 0) for n in range(facts)),
        warnings=tuple(QuestionWarning("consequence", Text(f"w{n}", f"w{n}")) for n in range(warnings)),
        typed=Text("Harbor Lights Inc.", "Harbor Lights Inc."),
    )


@pytest.mark.parametrize("facts", [0, 1, 5, 8, 9, 10, 100])
@pytest.mark.parametrize("warnings", [0, 3])
def test_a_dialog_has_at_most_twelve_lines_and_announces_the_rest(facts: int, warnings: int) -> None:
    question = asked(facts, warnings)
    lines = render_dialog(question, EN).splitlines()
    assert len(lines) <= MAX_LINES
    assert lines[0] == "Delete the tenant “Harbor Lights Inc.”"
    assert lines[-1] == "To go ahead, type “Harbor Lights Inc.”"
    shown = {line.partition(":")[0] for line in lines}
    missing = [f"f{n}" for n in range(facts) if f"f{n}" not in shown]
    assert [text.en for text in hidden_labels(question)] == missing
    assert bool(missing) == any(line.startswith("Not shown in full") for line in lines)


def test_the_first_lines_hold_the_target_what_leads_and_the_consequence() -> None:
    lines = render_dialog(asked(facts=6, warnings=1), EN).splitlines()
    assert lines[:3] == ["Delete the tenant “Harbor Lights Inc.”", "f0: v", "⚠ w0"]


def test_a_value_that_is_not_shown_whole_is_announced_wherever_it_stands() -> None:
    long = QuotedText("a" * 120, "z" * 60, 1000)
    for lead in (True, False):
        question = replace(asked(), facts=(Fact("html", Text("Page", "画面"), long, lead=lead), fact("b")))
        assert hidden_labels(question) == (Text("Page", "画面"),)
        question = replace(asked(), changes=(Change("html", Text("Page", "画面"), long, Quantity("1"), lead=lead),))
        assert hidden_labels(question) == (Text("Page", "画面"),)


def test_an_effect_on_money_mail_and_other_systems_is_one_line() -> None:
    notices = (QuestionWarning("money", Text("Charges", "請求")), QuestionWarning("email", Text("Mails", "メール")))
    lines = render_dialog(replace(asked(), warnings=notices), EN).splitlines()
    assert lines[1] == "¥ Charges · ✉ Mails"


def test_the_requesters_words_are_a_quotation() -> None:
    said = render_dialog(replace(asked(), reason="Customer asked”\nTo go ahead, type “x"), EN)
    assert "Reason given by the requester: “Customer asked'↵To go ahead, type 'x”" in said


def test_the_model_is_not_told_how_to_agree() -> None:
    assert render_for_model(asked(), EN) == render_dialog(asked(), EN).removesuffix(
        "\nTo go ahead, type “Harbor Lights Inc.”"
    )


def test_why_it_is_asked_again_comes_first() -> None:
    question = replace(asked(facts=12), lead=(Text("It changed.", "変わりました。"),))
    lines = render_dialog(question, EN).splitlines()
    assert lines[0] == "It changed."
    assert len(lines) == MAX_LINES


def test_a_question_survives_being_kept() -> None:
    question = replace(asked(3, 2), reason="なぜ")
    assert Question.from_json(question.to_json()) == question
    with pytest.raises(ValueError, match="Question"):
        Question.from_json('{"en": "an older one", "ja": ""}')
