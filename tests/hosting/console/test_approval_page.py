"""The pages of approvals: what a person reads before the decision, and in which order."""

from __future__ import annotations

import re

import pytest

from saasus_mcp.common.language import Text
from saasus_mcp.permissions.question.content import NamedItem, QuestionWarning, Sentence
from tests.support.approvals import NOW
from tests.support.console import REQUESTED_AT, ConsoleSession, csrf_token
from tests.support.questions import (
    LOST,
    deletion,
    described_calls,
    invitation_question,
    long_list,
    plan_change,
    price_change,
)


async def shown(stage: ConsoleSession, lang: str = "en") -> str:
    """Return the page of the pending approval."""
    async with stage.signed_in(**{"accept-language": lang}) as client:
        return (await client.get("/console/approvals/ABCD-2345")).text


def text_of(page: str) -> str:
    """Return the text of a page, without tags."""
    return " ".join(re.sub("<[^>]*>", " ", page).split())


async def test_ids_and_the_tool_stand_behind_the_exact_request_alone(stage: ConsoleSession) -> None:
    stage.create_approval()
    page = await shown(stage)
    before, request = page.split('<details class="sheet request">')
    for each in ("auth_delete_tenant", "da8d500a-6679-4dd5-a3f1-6b5f6a0b6d2e"):
        assert each not in before
        assert each in request
    assert "auth.DeleteTenant" not in page


async def test_the_irreversible_warning_stands_above_the_facts(stage: ConsoleSession) -> None:
    stage.create_approval()
    page = await shown(stage)
    notice = page.index('<ul class="notices grave">')
    assert notice < page.index("This cannot be undone.") < page.index("<dl") < page.index("Decide")


async def test_warnings_come_before_the_first_facts(stage: ConsoleSession) -> None:
    stage.create_approval(preview=plan_change().to_json())
    page = await shown(stage)
    assert page.index("This cannot be undone.") < page.index("Takes effect")


async def test_the_irreversible_warning_is_the_first_one(stage: ConsoleSession) -> None:
    warnings = (QuestionWarning("consequence", Text("People lose access.", "利用できなくなります。")), LOST)
    stage.create_approval(preview=deletion(warnings=warnings).to_json())
    page = await shown(stage)
    assert page.index("This cannot be undone.") < page.index("People lose access.")


async def test_after_the_decision_warnings_are_those_of_the_past(stage: ConsoleSession) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        data = {"csrf": csrf_token(await client.get("/console")), "code": REQUESTED_AT.code}
        await client.post("/console/reject", data=data)
        page = (await client.get(f"/console/approvals/{REQUESTED_AT.code}")).text
    assert '<ul class="notices grave">' not in page
    assert page.index("Warnings at the time of the request") < page.index("This cannot be undone.")


async def test_a_long_name_in_the_list_leaves_the_verb_in_sight(stage: ConsoleSession) -> None:
    name = "長い名前" * 20 + "二号店"
    said = Sentence(Text("Delete {target}", "{target} を削除します"), (("target", NamedItem(name)),))
    stage.create_approval(name=name, preview=deletion(name, headline=said).to_json())
    async with stage.signed_in(**{"accept-language": "ja"}) as client:
        title = re.findall("<h2>(.*?)</h2>", (await client.get("/console")).text)[0]
        page = text_of((await client.get(f"/console/approvals/{REQUESTED_AT.code}")).text)
    assert title.endswith("二号店」を削除します"), "the end of a name tells it from others"
    assert len(title) < len(name)
    assert f"「{name}」を削除します" in page


async def test_the_text_to_type_is_explained(stage: ConsoleSession) -> None:
    stage.create_approval(name="青空商事", preview=deletion("青空商事").to_json())
    assert "type the name of the target, as in the title: 青空商事" in text_of(await shown(stage))


async def test_a_text_to_type_that_is_no_name_is_called_a_text(stage: ConsoleSession) -> None:
    stage.create_approval(preview=price_change(typed=Text("Harbor Lights Inc.", "Harbor Lights Inc.")).to_json())
    assert "To approve, type this text: Harbor Lights Inc." in text_of(await shown(stage))


async def test_each_call_of_a_list_is_an_item_of_its_own(stage: ConsoleSession) -> None:
    stage.create_approval(preview=described_calls("Aozora", "Midori").to_json())
    page = await shown(stage)
    for name in ("Aozora", "Midori"):
        assert re.search(rf"<li>\s*<bdi>{name} \(", page)


async def test_changes_are_a_table_of_before_and_after(stage: ConsoleSession) -> None:
    stage.create_approval(preview=plan_change().to_json())
    page = text_of(await shown(stage, lang="ja"))
    assert "項目 現在 変更後 料金プラン 「ビジネスプラン」 「スタータープラン」 基本料 49,800円/月 9,800円/月" in page


async def test_the_prices_of_a_row_are_those_of_the_same_quantities(stage: ConsoleSession) -> None:
    stage.create_approval(preview=price_change().to_json())
    page = text_of(await shown(stage))
    rows = "up to 100 ¥0 ¥0 101 to 1,000 ¥500 + ¥20 each ¥15 each 1,001 or more ¥10 each ¥15 each"
    assert f"Quantity Current New {rows}" in page


async def test_a_long_list_is_whole(stage: ConsoleSession) -> None:
    stage.create_approval(preview=long_list(40).to_json())
    page = await shown(stage)
    assert all(f"person{number:02}@example.jp" in page for number in range(40))
    assert "40 in all" in page


async def test_a_long_text_is_whole_in_the_request_which_is_then_open(stage: ConsoleSession) -> None:
    stage.create_approval(preview=invitation_question().to_json())
    page = await shown(stage)
    assert '<details class="sheet request" open>' in page
    assert invitation_question().details[-1].value in page
    assert "Shown in full under" in page


async def test_the_requesters_reason_is_shown_as_their_words(stage: ConsoleSession) -> None:
    stage.create_approval(preview=deletion(reason="Contract\nended").to_json())
    assert "Reason given by the requester: “Contract↵ended”" in await shown(stage)


@pytest.mark.parametrize(("lang", "said"), [("en", "Tue 1 Dec 2026, 00:00 UTC"), ("ja", "2026年12月1日(火) 09:00 JST")])
async def test_times_are_those_of_the_language(stage: ConsoleSession, lang: str, said: str) -> None:
    stage.create_approval(preview=plan_change().to_json())
    assert said in await shown(stage, lang)


async def test_pending_approvals_keep_their_order_while_time_passes(stage: ConsoleSession) -> None:
    for number, expires in enumerate((NOW + 900.2, NOW + 900.4, NOW + 900.9)):
        stage.create_approval(
            code=f"AAAA-AAA{number + 2}", binding=str(number), expires_at=expires, requested_at=NOW + number
        )
    async with stage.signed_in() as client:
        for later in (0.0, 0.3, 0.5):
            stage.now = NOW + 10 + later
            page = (await client.get("/console")).text
            assert re.findall(r'data-row href="/console/approvals/AAAA-AAA(\d)"', page) == ["2", "3", "4"]
