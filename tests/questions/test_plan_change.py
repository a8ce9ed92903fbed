"""The hardest question of all: from which plan to which, when, and at what price."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.sandbox.state import uid
from scripts.stage import ask

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
