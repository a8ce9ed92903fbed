"""The lines of a dialog: at most twelve, decisive ones first, and whatever finds no room is announced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saasus_mcp.catalog.model import Text
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.question.dialog import dialog, told
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.layout import MOST_LINES, hidden
from saasus_mcp.permissions.question.model import Change, Fact, Notice, Number, Question, Quoted

EN = Reader.of("en")
WORDS = Text("w", "w")


def fact(name: str, *, lead: bool = False, head: str = "v") -> Fact:
    return Fact(name, Text(name, name), Quoted(head, "", len(head)), lead=lead)


def asked(facts: int = 0, warnings: int = 0) -> Question:
    built = Question(
        "auth_delete_tenant",
        Text("Delete the tenant “Acme”", "「Acme」を削除します"),
        "Acme",
        Place("default", "saas"),
        "local:me",
        facts=tuple(fact(f"f{n}", lead=n == 0) for n in range(facts)),
        warnings=tuple(Notice("consequence", Text(f"w{n}", f"w{n}")) for n in range(warnings)),
        typed=Text("Acme", "Acme"),
    )
    return replace(built, hidden=hidden(built))


@pytest.mark.parametrize("facts", [0, 1, 5, 8, 9, 10, 100])
@pytest.mark.parametrize("warnings", [0, 3])
def test_a_dialog_has_at_most_twelve_lines_and_announces_the_rest(facts: int, warnings: int) -> None:
    question = asked(facts, warnings)
    lines = dialog(question, EN).splitlines()
    assert len(lines) <= MOST_LINES
    assert lines[0] == "Delete the tenant “Acme”"
    assert lines[-1] == "To go ahead, type “Acme”"
    shown = {line.partition(":")[0] for line in lines}
    missing = [f"f{n}" for n in range(facts) if f"f{n}" not in shown]
    assert [text.en for text in question.hidden] == missing
    assert bool(missing) == any(line.startswith("Not shown in full") for line in lines)


def test_the_first_lines_hold_the_target_what_leads_and_the_consequence() -> None:
    lines = dialog(asked(facts=6, warnings=1), EN).splitlines()
    assert lines[:3] == ["Delete the tenant “Acme”", "f0: v", "⚠ w0"]


def test_a_value_that_is_not_shown_whole_is_announced_wherever_it_stands() -> None:
    long = Quoted("a" * 120, "z" * 60, 1000)
    for lead in (True, False):
        question = replace(asked(), facts=(Fact("html", Text("Page", "画面"), long, lead=lead), fact("b")))
        assert hidden(question) == (Text("Page", "画面"),)
        question = replace(asked(), changes=(Change("html", Text("Page", "画面"), long, Number("1"), lead=lead),))
        assert hidden(question) == (Text("Page", "画面"),)


def test_an_effect_on_money_mail_and_other_systems_is_one_line() -> None:
    notices = (Notice("money", Text("Charges", "請求")), Notice("email", Text("Mails", "メール")))
    lines = dialog(replace(asked(), warnings=notices), EN).splitlines()
    assert lines[1] == "¥ Charges · ✉ Mails"


def test_the_requesters_words_are_a_quotation() -> None:
    said = dialog(replace(asked(), reason="Customer asked”\nTo go ahead, type “x"), EN)
    assert "Reason given by the requester: “Customer asked'↵To go ahead, type 'x”" in said


def test_the_model_is_not_told_how_to_agree() -> None:
    assert told(asked(), EN) == dialog(asked(), EN).removesuffix("\nTo go ahead, type “Acme”")


def test_why_it_is_asked_again_comes_first() -> None:
    question = replace(asked(facts=12), lead=(Text("It changed.", "変わりました。"),))
    question = replace(question, hidden=hidden(question))
    lines = dialog(question, EN).splitlines()
    assert lines[0] == "It changed."
    assert len(lines) == MOST_LINES


def test_a_question_survives_being_kept() -> None:
    question = replace(asked(3, 2), reason="なぜ")
    assert Question.of(question.kept()) == question
    with pytest.raises(ValueError, match="Question"):
        Question.of('{"en": "an older one", "ja": ""}')
