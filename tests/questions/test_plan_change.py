"""The hardest question of all: from which plan to which, when, and at what price."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import one_of
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.sandbox.state import uid
from scripts.stage import NOW, ask

AOZORA, STARTER = uid("tenant", "aozora"), uid("plan", "starter")


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("more", [{}, {"using_next_plan_from": 1_775_001_600}], ids=["now", "scheduled"])
async def test_the_present_and_the_new_plan_stand_in_the_first_lines(
    catalogue: Catalogue, lang: Language, more: dict[str, Any]
) -> None:
    args = {"tenant_id": AOZORA, "next_plan_id": STARTER, **more}
    asked = await ask(catalogue, "auth.UpdateTenantPlan", args)
    first = "\n".join(render_dialog(asked, Reader.of(lang)).splitlines()[:4])
    assert first.index("株式会社青空商事") < first.index("ビジネスプラン") < first.index("スタータープラン")


@pytest.mark.parametrize(("lang", "said"), [("en", "Scheduled plan: “"), ("ja", "予約中の料金プラン: 「")])
async def test_dropping_a_reservation_does_not_look_like_the_end_of_the_present_plan(
    catalogue: Catalogue, lang: Language, said: str
) -> None:
    reserved = {"tenant_id": AOZORA, "next_plan_id": STARTER, "using_next_plan_from": 1_775_001_600}
    args = {"tenant_id": AOZORA, "next_plan_id": ""}
    asked = await ask(catalogue, "auth.UpdateTenantPlan", args, ("auth.UpdateTenantPlan", reserved))
    assert render_dialog(asked, Reader.of(lang)).splitlines()[1].startswith(said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"next_plan_id": ""}, {"en": "The contract does not end on", "ja": "の解約は行われず"}),
        ({"next_plan_id": STARTER}, {"en": "This replaces the end of the contract", "ja": "予約済みの解約("}),
    ],
    ids=["dropped", "replaced by a plan"],
)
@pytest.mark.parametrize("lang", ["en", "ja"])
async def test_a_call_that_drops_the_scheduled_end_of_a_contract_says_so(
    catalogue: Catalogue, lang: Language, more: dict[str, Any], said: dict[Language, str]
) -> None:
    end = {"tenant_id": AOZORA, "next_plan_id": "", "using_next_plan_from": 1_775_001_600}
    asked = await ask(catalogue, "auth.UpdateTenantPlan", {"tenant_id": AOZORA, **more}, ("auth.UpdateTenantPlan", end))
    lines = render_dialog(asked, Reader.of(lang)).splitlines()
    assert ({"en": "scheduled end", "ja": "解約の予約"}[lang] in lines[0]) is (more["next_plan_id"] == "")
    assert any(said[lang] in line for line in lines)


@pytest.mark.parametrize("lang", ["en", "ja"])
async def test_a_start_on_the_first_of_this_month_is_no_reservation_that_could_be_cancelled(
    catalogue: Catalogue, lang: Language
) -> None:
    first = int(NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp())
    args = {"tenant_id": AOZORA, "next_plan_id": STARTER, "using_next_plan_from": first}
    asked = await ask(catalogue, "auth.UpdateTenantPlan", args)
    text = render_dialog(asked, Reader.of(lang))
    assert {"en": "as of", "ja": "にさかのぼって"}[lang] in text.splitlines()[0]
    assert {"en": "From 10 minutes before", "ja": "適用の10分前を過ぎると"}[lang] not in text
    assert asked.undo is None


@pytest.mark.parametrize(
    "more",
    [
        {"tenant_id": AOZORA, "using_next_plan_from": 1_775_001_600},
        {"tenant_id": AOZORA, "next_plan_id": STARTER, "using_next_plan_from": 1_775_001_600},
        {"tenant_id": uid("tenant", "midori")},
    ],
    ids=["end", "change", "reservation dropped"],
)
async def test_a_reservation_that_can_be_undone_does_not_speak_of_a_loss(
    catalogue: Catalogue, more: dict[str, Any]
) -> None:
    asked = await ask(catalogue, "auth.UpdateTenantPlan", {"next_plan_id": "", **more})
    assert asked.undo == one_of("question.undo", "undoable_approved").both()


@pytest.mark.parametrize(
    ("tax", "warned", "present"),
    [("", True, False), ("jp_consumption_10", False, False), ("jp_consumption_10_included", False, True)],
    ids=["left out", "the same", "another"],
)
async def test_a_plan_change_says_whether_the_tax_rate_stays(
    catalogue: Catalogue, tax: str, warned: bool, present: bool
) -> None:
    args = {"tenant_id": AOZORA, "next_plan_id": STARTER} | ({"next_plan_tax_rate_id": uid("tax", tax)} if tax else {})
    asked = await ask(catalogue, "auth.UpdateTenantPlan", args)
    lines = render_dialog(asked, Reader.of("ja")).splitlines()
    assert any("税率の指定がありません" in line for line in lines) is warned
    assert ("税率(現在と異なる): 「消費税10%(内税)」" in lines) is present


@pytest.mark.parametrize("lang", ["en", "ja"])
async def test_prices_in_tiers_say_how_the_tiers_are_charged(catalogue: Catalogue, lang: Language) -> None:
    asked = await ask(catalogue, "auth.UpdateTenantPlan", {"tenant_id": AOZORA, "next_plan_id": STARTER})
    text = render_dialog(asked, Reader.of(lang))
    for kind, unit in (("tiered", "ストレージ段階"), ("tiered_usage", "受注件数段階従量")):
        quoted = {"en": f"“{unit}”", "ja": f"「{unit}」"}[lang]
        assert one_of("question.tiered_unit", kind, unit=quoted).text(lang) in text


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "Schedule the end of the contract of"), ("ja", "の解約を予約します(")]
)
async def test_the_end_of_a_contract_is_called_scheduled(catalogue: Catalogue, lang: Language, said: str) -> None:
    end = {"tenant_id": AOZORA, "next_plan_id": "", "using_next_plan_from": 1_775_001_600}
    asked = await ask(catalogue, "auth.UpdateTenantPlan", end)
    assert said in render_dialog(asked, Reader.of(lang)).splitlines()[0]
