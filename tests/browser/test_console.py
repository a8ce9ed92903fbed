"""The console as people use it: in a real browser, by mouse or keyboard, without JavaScript."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest

from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.question.content import Question
from tests.browser.conftest import Open
from tests.support.approvals import pending_approval
from tests.support.browser_server import BrowserServer
from tests.support.questions import hostile, invitation_question, long_list, plan_change, price_change

if TYPE_CHECKING:
    from playwright.sync_api import Page

SignIn = Callable[..., "Page"]
NAME = "株式会社あおぞら"
PREVIEW = "This cannot be undone"


def said(page: Page) -> str:
    """Return the text of the page below its head."""
    text: str = page.locator("main").inner_text()
    return text


@pytest.fixture
def name(stage: BrowserServer) -> str:
    """Of a tenant that is there."""
    return stage.names()[0]


def test_an_approval_is_read_given_and_used_once(stage: BrowserServer, signed_in: SignIn, name: str) -> None:
    approval = stage.asks_to_delete(name)
    page = signed_in(stage)
    assert name in said(page)
    assert "SANDBOX" in page.locator("body").inner_text()
    page.get_by_role("link", name="Review").click()
    assert PREVIEW in said(page)
    assert "15 min left" in said(page)
    page.get_by_label("To approve, type the name").fill(name)
    page.get_by_role("button", name="Approve once").click()
    assert "can make exactly this call once" in said(page)
    assert "by token:boss" in said(page)
    arguments = {"tenant_id": stage.tenant(name)}
    assert stage.calls("auth_delete_tenant", arguments).ok
    assert name not in stage.names()
    page.reload()
    assert "Approved and carried out" in said(page)
    page.get_by_role("link", name="Audit records of this approval").click()
    assert "Applied" in said(page)
    assert approval.code in page.content()
    page.get_by_role("link", name="The approval").first.click()
    page.wait_for_url(f"**/approvals/{approval.code}")


def test_it_works_by_keyboard_alone(stage: BrowserServer, signed_in: SignIn, name: str) -> None:
    stage.asks_to_delete(name)
    page = signed_in(stage)

    def tabs_to(text: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            focused = page.locator(":focus")
            if focused.count() and text in (focused.inner_text() or focused.get_attribute("id") or ""):
                return
        pytest.fail(f"Tab never comes to {text!r}")

    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to content"
    tabs_to("Review")
    page.keyboard.press("Enter")
    page.wait_for_url("**/approvals/*")
    tabs_to("name")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    page.get_by_text("can make exactly this call once").wait_for()
    assert stage.status() == "approved"


def test_a_wrong_name_is_reported_beside_the_field_and_approves_nothing(
    stage: BrowserServer, signed_in: SignIn, name: str
) -> None:
    stage.asks_to_delete(name)
    page = signed_in(stage)
    page.get_by_role("link", name="Review").click()
    page.locator("#name").fill("somebody else")
    page.get_by_role("button", name="Approve once").click()
    assert "The name does not match. Nothing was approved." in page.get_by_role("alert").inner_text()
    assert page.locator("#name").get_attribute("aria-describedby") == page.get_by_role("alert").get_attribute("id")
    assert stage.status() == "pending"


def test_a_rejection_reaches_the_assistant_with_its_reason(stage: BrowserServer, signed_in: SignIn, name: str) -> None:
    stage.asks_to_delete(name)
    page = signed_in(stage)
    page.get_by_role("link", name="Review").click()
    page.get_by_label("Comment").fill("契約を確認中です")
    page.get_by_role("button", name="Reject").click()
    assert "Rejected." in said(page)
    assert "契約を確認中です" in said(page)
    answer = stage.calls("auth_delete_tenant", {"tenant_id": stage.tenant(name)})
    assert not answer.ok
    assert "契約を確認中です" in answer.text
    assert name in stage.names()


def test_an_approval_that_expires_while_shown_is_not_approved(
    stage: BrowserServer, signed_in: SignIn, name: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = signed_in(stage)
    page.get_by_role("link", name="Review").click()
    page.locator("#name").fill(name)
    stage.lets_expire(approval.code)
    page.get_by_role("button", name="Approve once").click()
    assert "It is no longer pending" in said(page)
    assert "The approval request expired on" in said(page)
    assert page.get_by_role("button", name="Approve once").count() == 0
    assert stage.status() == "stale"
    assert "must approve this first" in stage.calls("auth_delete_tenant", {"tenant_id": stage.tenant(name)}).text


def test_where_it_takes_two_people_the_one_who_asked_cannot_approve(
    stage: BrowserServer, signed_in: SignIn, name: str
) -> None:
    stage.under(replace(PRESETS["guarded"], two_person=True))
    stage.asks_to_delete(name, Principal("token:boss"))
    own = signed_in(stage)
    own.get_by_role("link", name="Review").click()
    assert "someone other than token:boss" in said(own)
    assert own.get_by_role("button", name="Approve once").count() == 0
    assert own.get_by_role("button", name="Reject").count() == 1
    other = signed_in(stage, "deputy")
    other.get_by_role("link", name="Review").click()
    assert "Someone other than the requester must approve it." in said(other)
    other.locator("#name").fill(name)
    other.get_by_role("button", name="Approve once").click()
    assert "by token:deputy" in said(other)
    assert stage.status() == "approved"


def test_a_link_to_an_approval_asks_who_you_are_and_leads_on(stage: BrowserServer, opened: Open, name: str) -> None:
    approval = stage.asks_to_delete(name)
    page = opened(f"{stage.url}/console/approvals/{approval.code}")
    assert page.url.endswith("/console/sign-in")
    assert name not in page.content()
    page.locator("#token").fill(stage.token("boss"))
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"**/approvals/{approval.code}")
    assert PREVIEW in said(page)
    assert stage.status() == "pending"


def test_wrong_revoked_and_callers_tokens_open_nothing(stage: BrowserServer, opened: Open, signed_in: SignIn) -> None:
    page = opened(f"{stage.url}/console")
    for token in ("smcp_" + "A" * 43, stage.token("bob", "caller"), "x"):
        page.locator("#token").fill(token)
        page.get_by_role("button", name="Sign in", exact=True).click()
        assert "You cannot sign in with this token" in page.get_by_role("alert").inner_text()
    inside = signed_in(stage, "boss")
    assert stage.accounts.revoke("boss", time.time())
    inside.reload()
    assert "Your session has ended" in said(inside), "with its token, the session ends"


def test_signing_out_everywhere_ends_the_other_browser_too(stage: BrowserServer, signed_in: SignIn) -> None:
    one, other = signed_in(stage), signed_in(stage)
    one.goto(f"{stage.url}/console/session")
    one.get_by_role("button", name="Sign out in every browser").click()
    other.reload()
    assert one.url == f"{stage.url}/console/sign-in"
    assert "Your session has ended" in said(other)


def test_a_one_time_link_signs_its_owner_in_once(private: BrowserServer, opened: Open) -> None:
    link = private.link()
    page = opened(link)
    page.get_by_role("button", name="Open the console").click()
    assert "No pending approvals." in said(page)
    assert "used before or is older than five minutes" in said(opened(link))


def test_single_sign_on_lets_approvers_in_and_nobody_else(stage: BrowserServer, opened: Open, name: str) -> None:
    approval = stage.asks_to_delete(name)
    page = opened(f"{stage.url}/console/approvals/{approval.code}")
    page.get_by_role("link", name="Sign in with single sign-on").click()
    page.get_by_role("link", name="hanako").click()
    page.wait_for_url(f"**/approvals/{approval.code}")
    assert "Signed in as hanako" in page.locator("header").inner_text()
    page.get_by_role("link", name="hanako").click()
    page.wait_for_url("**/session")
    assert f"oidc:{stage.openid.issuer}|hanako" in said(page)
    for person, why in (
        ("taro", "not in the approvers' group (approvers)"),
        ("nobody", "provider cancelled the sign-in"),
    ):
        other = opened(f"{stage.url}/console/sso")
        other.get_by_role("link", name=person).click()
        assert why in said(other)
        other.goto(f"{stage.url}/console")
        assert other.url.endswith("/sign-in")


def test_somebody_elses_answer_of_the_provider_signs_nobody_in(stage: BrowserServer, opened: Open) -> None:
    with httpx2.Client() as attacker:
        begun = attacker.get(f"{stage.url}/console/sso").headers["location"]
        answer = attacker.get(f"{stage.openid.issuer}/as/hanako?{urlsplit(begun).query}").headers["location"]
    victim = opened(answer)
    assert "started in another browser" in said(victim)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["another site", "another port of this host"])
@pytest.mark.parametrize("action", ["approve", "reject", "freeze", "sign-out"])
def test_a_form_on_another_site_decides_nothing(
    stage: BrowserServer, signed_in: SignIn, name: str, host: str, action: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = signed_in(stage)
    aim = {"to": f"{stage.url}/console/{action}", "code": approval.code, "name": name, "profile": "sandbox"}
    page.goto(f"{stage.openid.issuer.replace('127.0.0.1', host)}/trap?{urlencode(aim)}")
    with page.expect_navigation() as went:
        page.get_by_role("button", name="Win").click()
    assert went.value is not None
    # From another site the strict cookie does not come along; from another port it does, and the form is refused.
    assert went.value.status == 403 or (host == "127.0.0.1" and went.value.url.endswith("/sign-in"))
    assert stage.status() == "pending"
    assert stage.pipeline.store.active_freeze() is None
    page.goto(f"{stage.url}/console")
    assert "Pending approvals" in said(page), "and nobody was signed out"


def test_another_site_cannot_frame_the_console(stage: BrowserServer, signed_in: SignIn, name: str) -> None:
    approval = stage.asks_to_delete(name)
    page = signed_in(stage)
    aim = {"to": f"{stage.url}/console/approvals/{approval.code}"}
    page.goto(f"{stage.openid.issuer}/trap?{urlencode(aim)}")
    framed = page.frames[1]
    assert name not in framed.content()


def test_a_link_on_another_site_leads_a_signed_in_person_to_the_approval(
    stage: BrowserServer, signed_in: SignIn, name: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = signed_in(stage)
    aim = {"to": f"{stage.url}/console/approvals/{approval.code}"}
    page.goto(f"{stage.openid.issuer}/trap?{urlencode(aim)}")
    page.get_by_role("link", name="Go").click()
    page.get_by_text(PREVIEW).wait_for()


def test_it_speaks_japanese_to_who_reads_japanese(stage: BrowserServer, signed_in: SignIn, name: str) -> None:
    stage.asks_to_delete(name)
    page = signed_in(stage, locale="ja-JP")
    assert page.locator("html").get_attribute("lang") == "ja"
    assert "承認待ち" in said(page)
    page.get_by_role("link", name="内容を確認").click()
    assert "元に戻せません" in said(page)
    assert "JST" in said(page)
    page.locator("#name").fill("違う名前")
    page.get_by_role("button", name="一度だけ承認する").click()
    assert "一致しません" in page.get_by_role("alert").inner_text()
    for path in (
        "audit",
        "jobs",
        "changes",
        "tools",
        "tools/auth_delete_tenant",
        "policy",
        "limits",
        "secrets",
        "session",
    ):
        page.goto(f"{stage.url}/console/{path}")
        assert re.search("[ぁ-んァ-ヶ]{3}", said(page)), path
    page.get_by_role("button", name="English").click()
    page.wait_for_url("**/session")
    assert "Sign out in every browser" in said(page)


def test_a_freeze_stops_what_was_approved_until_it_is_lifted(
    stage: BrowserServer, signed_in: SignIn, name: str
) -> None:
    stage.asks_to_delete(name)
    page = signed_in(stage)
    page.get_by_role("link", name="Review").click()
    page.locator("#name").fill(name)
    page.get_by_role("button", name="Approve once").click()
    page.get_by_role("link", name="Limits and freeze").click()
    page.get_by_label("Reason").fill("investigating")
    page.get_by_role("button", name="Freeze writes").click()
    assert "Writes are frozen" in said(page)
    assert "investigating" in stage.calls("auth_delete_tenant", {"tenant_id": stage.tenant(name)}).text
    page.get_by_label("I have checked that writes may run again.").check()
    page.get_by_role("button", name="Lift the freeze on sandbox").click()
    assert "Writes are allowed" in said(page)
    assert stage.calls("auth_delete_tenant", {"tenant_id": stage.tenant(name)}).ok


def test_a_hidden_secret_is_shown_once(stage: BrowserServer, signed_in: SignIn) -> None:
    answer = (
        stage.calls("apigateway_get_api_keys", {}).text + stage.calls("auth_get_auth_credentials", {"code": "c"}).text
    )
    handle = re.search(r"secret://r/[0-9a-f]+", answer)
    assert handle
    page = signed_in(stage)
    page.get_by_role("link", name="Secrets").click()
    page.get_by_label("Handle").fill(handle[0])
    page.get_by_role("button", name="Reveal once").click()
    shown = page.locator("pre.name").inner_text()
    assert shown
    assert shown not in answer
    page.get_by_label("Handle").fill(handle[0])
    page.get_by_role("button", name="Reveal once").click()
    assert "already revealed" in page.get_by_role("alert").inner_text()


def test_the_decision_for_anybody_can_be_looked_up(stage: BrowserServer, signed_in: SignIn) -> None:
    page = signed_in(stage)
    page.get_by_role("link", name="Tools").click()
    page.get_by_label("Search tools").fill("auth_delete_tenant")
    page.get_by_text("Decisions for token:boss").click()
    page.get_by_label("Principal ID").fill("token:carol")
    page.get_by_role("button", name="Search").click()
    row = page.get_by_role("row").filter(has=page.get_by_text("auth_delete_tenant", exact=True))
    assert "Critical" in row.inner_text()
    assert "guarded policy: critical" in row.inner_text()
    assert "Cannot be undone" in row.inner_text()


@pytest.mark.parametrize("asked", [hostile, plan_change, price_change, invitation_question, long_list])
def test_no_question_runs_out_of_a_narrow_screen(
    stage: BrowserServer, signed_in: SignIn, asked: Callable[[], Question]
) -> None:
    now = time.time()
    wanted = pending_approval(profile="sandbox", requested_at=now, expires_at=now + 900, preview=asked().to_json())
    stage.pipeline.store.request_approval(wanted, 5)
    page = signed_in(stage, viewport={"width": 360, "height": 740})
    for address in (f"/approvals/{wanted.code}", ""):
        page.goto(f"{stage.url}/console{address}")
        page.locator("summary").first.click() if address else None
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/jobs",
        "/changes",
        "/audit",
        "/tools",
        "/tools/pricing_update_pricing_unit",
        "/limits",
        "/policy",
        "/session",
    ],
)
def test_on_a_narrow_screen_nothing_runs_out_of_it(
    stage: BrowserServer, signed_in: SignIn, name: str, path: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = signed_in(stage, viewport={"width": 360, "height": 740})
    for address in (path, f"/approvals/{approval.code}"):
        page.goto(f"{stage.url}/console{address}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, address
