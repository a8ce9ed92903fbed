"""A headless Chromium and its pages. Without Chromium or Playwright the tests are skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.app_host import AppHost, open_host
from tests.support.browser_server import CHROMIUM, FLAGS, BrowserServer, start_browser_server
from tests.support.openid_provider import SECRET

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a browser for one module: while Playwright runs, the thread has an event loop, and no other can run."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make test-browser")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: apt-get install chromium, or set CHROMIUM")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BrowserServer]:
    monkeypatch.setenv("TEST_SECRET", SECRET)
    with start_browser_server(tmp_path) as made:
        yield made


@pytest.fixture
def private(tmp_path: Path) -> Iterator[BrowserServer]:
    """Start a server of one machine, which only a one-time link opens."""
    with start_browser_server(tmp_path, tokens=False) as made:
        yield made


def blocked(text: str) -> bool:
    """Return whether a page reports a blocked resource of its own. The frame of another site must be blocked."""
    return "Security Policy" in text and "frame-ancestors" not in text


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Return a function that opens a page, without JavaScript unless `scripts`.

    A resource that the page's policy blocks fails the test, and so does an error of a script.
    """
    contexts, complaints = [], []

    def open_page(url: str, locale: str = "en-GB", *, scripts: bool = False, **given: Any) -> Page:
        context = browser.new_context(locale=locale, java_script_enabled=scripts, **given)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda told: complaints.append(told.text) if blocked(told.text) else None)
        if scripts:
            page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def open_client(browser: Browser) -> Iterator[Callable[..., AppHost]]:
    """Return a function that opens a client that shows apps. A request to the network or an error of a script fails the test."""
    opened, contexts = list[AppHost](), []

    def open_page(width: int = 760, **given: Any) -> AppHost:
        contexts.append(browser.new_context(locale="en-GB", viewport={"width": width, "height": 700}))
        host = open_host(contexts[-1], **given)
        host.page.set_default_timeout(20_000)
        opened.append(host)
        return host

    yield open_page
    for context in contexts:
        context.close()
    assert [(host.requests, host.faults) for host in opened if host.requests or host.faults] == []


@pytest.fixture
def signed_in(opened: Open) -> Callable[..., Page]:
    """Return a function that opens the console with an approver token."""

    def sign_in(stage: BrowserServer, name: str = "boss", **given: Any) -> Page:
        page = opened(f"{stage.url}/console", **given)
        page.locator("#token").fill(stage.token(name))
        page.locator("#token").press("Enter")
        page.wait_for_url(f"{stage.url}/console")
        return page

    return sign_in


@pytest.fixture
def caller_in(opened: Open) -> Callable[..., Page]:
    """Return a function that opens the console by single sign-on, as an approver who is also a caller."""

    def sign_in(stage: BrowserServer, **given: Any) -> Page:
        page = opened(f"{stage.url}/console/sso", **given)
        page.get_by_role("link", name="hanako").click()
        # The first page at this address only leads on to itself, so that the browser sends the cookie: it has no menu.
        page.locator("nav").wait_for()
        return page

    return sign_in
