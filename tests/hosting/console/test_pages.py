"""What the console's pages show, in both languages, to whom, and when a store is away."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx2
import pytest

from saasus_mcp.common import timezones
from saasus_mcp.hosting.console.service import PolicyText
from saasus_mcp.hosting.console.signin_sessions import ConsoleSession as SignedIn
from saasus_mcp.hosting.console.signin_sessions import LocalSessions
from saasus_mcp.store import Approval, StoreError
from tests.support.approvals import NOW
from tests.support.console import CALL, JOB, REQUESTED_AT, ConsoleSession, csrf_token
from tests.support.questions import deletion, invitation_question, long_list, plan_change, price_change

NAME = "<b>株式会社青空</b>\u202e"
PAGES = ["", "/approvals/ABCD-2345", "/audit", "/tools", "/policy", "/limits", "/secrets", "/session"]


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_shown_to_who_is_not_signed_in(stage: ConsoleSession, path: str) -> None:
    stage.create_approval()
    async with stage.browser() as client:
        answer = await client.get("/console" + path)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/sign-in"
    assert "青空" not in answer.text


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("lang", ["en", "ja"])
async def test_every_page_is_there_in_both_languages_and_escapes_what_it_shows(
    stage: ConsoleSession, path: str, lang: str
) -> None:
    stage.create_approval(name=NAME)
    async with stage.signed_in(**{"accept-language": lang}) as client:
        answer = await client.get("/console" + path)
    assert answer.status_code == 200
    assert f'<html lang="{lang}">' in answer.text
    assert "<b>" not in answer.text
    assert re.findall("<script[^>]*>", answer.text) == [script_of(answer.text)]
    assert "\u202e" not in answer.text
    assert "default-src 'none'; script-src 'self'; connect-src 'self';" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def script_of(page: str) -> str:
    """Return the tag of the console's own script, the only one of a page."""
    found = re.search(r'<script src="/console/console\.js\?v=[0-9a-f]{12}" defer>', page)
    assert found is not None
    return found[0]


async def test_ids_and_the_tool_stand_behind_the_exact_request_alone(stage: ConsoleSession) -> None:
    stage.create_approval()
    page = await shown(stage)
    before, request = page.split('<details class="sheet request">')
    for each in ("auth_delete_tenant", "da8d500a-6679-4dd5-a3f1-6b5f6a0b6d2e"):
        assert each not in before
        assert each in request
    assert "auth.DeleteTenant" not in page


async def test_what_cannot_be_undone_stands_above_the_facts(stage: ConsoleSession) -> None:
    stage.create_approval()
    page = await shown(stage)
    notice = page.index('<ul class="notices grave">')
    assert notice < page.index("This cannot be undone.") < page.index("<dl") < page.index("Decide")


async def test_changes_are_a_table_of_before_and_after(stage: ConsoleSession) -> None:
    stage.create_approval(preview=plan_change().to_json())
    page = text_of(await shown(stage, lang="ja"))
    assert "項目 現在 変更後 料金プラン 「ビジネスプラン」 「スタータープラン」 基本料 49,800円/月 9,800円/月" in page


async def test_a_tier_that_goes_is_seen_to_go(stage: ConsoleSession) -> None:
    stage.create_approval(preview=price_change().to_json())
    page = text_of(await shown(stage))
    assert "Quantity Current New up to 100 ¥0 ¥0 up to 1,000 ¥500 + ¥20 each (none) above ¥10 each ¥15 each" in page


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


async def test_times_are_those_of_the_zone_that_the_server_or_the_reader_chose(stage: ConsoleSession) -> None:
    stage.create_approval(preview=plan_change().to_json())
    stage.console = replace(stage.console, zone=timezones.find_time_zone("Asia/Tokyo"))
    stage.serve()
    async with stage.signed_in() as client:
        assert "09:00 JST" in (await client.get("/console/approvals/ABCD-2345")).text
        refused = await zone(client, "Nowhere/Land")
        assert (refused.status_code, "This time zone does not exist" in refused.text) == (422, True)
        await zone(client, "America/New_York")
        assert "Mon 30 Nov 2026, 19:00 EST" in (await client.get("/console/approvals/ABCD-2345")).text
        await zone(client, "")
        assert "09:00 JST" in (await client.get("/console/approvals/ABCD-2345")).text


@pytest.mark.parametrize("lang", ["en", "ja"])
async def test_the_time_zone_that_is_shown_can_be_saved_again(stage: ConsoleSession, lang: str) -> None:
    async with stage.signed_in(**{"accept-language": lang}) as client:
        page = await client.get("/console/session")
        shown = re.search(r'name="zone" value="([^"]*)"', page.text)
        assert shown is not None
        assert (await zone(client, shown[1])).status_code == 303


async def zone(client: httpx2.AsyncClient, name: str) -> httpx2.Response:
    token = csrf_token(await client.get("/console/session"))
    return await client.post("/console/time-zone", data={"csrf": token, "zone": name})


async def shown(stage: ConsoleSession, lang: str = "en") -> str:
    """Return the page of the pending approval."""
    async with stage.signed_in(**{"accept-language": lang}) as client:
        return (await client.get("/console/approvals/ABCD-2345")).text


def text_of(page: str) -> str:
    """Return the text of a page, without tags."""
    return " ".join(re.sub("<[^>]*>", " ", page).split())


async def test_the_audit_is_filtered_and_its_chain_judged(stage: ConsoleSession) -> None:
    for number, operation in enumerate(["auth.GetTenant", "auth.DeleteTenant"]):
        stage.store.record_refusal(
            f"call-{number}", {"operation": operation, "principal": "bob", "profile": "production"}, NOW
        )
    async with stage.signed_in() as client:
        page = await client.get("/console/audit", params={"operation": "Delete", "verify": "1"})
    assert "auth_delete_tenant" in page.text
    assert "auth_get_tenant" not in page.text
    assert "No tampering found: 2 records" in page.text


@pytest.mark.parametrize("key", ["action", "deed"], ids=["written now", "written by version 0.1.0"])
async def test_the_audit_shows_what_a_person_decided(stage: ConsoleSession, key: str) -> None:
    stage.store.record_decision({key: "policy_taken", "principal": "bob", "profile": "production"}, NOW)
    async with stage.signed_in() as client:
        page = await client.get("/console/audit")
    assert "loaded a policy" in re.sub(r"<(pre|details).*?</\1>", "", page.text, flags=re.DOTALL)


async def test_decisions_are_those_of_the_chosen_person(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        page = await client.get("/console/tools", params={"who": "carol"})
    row = next(line for line in page.text.splitlines() if ">auth_delete_tenant<" in line)
    assert '<span class="tag approve">approve</span>' in row
    assert "cannot be undone" in row
    assert 'value="carol"' in page.text


async def test_the_reader_can_change_the_language(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        assert "Approvals" in (await client.get("/console")).text
        await client.post("/console/language")
        assert "承認" in (await client.get("/console")).text


@pytest.mark.parametrize("days", ["", "x", "nan", "inf", "-5", "1e999"])
async def test_a_strange_filter_is_no_failure(stage: ConsoleSession, days: str) -> None:
    async with stage.signed_in() as client:
        strange = {"from": days, "to": days, "event": days, "before": days, "profile": "nosuch"}
        assert (await client.get("/console/audit", params=strange)).status_code == 200


async def test_what_is_not_there_is_said_to_be_so(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        for path in ("/console/nothing", "/console/approvals/ZZZZ-ZZZZ", "/console/a/b/c"):
            answer = await client.get(path)
            assert (answer.status_code, "This page does not exist." in answer.text) == (404, True)


async def test_a_store_that_cannot_be_read_is_no_blank_page(
    stage: ConsoleSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> list[Approval]:
        raise StoreError.of("store.unusable", reason="disk I/O error")

    async with stage.signed_in() as client:
        token = csrf_token(await client.get("/console"))
        monkeypatch.setattr(stage.store, "list_approvals", broken)
        monkeypatch.setattr(stage.store, "get_secret", broken)
        for answer in (
            await client.get("/console"),
            await client.post("/console/approve", data={"csrf": token, "code": REQUESTED_AT.code}),
            await client.post("/console/reveal", data={"csrf": token, "handle": "x"}),
        ):
            assert answer.status_code == 503
            assert "This page cannot be shown now" in answer.text
            assert "disk I/O" not in answer.text


async def test_sessions_that_cannot_be_read_are_no_blank_page(stage: ConsoleSession) -> None:
    class Away(LocalSessions):
        def find(self, cookie: str, now: float) -> SignedIn | None:
            raise StoreError.of("store.unusable", reason="The database rejected the operation")

    async with stage.signed_in() as client:
        known = client.cookies
    stage.serve(sessions=Away())
    async with stage.browser() as client:
        client.cookies = known
        for path in ("/console", "/console/nowhere", "/console/session"):
            answer = await client.get(path)
            assert (answer.status_code, "This page cannot be shown now" in answer.text) == (503, True), path


async def test_a_policy_that_was_edited_since_is_said_to_be_so(stage: ConsoleSession) -> None:
    written = PolicyText("version: 1", outdated=True)
    stage.console = replace(stage.console, service=replace(stage.console.service, read_policy=lambda: written))
    stage.serve()
    async with stage.signed_in() as client:
        assert "not in force yet" in (await client.get("/console/policy")).text


async def test_people_have_their_name_beside_the_id(stage: ConsoleSession) -> None:
    hanako = {"principal_name": "佐藤花子", "principal_email": "hanako@example.jp"}
    record = {"operation": "auth.GetRoles", "principal": "bob", "profile": "production", **hanako}
    stage.store.commit("c9" * 16, record, NOW)
    stage.create_approval()
    stage.start_job()
    stage.change_role()
    async with stage.signed_in() as client:
        for path in ("", "/approvals/ABCD-2345", "/jobs", f"/jobs/{JOB}", "/changes", f"/changes/{CALL}", "/audit"):
            page = (await client.get(f"/console{path}")).text
            assert "佐藤花子 (hanako@example.jp)" in page, path
            assert re.search(r'class="id" title="bob">bob<', page), path
        for path in ("", "/jobs", "/changes", "/audit"):
            assert "hanako@example.jp" in (await client.get(f"/console{path}?q=佐藤花子")).text, path
