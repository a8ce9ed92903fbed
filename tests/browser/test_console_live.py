"""The console with its script: what arrives while a page is open, two people at once, and the keyboard."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from anyio.to_thread import run_sync
from starlette.requests import Request

from saasus_mcp.hosting.console.live import LiveStreams
from saasus_mcp.hosting.console.signin_routes import SigninRoutes
from saasus_mcp.store.records import Freeze
from saasus_mcp.store.signin_sessions import Approver, ConsoleSession
from tests.support.browser_notifications import shown_notifications, turn_on_notifications, wait_for_notifications
from tests.support.browser_server import BrowserServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make test-browser")
expect = playwright.expect

SignIn = Callable[..., "Page"]
NEW = "An approval is pending"
"""The title of a notification."""


@pytest.fixture
def name(stage: BrowserServer) -> str:
    """Of a tenant that is there."""
    return stage.names()[0]


@pytest.fixture
def live(stage: BrowserServer, signed_in: SignIn) -> Callable[..., Page]:
    """Return a function that opens the console with scripts, once its stream is open."""

    def sign_in(person: str = "boss", path: str = "", **given: object) -> Page:
        page = signed_in(stage, person, scripts=True, **given)
        if path:
            page.goto(f"{stage.url}/console{path}")
        page.locator("#live-sign:not(.lost)").wait_for()
        return page

    return sign_in


def test_an_approval_arrives_without_reloading(stage: BrowserServer, live: Callable[..., Page], name: str) -> None:
    page = live()
    assert "No pending approvals" in page.locator("main").inner_text()
    page.evaluate("window.kept = true")
    stage.asks_to_delete(name)
    page.get_by_role("link", name="Review").wait_for(timeout=5_000)
    assert page.title().startswith("(1) ")
    assert page.locator("[data-count]").inner_text() == "1"
    assert page.evaluate("window.kept"), "the page was not loaded again"


def test_the_count_is_in_the_title_of_every_page(stage: BrowserServer, live: Callable[..., Page], name: str) -> None:
    page = live(path="/policy")
    stage.asks_to_delete(name)
    expect(page).to_have_title(re.compile(r"^\(1\) "), timeout=5_000)


def test_of_two_people_the_second_sees_at_once_what_the_first_decided(
    stage: BrowserServer, live: Callable[..., Page], name: str
) -> None:
    approval = stage.asks_to_delete(name)
    first = live("boss", f"/approvals/{approval.code}")
    second = live("deputy", f"/approvals/{approval.code}")
    second.locator("#name").fill(name)
    first.get_by_label("Comment").fill("Not before Friday")
    first.get_by_role("button", name="Reject").click()
    second.get_by_text("Rejected.").first.wait_for(timeout=5_000)
    assert "by token:boss" in second.locator("main").inner_text()
    assert "Not before Friday" in second.locator("main").inner_text()
    assert second.get_by_role("button", name="Approve once").count() == 0


def test_a_page_that_was_left_at_once_does_not_end_the_stream_of_the_next(
    stage: BrowserServer, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_stream, find = LiveStreams.open, SigninRoutes.find_session
    asked, opened = threading.Event(), threading.Event()

    async def find_session(routes: SigninRoutes, request: Request) -> ConsoleSession | None:
        session, first = await find(routes, request), not asked.is_set()
        if first and request.url.path.endswith("/events"):
            asked.set()
            assert await run_sync(opened.wait, 20), "the stream of the next page is opened before this one"
        return session

    def open_and_report(*given: Any, **more: Any) -> Any:
        stream = open_stream(*given, **more)
        opened.set()
        return stream

    monkeypatch.setattr(SigninRoutes, "find_session", find_session)
    monkeypatch.setattr(LiveStreams, "open", open_and_report)
    page = signed_in(stage, scripts=True)
    assert asked.wait(20)
    page.goto(f"{stage.url}/console/policy")
    page.locator("#live-sign:not(.lost)").wait_for()
    page.evaluate("window.kept = true")
    stage.asks_to_delete(stage.names()[0])
    expect(page).to_have_title(re.compile(r"^\(1\) "), timeout=5_000)
    assert page.locator("#live-sign.lost").count() == 0


def test_typed_text_stays_when_something_else_arrives(
    stage: BrowserServer, live: Callable[..., Page], name: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = live(path=f"/approvals/{approval.code}")
    page.locator("#name").fill("half a na")
    page.get_by_label("Comment").fill("why")
    stage.asks_to_delete(stage.names()[1])
    expect(page).to_have_title(re.compile(r"^\(2\) "), timeout=5_000)
    assert page.locator("#name").input_value() == "half a na"
    assert page.get_by_label("Comment").input_value() == "why"


def test_a_comment_on_an_approval_is_kept_and_recorded(
    stage: BrowserServer, live: Callable[..., Page], name: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = live(path=f"/approvals/{approval.code}")
    page.locator("#name").fill(name)
    page.get_by_label("Comment").fill("Contract ended in May")
    page.get_by_role("button", name="Approve once").click()
    page.get_by_text("Contract ended in May").wait_for()
    page.get_by_role("link", name="Audit records of this approval").click()
    assert page.get_by_role("link", name="The approval").count() == 2, "the records of the request and of the decision"
    page.locator("td summary").first.click()
    assert "Contract ended in May" in page.locator("main").inner_text()


def test_the_time_left_counts_down_and_its_end_is_shown(
    stage: BrowserServer, live: Callable[..., Page], name: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = live(path=f"/approvals/{approval.code}")
    expect(page.locator("#decide [data-left]")).to_have_text(re.compile("^14:5[0-9] left$"))
    stage.lets_expire(approval.code)
    page.get_by_text("The approval request expired on").first.wait_for(timeout=5_000)
    assert page.locator("#decide").count() == 0


def test_an_ended_session_is_reported_and_signing_in_leads_back(
    stage: BrowserServer, live: Callable[..., Page], name: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = live("boss", f"/approvals/{approval.code}")
    assert stage.accounts.revoke("boss", time.time())
    page.get_by_text("Your session has ended.").first.wait_for(timeout=5_000)
    page.get_by_role("link", name="Sign in and return to this page").click()
    page.wait_for_url("**/sign-in?why=ended")
    page.locator("#token").fill(stage.token("deputy"))
    page.locator("#token").press("Enter")
    page.wait_for_url(f"**/approvals/{approval.code}")


def test_a_session_that_ended_before_the_stream_is_opened_is_reported_in_every_tab(
    stage: BrowserServer, signed_in: SignIn, name: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = signed_in(stage, scripts=True)
    tabs = [page, page.context.new_page()]
    page.context.route(
        "**/console/events?*", lambda route: (stage.accounts.revoke("boss", time.time()), route.continue_())
    )
    for each in tabs:
        each.goto(f"{stage.url}/console/approvals/{approval.code}")
        each.get_by_text("Your session has ended.").first.wait_for(timeout=5_000)


def test_the_page_of_a_refused_form_is_live_under_its_own_address(
    stage: BrowserServer, live: Callable[..., Page], name: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = live("boss", f"/approvals/{approval.code}")
    page.locator("#name").fill("Another name")
    page.get_by_label("Comment").fill("As agreed")
    page.get_by_role("button", name="Approve once").click()
    page.get_by_text("The name does not match.").wait_for()
    assert page.url.endswith(f"/approvals/{approval.code}")
    assert page.get_by_label("Comment").input_value() == "As agreed"
    page.locator("#live-sign:not(.lost)").wait_for()
    stage.console.service.reject(Approver("token:deputy", frozenset({"operators"})), approval.code, "")
    page.get_by_text("Rejected.").first.wait_for(timeout=5_000)
    page.reload()
    assert "Rejected." in page.locator("main").inner_text()


def test_several_tabs_share_one_stream(stage: BrowserServer, live: Callable[..., Page], name: str) -> None:
    page = live()
    other = page.context.new_page()
    other.goto(f"{stage.url}/console/policy")
    stage.asks_to_delete(name)
    for each in (page, other):
        expect(each).to_have_title(re.compile(r"^\(1\) "), timeout=5_000)
    assert len(stage.console.streams) == 1
    page.close()
    stage.asks_to_delete(stage.names()[1])
    expect(other).to_have_title(re.compile(r"^\(2\) "), timeout=10_000)


@pytest.fixture
def notified(stage: BrowserServer, signed_in: SignIn) -> Page:
    """Open the console with notifications turned on."""
    page = signed_in(stage, scripts=True, permissions=["notifications"])
    greeting = turn_on_notifications(page)
    assert greeting.body.startswith("New approvals are shown like this")
    assert page.locator("#notify").get_attribute("aria-pressed") == "true"
    page.locator("#live-sign:not(.lost)").wait_for()
    return page


def test_the_first_state_of_a_page_leaves_the_greeting(stage: BrowserServer, signed_in: SignIn) -> None:
    page = signed_in(stage, scripts=True, permissions=["notifications"])
    # The stream opens in the tab that has the lock: here the other one, until the greeting is shown.
    other = page.context.new_page()
    other.goto(f"{stage.url}/console/notifications.js")
    other.evaluate(
        "void navigator.locks.request('saasus-console', () => new Promise((done) => { window.release = done; }))"
    )
    page.reload()
    other.wait_for_function("Boolean(window.release)")
    greeting = turn_on_notifications(page)
    other.evaluate("window.release()")
    page.locator("#live-sign:not(.lost)").wait_for()
    page.evaluate("new Promise((done) => { setTimeout(done, 0); })")
    assert shown_notifications(page) == [greeting]


def test_each_new_approval_is_notified_once_in_all_tabs(stage: BrowserServer, notified: Page, name: str) -> None:
    other = notified.context.new_page()
    other.goto(f"{stage.url}/console/audit")
    code = stage.asks_to_delete(name).code
    expect(other).to_have_title(re.compile(r"^\(1\) "), timeout=5_000)
    [shown] = wait_for_notifications(other, NEW)
    assert name in shown.body
    assert shown.path == f"/console/approvals/{code}"


def test_a_notification_goes_when_the_approval_is_decided(stage: BrowserServer, notified: Page, name: str) -> None:
    code = stage.asks_to_delete(name).code
    wait_for_notifications(notified, NEW)
    stage.console.service.reject(Approver("token:deputy", frozenset({"operators"})), code, "")
    wait_for_notifications(notified)


def test_an_approval_that_came_while_no_page_was_open_is_notified_by_the_next_one(
    stage: BrowserServer, notified: Page, name: str
) -> None:
    notified.goto("about:blank")
    stage.asks_to_delete(name)
    notified.goto(f"{stage.url}/console/policy")
    wait_for_notifications(notified, NEW)


def test_no_notification_comes_after_they_are_turned_off(stage: BrowserServer, notified: Page, name: str) -> None:
    notified.locator("#notify").click()
    expect(notified.locator("#notify")).to_have_attribute("aria-pressed", "false")
    stage.asks_to_delete(name)
    notified.get_by_role("link", name="Review").wait_for(timeout=5_000)
    assert NEW not in [each.title for each in shown_notifications(notified)]


def test_a_freeze_appears_and_goes_without_reloading(stage: BrowserServer, live: Callable[..., Page]) -> None:
    page = live()
    store = stage.pipeline.store
    store.freeze(Freeze(time.time(), "local:me", "an incident", "sandbox"))
    band = page.locator(".frozen")
    expect(band).to_contain_text("All writes on the profile sandbox are frozen", timeout=5_000)
    store.unfreeze("sandbox")
    expect(band).to_have_count(0, timeout=5_000)


def test_the_keyboard_goes_through_the_list_and_can_be_turned_off(
    stage: BrowserServer, live: Callable[..., Page], name: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = live()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/approvals/{approval.code}")
    page.keyboard.press("a")
    page.keyboard.type("jr?")
    assert page.locator("#name").input_value() == "jr?"
    page.locator("#name").blur()
    page.keyboard.press("r")
    assert page.locator(":focus").get_attribute("id") == "reason"
    page.locator("#reason").blur()
    for key, path in (("p", "policy"), ("f", "limits"), ("s", "secrets"), ("i", "session"), ("t", "tools")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"**/{path}")
    page.keyboard.press("?")
    page.get_by_label("Use keyboard shortcuts in this browser").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.url.endswith("/tools")
    assert page.locator("[data-row]:focus").count() == 0


def test_a_menu_leads_to_pages_pending_approvals_and_tools(
    stage: BrowserServer, live: Callable[..., Page], name: str
) -> None:
    approval = stage.asks_to_delete(name)
    page = live()
    page.keyboard.press("Control+k")
    found = page.locator("#menu-found a")
    found.filter(has_text=name).wait_for()
    page.keyboard.type("poli")
    expect(page.locator("#menu-count")).to_have_text("1 found")
    expect(found.first).to_have_text("Policy")
    page.keyboard.press("Enter")
    page.wait_for_url("**/policy")
    page.keyboard.press("Control+k")
    page.keyboard.type("テナントの削除")
    found.filter(has_text="Delete a tenant").first.wait_for()
    page.locator("#menu-words").fill(name)
    expect(found.first).to_contain_text(name)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/approvals/{approval.code}")
