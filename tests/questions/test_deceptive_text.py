"""Names that can be taken for others are pointed out, and ordinary ones of any language are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted, visible_text
from saasus_mcp.permissions.question import deceptive_text
from saasus_mcp.permissions.question.content import Detail, Fact, QuotedText
from saasus_mcp.permissions.question.deceptive_text import find_lookalikes, warn_of_deceptive_text
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.layout import MAX_LINES, dialog_lines, hidden_labels
from saasus_mcp.server.pipeline.call import Call, DeferredElicitor, PendingElicitation
from saasus_mcp.store.store import Store
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline
from tests.support.questions import deletion, plan_change

CYRILLIC_A = "\u0430"
SANS_ADMIN = "\U0001d5ba\U0001d5bd\U0001d5c6\U0001d5c2\U0001d5c7"
HEBREW = "\u05d0\u05d1\u05d2"
ARABIC = "\u0639\u0631\u0628"
TWO_LETTERS = "\u0441\u043e\u0441\u043e"
"""A word of two different letters, each of which looks like a Latin one."""


def lookalike(word: str, *letters: str) -> Text:
    return message("question.lookalike", word=Quoted(word), letters=letters).both()


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        (f"{CYRILLIC_A}dmin@example.com", lookalike(f"{CYRILLIC_A}dmin", "U+0430")),
        (f"株式会社P{CYRILLIC_A}y", lookalike(f"株式会社P{CYRILLIC_A}y", "U+0430")),
        ("\u0440\u0430\u0443\u0440\u0430", lookalike("\u0440\u0430\u0443\u0440\u0430", "U+0440", "U+0430", "U+0443")),
        (TWO_LETTERS, lookalike(TWO_LETTERS, "U+0441", "U+043E")),
        ("Acm\u0395", lookalike("Acm\u0395", "U+0395")),
        (SANS_ADMIN, lookalike(SANS_ADMIN, *(f"U+{ord(each):04X}" for each in SANS_ADMIN[:4]))),
        (HEBREW, message("question.right_to_left", word=Quoted(HEBREW)).both()),
        (ARABIC, message("question.right_to_left", word=Quoted(ARABIC)).both()),
    ],
    ids=["one letter", "among Japanese", "every letter", "two letters", "Greek", "mathematical", "Hebrew", "Arabic"],
)
def test_a_name_that_can_be_taken_for_another_is_pointed_out(name: str, warning: Text) -> None:
    asked = deletion(name)
    warned = warn_of_deceptive_text(asked)
    assert [each.text for each in warned.warnings] == [warning, *(each.text for each in asked.warnings)]
    assert len(dialog_lines(warned)) <= MAX_LINES


@pytest.mark.parametrize(
    "name",
    [
        "株式会社青空商事",
        "ＡＣＭＥ株式会社",
        "スタートプランα",
        "β版テナント",
        "プランⅡ Pro",
        "Café Zoë Łódź Việt",
        "한국 Acme",
        "Привет, мир",
        "Αθήνα",
        "100µs 25℃",
        "🏢 Acme 👍🏽",
    ],
)
def test_an_ordinary_name_is_not_pointed_out(name: str) -> None:
    asked = deletion(name)
    assert warn_of_deceptive_text(asked) is asked or warn_of_deceptive_text(asked) == asked


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("カタ口グ商会", "口 U+53E3 ≠ ロ U+30ED"),
        ("株式会社口ジテック", "口 U+53E3 ≠ ロ U+30ED"),
        ("工ネルギー", "工 U+5DE5 ≠ エ U+30A8"),
        ("力メラ", "力 U+529B ≠ カ U+30AB"),
        ("ミ二ストップ", "二 U+4E8C ≠ ニ U+30CB"),
        ("サ一ビス", "一 U+4E00 ≠ ー U+30FC"),
        ("統ー商事", "ー U+30FC ≠ 一 U+4E00"),
        ("川ロ商店", "ロ U+30ED ≠ 口 U+53E3"),
        ("東京電カ", "カ U+30AB ≠ 力 U+529B"),
        ("全カ投球", "カ U+30AB ≠ 力 U+529B"),
        ("ハーモ二カ", "二 U+4E8C ≠ ニ U+30CB"),
        ("ハ王子運輸", "ハ U+30CF ≠ 八 U+516B"),
        ("へルスケア", "へ U+3078 ≠ ヘ U+30D8"),
        ("ひかリ", "リ U+30EA ≠ り U+308A"),
        ("ＡBC商事", "Ａ U+FF21 ≠ A U+0041"),
        ("カﾀログ", "ﾀ U+FF80 ≠ タ U+30BF"),
        ("\u2f1d", "\u2f1d U+2F1D ≠ 口 U+53E3"),
    ],
)
def test_a_japanese_character_in_the_place_of_another_is_pointed_out(name: str, letters: str) -> None:
    [warning, *_] = warn_of_deceptive_text(deletion(name)).warnings
    assert warning.text == message("question.misplaced_lookalike", word=Quoted(name), letters=(letters,)).both()


ORDINARY_NAMES = Path(__file__).with_name("ordinary_names.txt").read_text(encoding="utf-8").splitlines()
"""Names of companies, shops and places, many of them with kanji beside katakana or with letters of two widths."""


def test_no_ordinary_japanese_name_is_pointed_out() -> None:
    assert len(ORDINARY_NAMES) >= 200
    assert [name for name in ORDINARY_NAMES if find_lookalikes(name)] == []


def test_no_text_of_the_product_is_pointed_out() -> None:
    texts = [
        text for file in Path("tool_specs").rglob("*.yaml") for text in file.read_text(encoding="utf-8").splitlines()
    ]
    assert [text for text in texts if find_lookalikes(text)] == []


@pytest.mark.parametrize("name", ["Evil\u202eoC", "株式\u200b会社", "Acme\ufffd", "so\u00adft"])
def test_characters_that_cannot_be_shown_are_pointed_out(name: str) -> None:
    [warning, *_] = warn_of_deceptive_text(deletion(name)).warnings
    assert "cannot be shown" in str(warning.text.text("en") if isinstance(warning.text, Text) else "")


@pytest.mark.parametrize("name", ["\x1b[2JAcme", "Acme\x00", "Acme\b", "Acme\f", "Acme\x7f", "Acme\x85"])
def test_a_control_character_in_the_name_of_a_fact_is_pointed_out(name: str) -> None:
    headline = Text("Grant a role", "ロールを付与します")
    asked = deletion(headline=headline, facts=(Fact("tenant", Text("Tenant", "テナント"), QuotedText(name)),))
    [warning, *_] = warn_of_deceptive_text(asked).warnings
    assert warning.text == message("question.hidden_characters", word=Quoted(visible_text(name))).both()


def test_the_line_ends_of_a_text_are_no_hidden_characters() -> None:
    asked = deletion(facts=(Fact("note", Text("Note", "メモ"), QuotedText("a\r\nb\tc", length=6)),))
    assert warn_of_deceptive_text(asked) == asked


def test_values_count_as_names_do_and_details_do_not() -> None:
    word = f"{CYRILLIC_A}dmin"
    fact = Fact("role_name", Text("Role", "役割"), QuotedText(word, length=5))
    assert warn_of_deceptive_text(deletion(facts=(fact,))).warnings[0].text == lookalike(word, "U+0430")
    asked = deletion(details=(Detail("body", word),))
    assert warn_of_deceptive_text(asked) == asked


def test_parts_that_do_not_fit_beside_the_warning_are_announced() -> None:
    asked = plan_change()
    warned = warn_of_deceptive_text(replace(asked, requester_name=f"{CYRILLIC_A}lice"))
    assert len(dialog_lines(warned)) <= MAX_LINES
    assert len(hidden_labels(warned)) >= len(hidden_labels(asked))


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("auth_delete_tenant", {}),
        ("auth_create_tenant_user", {"email": f"{CYRILLIC_A}cme@example.com", "attributes": {}}),
    ],
    ids=["approval", "confirmation"],
)
async def test_the_question_of_a_call_points_it_out(
    catalogue: Catalogue, store: Store, tool: str, arguments: dict[str, Any]
) -> None:
    name = f"{CYRILLIC_A}cme"
    api = StubApi(catalogue, answers={"auth.GetTenant": {"id": "t-1", "name": name}})
    call = Call(tool, {"tenant_id": "t-1", **arguments}, PRINCIPAL, elicitor=DeferredElicitor())
    asked = await build_pipeline(api, store).run(call)
    text = asked.prompt.message if isinstance(asked, PendingElicitation) else asked.text
    assert lookalike(name, "U+0430").en in text


def test_marks_that_are_drawn_over_other_lines_are_cut() -> None:
    covering = "Acme" + "\u0336\u030d" * 50
    text = render_dialog(deletion(covering), Reader.of("en"))
    assert text.count("\u0336") + text.count("\u030d") <= 2 * 4, "in the headline and in what to type"


def test_the_arguments_in_the_details_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be eight million characters, each of which costs half a microsecond."""
    searched: list[str] = []

    def search(text: str) -> tuple[str, ...]:
        searched.append(text)
        return find_lookalikes(text)

    monkeypatch.setattr(deceptive_text, "find_lookalikes", search)
    asked = replace(deletion("青空商事"), details=(Detail("body", "ア口ア"),))
    assert warn_of_deceptive_text(asked) == asked
    assert searched
    assert not any("ア口ア" in each for each in searched)


@pytest.mark.parametrize("before", ["", "\t", "x\n", " "], ids=["nothing", "a tab", "a line", "a space"])
def test_no_blank_before_a_name_hides_its_lookalikes(before: str) -> None:
    asked = deletion("青空商事")
    fact = Fact("name", Text("Name", "名前"), QuotedText(f"{before}ロ本商事"))
    warned = warn_of_deceptive_text(replace(asked, facts=(fact, *asked.facts)))
    assert [each.kind for each in warned.warnings].count("deceptive") == 1
