"""Typed values: what a raw argument or answer becomes, and how a reader of each language sees it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from saasus_mcp.catalog.question_texts import FieldText, load_question_texts
from saasus_mcp.common.language import Language, Text
from saasus_mcp.jobs.job_question import counted
from saasus_mcp.permissions.inspection.difference import differing_parts
from saasus_mcp.permissions.question.content import NamedItem, QuotedText, Timestamp, UnresolvedId, Value, ValueList
from saasus_mcp.permissions.question.formatting import MAX_LIST_ITEMS, Reader, format_value, is_shown_whole
from saasus_mcp.permissions.question.values import MAX_TEXT_LENGTH, ValueFactory

WORDS = Text("x", "x")
EN, JA = Reader.of("en"), Reader.of("ja")


def field(kind: str = "text", **more: Any) -> FieldText:
    return FieldText(WORDS, kind, **more)


def resolve(_: str, id_: Any) -> Value:
    return NamedItem("管理者 (admin)", id_) if id_ == "admin" else UnresolvedId(str(id_), "not_found")


VALUES = ValueFactory(lambda path: FieldText(Text(path, path)), resolve, frozenset({"role"}))


@pytest.mark.parametrize(
    ("raw", "of", "beside", "english", "japanese"),
    [
        (None, field(), {}, "none", "なし"),
        (8080, field("code"), {}, "8080", "8080"),
        ("", field(), {}, "none", "なし"),
        ("a@example.jp", field(), {}, "a@example.jp", "a@example.jp"),
        ("two words", field(), {}, "“two words”", "「two words」"),
        ("s3cret", field("secret"), {}, "(hidden)", "(非表示)"),
        (True, field("flag", choices={"true": Text("on", "有効"), "false": Text("off", "無効")}), {}, "on", "有効"),
        (False, field("flag", choices={"true": Text("on", "有効"), "false": Text("off", "無効")}), {}, "off", "無効"),
        (False, field(), {}, "no", "いいえ"),
        ("sub", field("choice", choices={"sub": Text("subtract", "減算")}), {}, "subtract", "減算"),
        ("new", field("choice", choices={"sub": Text("subtract", "減算")}), {}, "new", "new"),
        (33036, field("number", unit=Text("calls", "件")), {}, "33,036 calls", "33,036件"),
        (0, field("number"), {}, "0", "0"),
        (10.5, field("percent"), {}, "10.5%", "10.5%"),
        (49800, field("money", currency="currency"), {"currency": "JPY"}, "¥49,800", "49,800円"),
        (9.9, field("money", currency="currency"), {"currency": "USD"}, "$9.9", "9.9米ドル"),
        (5, field("money", currency="currency"), {"currency": "eur", "recurring_interval": "year"}, "EUR 5/year", "5 EUR/年"),
        (5, field("money", currency="currency"), {}, "5", "5"),
        (1e30, field("number"), {}, "1" + ",000" * 10, "1" + ",000" * 10),
        (10**30 + 1, field("number"), {}, "1" + ",000" * 9 + ",001", "1" + ",000" * 9 + ",001"),
        (10**399, field("number"), {}, "1" + ",000" * 133, "1" + ",000" * 133),
        (2.5e-30, field("number"), {}, "0." + "0" * 29 + "25", "0." + "0" * 29 + "25"),
        (1e30, field("money", currency="currency"), {"currency": "JPY"}, "¥1" + ",000" * 10, "1" + ",000" * 10 + "円"),
        (float("inf"), field("number"), {}, "inf", "inf"),
        (float("nan"), field("money", currency="currency"), {"currency": "JPY"}, "nan", "nan"),
        (1_796_083_200, field("moment"), {}, "Tue 1 Dec 2026, 00:00 UTC", "2026年12月1日(火) 09:00 JST"),
        (1_796_083_200_000, field("moment"), {}, "1,796,083,200,000", "1,796,083,200,000"),
        ("2026-03-01", field("day"), {}, "1 Mar 2026", "2026年3月1日"),
        ("2026-03", field("day"), {}, "Mar 2026", "2026年3月"),
        ("soon", field("day"), {}, "soon", "soon"),
        ("admin", field("role"), {}, "“管理者 (admin)”", "「管理者 (admin)」"),
        ("ghost", field("role"), {}, "ghost (name: not found)", "ghost(名前: 見つかりません)"),
    ],
)  # fmt: skip
def test_a_value_reads_as_people_write_it(
    raw: Any, of: FieldText, beside: dict[str, Any], english: str, japanese: str
) -> None:
    value = VALUES.make(raw, of, "x", beside)
    assert format_value(value, EN) == english
    assert format_value(value, JA) == japanese
    assert is_shown_whole(value)


@pytest.mark.parametrize(
    ("zone", "said"),
    [(UTC, "Tue 1 Dec 2026, 00:00 UTC"), (ZoneInfo("America/New_York"), "Mon 30 Nov 2026, 19:00 EST")],
)
def test_a_time_is_shown_in_the_zone_of_the_reader(zone: Any, said: str) -> None:
    moment = Timestamp(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
    assert format_value(moment, Reader("en", zone)) == said


def test_the_tiers_of_a_price_are_reported_one_by_one() -> None:
    raw = [
        {"up_to": 100, "flat_amount": 0, "unit_amount": 0},
        {"up_to": 1000, "flat_amount": 500, "unit_amount": 20},
        {"inf": True, "flat_amount": 0, "unit_amount": 15},
    ]
    value = VALUES.make(raw, field("tiers", currency="currency"), "tiers", {"currency": "JPY"})
    assert format_value(value, JA) == "〜100: 0円、〜1,000: 500円+20円/単位、それ以上: 15円/単位"
    assert format_value(value, EN) == "up to 100: ¥0; up to 1,000: ¥500 + ¥20 each; above: ¥15 each"


def test_a_list_counts_what_is_in_it_and_shows_first_what_may_do_much() -> None:
    value = VALUES.make(["viewer"] * 60 + ["admin"], field(), "role_names")
    assert format_value(value, EN) == "admin, viewer \N{MULTIPLICATION SIGN}60 (61 in all)"
    assert format_value(value, JA) == "admin、viewer\N{MULTIPLICATION SIGN}60(全61件)"
    assert is_shown_whole(value)


def test_the_rarest_item_of_a_list_comes_before_the_usual_ones() -> None:
    value = VALUES.make(["a"] * 9 + ["odd"] + ["b"] * 5, field(), "x")
    assert format_value(value, EN).startswith("odd, b \N{MULTIPLICATION SIGN}5, a \N{MULTIPLICATION SIGN}9")


def test_more_different_items_than_a_line_holds_are_announced() -> None:
    value = VALUES.make([f"item-{n}" for n in range(MAX_LIST_ITEMS + 30)], field(), "x")
    assert "and 30 more" in format_value(value, EN)
    assert "ほか30件" in format_value(value, JA)
    assert not is_shown_whole(value)


def test_people_are_counted_as_people_in_japanese() -> None:
    value = VALUES.make([f"user-{n}" for n in range(MAX_LIST_ITEMS + 1)], field("user"), "user_ids")
    assert format_value(value, JA).endswith("ほか1人(全13人)")
    assert format_value(value, EN).endswith("and 1 more (13 in all)")


@pytest.mark.parametrize(("reader", "length"), [(EN, "(1,005 characters)"), (JA, "(全1,005文字)")])
def test_of_a_long_text_the_beginning_the_end_and_the_length_are_shown(reader: Reader, length: str) -> None:
    text = "a" * 500 + "b" * 500 + "EVIL!"
    value = VALUES.make(text, field("long"), "html")
    said = format_value(value, reader)
    assert "aaa" in said
    assert "EVIL!" in said
    assert length in said
    assert not is_shown_whole(value)
    assert is_shown_whole(VALUES.make("a" * MAX_TEXT_LENGTH, field("long"), "html"))


@pytest.mark.parametrize(
    "sentence", ["平素より格別のお引き立てを賜り、厚く御礼申し上げます。", "A long sentence of some words.\n"]
)
def test_a_long_text_is_not_cut_within_a_word(sentence: str) -> None:
    value = VALUES.make(sentence * 20, field("long"), "html")
    assert isinstance(value, QuotedText)
    words = re.split(r"(?<=[。、\s])", sentence)
    assert any(value.head.endswith(word.strip()) for word in words if word.strip())
    assert any(value.tail.startswith(word) for word in words if word.strip())


@pytest.mark.parametrize("language", ["en", "ja"])
def test_fields_within_an_object_are_reported_by_their_labels(language: Language) -> None:
    value = VALUES.make({"city": "Tokyo", "empty": "", "zip": "100"}, field(), "address")
    said = format_value(value, Reader.of(language))
    assert "address.city" in said
    assert "Tokyo" in said
    assert "empty" not in said


def test_the_prices_of_a_plan_are_reported_with_their_units() -> None:
    raw = [
        {
            "units": [
                {"display_name": "基本料", "unit_amount": 9800, "currency": "JPY", "recurring_interval": "month"},
                {"name": "calls", "tiers": [{"inf": True, "unit_amount": 2, "flat_amount": 0}], "currency": "JPY"},
            ]
        }
    ]
    value = VALUES.make(raw, field("prices"), "prices")
    assert format_value(value, JA) == "「基本料」 9,800円/月、「calls」 2円/単位"


@pytest.mark.parametrize(
    ("raw", "english", "japanese", "whole"),
    [
        ("b3BlbmFwaTogMy4xLjAK", "“openapi: 3.1.0↵”", None, True),
        ("data:image/png;base64,iVBORw0KGgo=", "a file of 8 bytes (SHA-256 4c4b6a3be1314ab8…)", None, False),
        ("UEsDBBQAAAAIAP8=", None, "11バイトのファイル(SHA-256 ", False),
        ("not base64!", "“not base64!”", None, True),
    ],
)
def test_a_file_is_shown_by_its_text_or_by_its_size_and_digest(
    raw: str, english: str | None, japanese: str | None, whole: bool
) -> None:
    value = VALUES.make(raw, field("file"), "content")
    assert english is None or format_value(value, EN) == english
    assert japanese is None or format_value(value, JA).startswith(japanese)
    assert is_shown_whole(value) == whole


def test_a_count_of_zero_is_no_usage() -> None:
    raw = [{"display_name": "APIコール", "count": 33036}, {"display_name": "受注", "count": 0}]
    assert format_value(VALUES.make(raw, field("usage"), "usage"), JA) == "「APIコール」 33,036"


def test_a_long_list_takes_time_in_proportion() -> None:
    """Compared item by item with all others, these would take minutes."""
    raw = [f"role-{number}" for number in range(100_000)]
    value = VALUES.make(raw, field("role_names"), "role_names")
    assert isinstance(value, ValueList)
    assert value.total == len(raw)
    gone, come = differing_parts([{"id": each} for each in raw], [{"id": each} for each in reversed(raw[1:])], 8)
    assert (gone, come) == ([{"id": "role-0"}], [])


def test_a_part_does_not_repeat_the_label_of_the_whole() -> None:
    labels = {
        "sign_up": Text("Sign-up mail", "新規登録のメール"),
        "sign_up.subject": Text("Sign-up mail, subject", "新規登録のメールの件名"),
        "sign_up.message": Text("Text", "本文"),
    }
    values = ValueFactory(lambda path: FieldText(labels[path]), resolve, frozenset())
    value = values.make({"subject": "登録", "message": "確認"}, FieldText(labels["sign_up"]), "sign_up")
    assert format_value(value, JA) == "件名 「登録」、本文 「確認」"
    assert format_value(value, EN) == "Subject “登録”, Text “確認”"


@pytest.mark.parametrize(
    ("number", "said"), [(1, ("1 setting", "1件")), (2, ("2 settings", "2件")), (1200, ("1,200 settings", "1,200件"))]
)
def test_a_unit_agrees_with_its_number(number: int, said: tuple[str, str]) -> None:
    value = counted(number, "jobs_settings.same_unit")
    assert (format_value(value, EN), format_value(value, JA)) == said


def test_no_label_has_an_english_unit_which_would_have_to_agree_with_its_number() -> None:
    texts = load_question_texts()
    fields = [*texts.fields.values(), *(each for row in texts.rows.values() for each in row.fields.values())]
    assert [each.label.en for each in fields if each.unit is not None and each.unit.en] == []
