"""What the console's pages show, in both languages, to whom, and when a store is away."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from saasus_mcp.common import timezones
from saasus_mcp.common.language import Text
from saasus_mcp.hosting.console.service import PolicyText
from saasus_mcp.hosting.console.signin_sessions import ConsoleSession as SignedIn
from saasus_mcp.hosting.console.signin_sessions import LocalSessions
from saasus_mcp.permissions.policy.file import ReloadablePolicy
from saasus_mcp.permissions.policy.presets import ReadOnlyPolicy
from saasus_mcp.permissions.question.content import NamedItem, QuestionWarning, Sentence
from saasus_mcp.store import Approval, Freeze, StoreError
from tests.support.approvals import NOW
from tests.support.console import CALL, JOB, REQUESTED_AT, ConsoleSession, csrf_token
from tests.support.questions import LOST, deletion, invitation_question, long_list, plan_change, price_change

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


@pytest.mark.parametrize("path", [*PAGES, "/jobs", "/changes", "/nothing", "/jobs/gone"])
async def test_every_page_says_that_writes_are_frozen(stage: ConsoleSession, path: str) -> None:
    stage.create_approval()
    stage.store.freeze(Freeze(NOW, "local:me", "an incident", "production"))
    async with stage.signed_in() as client:
        frozen = await client.get("/console" + path)
        stage.store.unfreeze("production")
        lifted = await client.get("/console" + path)
    assert ('class="frozen"' in frozen.text, 'class="frozen"' in lifted.text) == (True, False)
    assert "All writes on the profile production are frozen" in frozen.text
    assert frozen.text.count("an incident") == 1


async def test_an_answer_to_a_form_says_that_writes_are_frozen(stage: ConsoleSession) -> None:
    stage.store.freeze(Freeze(NOW, "local:me", "", "production"))
    async with stage.signed_in() as client:
        fields = {"csrf": csrf_token(await client.get("/console/secrets")), "handle": "secret://r/nosuch"}
        assert 'class="frozen"' in (await client.post("/console/reveal", data=fields)).text
        unknown = {"csrf": fields["csrf"], "profile": "nowhere"}
        assert 'class="frozen"' in (await client.post("/console/freeze", data=unknown)).text


@pytest.mark.parametrize(
    ("status", "said"),
    [(200, "success (HTTP 200)"), (404, "not found (HTTP 404)"), (418, "invalid request (HTTP 418)")],
)
async def test_the_audit_says_in_words_what_the_api_answered_and_which_rule_decided(
    stage: ConsoleSession, status: int, said: str
) -> None:
    record = {"operation": "auth.GetTenant", "principal": "bob", "profile": "production", "rule": "guarded/critical"}
    stage.store.commit("c9" * 16, {**record, "decision": "approve"}, NOW)
    stage.store.finish_call("c9" * 16, {"status": status, "ok": status == 200, "applied": "not_applied"}, at=NOW)
    async with stage.signed_in() as client:
        page = await client.get("/console/audit")
    assert said in page.text
    assert "policy: needs approval" in page.text
    shown, folded = re.sub("<details.*?</details>", "", page.text, flags=re.DOTALL), "guarded policy: critical"
    assert folded in page.text
    assert folded not in shown


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


async def test_a_command_in_a_text_is_set_as_code(stage: ConsoleSession) -> None:
    async with stage.browser() as client:
        page = (await client.get("/console/sign-in")).text
    assert ">saasus-mcp token new NAME --role approver</code>" in page


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
    assert "auth_<wbr>delete_<wbr>tenant" in page.text
    assert "auth_<wbr>get_<wbr>tenant" not in page.text
    assert "No tampering found: 2 records" in page.text.partition('<form class="sheet')[0]


@pytest.mark.parametrize("key", ["action", "deed"], ids=["written now", "written by version 0.1.0"])
async def test_the_audit_shows_what_a_person_decided(stage: ConsoleSession, key: str) -> None:
    stage.store.record_decision({key: "policy_taken", "principal": "bob", "profile": "production"}, NOW)
    async with stage.signed_in() as client:
        page = await client.get("/console/audit")
    assert "loaded a policy" in re.sub(r"<(pre|details).*?</\1>", "", page.text, flags=re.DOTALL)


async def test_decisions_are_those_of_the_chosen_person(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        page = await client.get("/console/tools", params={"who": "carol"})
    row = next(line for line in page.text.splitlines() if ">auth_<wbr>delete_<wbr>tenant<" in line)
    assert '<span class="tag approve">needs approval</span>' in row
    assert "cannot be undone" in row
    assert 'value="carol"' in page.text


async def test_a_tool_is_shown_with_its_preconditions_and_reasons_in_the_readers_language(
    stage: ConsoleSession,
) -> None:
    async with stage.signed_in(**{"accept-language": "ja"}) as client:
        page = await client.get("/console/tools/auth_delete_tenant")
    for part in (
        "テナント用に構築したインフラは残ります",
        "有料の顧客とそのデータがすべて失われます",
        "レベルが「重大」の操作",
    ):
        assert part in page.text


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


async def test_a_missing_page_is_reported(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        for path in ("/console/nothing", "/console/approvals/ZZZZ-ZZZZ", "/console/a/b/c"):
            answer = await client.get(path)
            assert (answer.status_code, "<h1>Page not found</h1>" in answer.text) == (404, True)


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


async def test_the_rules_of_a_preset_are_a_table_and_the_file_is_folded(stage: ConsoleSession) -> None:
    async with stage.signed_in(**{"accept-language": "ja"}) as client:
        page = (await client.get("/console/policy")).text
    table, _, rest = page.partition("</table>")
    rows = re.findall(r'<tr>\n<td class="lead".*?</tr>', table, re.DOTALL)
    shown = [re.findall(r'<span class="tag [^>]*>([^<]*)', row) for row in rows]
    assert shown[0] == ["参照", "許可"]
    assert shown[-1] == ["重大", "承認が必要"]
    assert "version: 1" not in table
    assert "version: 1" in rest.partition("<details")[2]


RULES = """
version: 1
groups: {support: [token:hanako]}
confirm_via: approval
rules:
  - {name: keep-tenants, then: deny, tools: [auth_delete_tenant], reason: tenants stay}
  - {name: support-writes, then: confirm, levels: [write], who: [support], profile: [production]}
  - {name: mails, then: approve, effects: [email], when: "args.size() > 3"}
  - {name: prices, then: approve, module: [pricing]}
  - {name: others, then: allow, tools: ["*"]}
"""


async def test_the_rules_of_a_file_show_whom_and_what_they_are_about(stage: ConsoleSession, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(RULES, encoding="utf-8")
    policy = ReadOnlyPolicy(ReloadablePolicy(tmp_path / "policy.yaml"))
    stage.console = replace(stage.console, service=replace(stage.console.service, policy=policy))
    stage.serve()
    async with stage.signed_in() as client:
        page = (await client.get("/console/policy")).text
    rows = re.findall(r'<tr>\n<td class="lead".*?</tr>', page, re.DOTALL)
    shown = [" ".join(re.sub(r"<[^>]*>", " ", row.replace("<wbr>", "")).split()) for row in rows]
    assert shown == [
        "Delete a tenant auth_delete_tenant deny Everyone Any – keep-tenants tenants stay",
        "write a change that is easily put back needs approval support production – support-writes",
        "sends e-mail needs approval Everyone Any args.size() &gt; 3 mails",
        "Module pricing needs approval Everyone Any – prices",
        "All tools allow Everyone Any – others",
    ]
    assert "token:hanako" in page
    assert "This server only reads" in page


async def test_a_wrong_secret_handle_can_be_corrected(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        fields = {"csrf": csrf_token(await client.get("/console/secrets")), "handle": "secret://r/nosuch"}
        page = await client.post("/console/reveal", data=fields)
    assert page.status_code == 422
    assert 'value="secret://r/nosuch"' in page.text


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


async def test_a_wrong_time_zone_can_be_corrected(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        page = await zone(client, "Tokyo")
    assert page.status_code == 422
    assert 'name="zone" value="Tokyo"' in page.text
