"""Every page of the console meets WCAG 2.2 AA as far as axe can tell: in both languages, light and dark, wide and narrow."""

from __future__ import annotations

import importlib.resources
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from saasus_mcp.store.records import Freeze
from tests.support.approvals import pending_approval
from tests.support.browser_server import BrowserServer
from tests.support.console_data import JOB, RUNNING_JOB, fill_console
from tests.support.questions import plan_change, price_change

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("axe_playwright_python", reason="axe-core is not installed: make test-browser")
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = [
    "",
    "?q=nothing+like+this",
    "/approvals/{pending}",
    "/approvals/{rejected}",
    "/approvals/{prices}",
    "/approvals/{plan}",
    "/jobs",
    f"/jobs/{JOB}",
    f"/jobs/{RUNNING_JOB}",
    "/changes",
    "/changes/{change}",
    "/audit",
    "/audit?verify=1",
    "/tools?q=delete",
    "/tools/pricing_update_pricing_unit",
    "/policy",
    "/limits",
    "/secrets",
    "/session",
    "/nothing",
]


@pytest.mark.parametrize("width", [1100, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "ja-JP"])
def test_axe_finds_nothing(
    stage: BrowserServer, signed_in: Callable[..., Page], locale: str, scheme: str, width: int
) -> None:
    codes = fill_console(stage)
    for name, question in (("prices", price_change()), ("plan", plan_change())):
        now = time.time()
        codes[name] = f"{name[:4].upper()}-2345"
        wanted = pending_approval(
            profile="sandbox", code=codes[name], binding=name, requested_at=now, expires_at=now + 900,
            preview=question.to_json(),
        )  # fmt: skip
        assert stage.pipeline.store.request_approval(wanted, 9)
    given = {"locale": locale, "color_scheme": scheme, "viewport": {"width": width, "height": 800}, "scripts": True}
    page = signed_in(stage, **given)
    found = {}
    for path in PAGES:
        page.goto(f"{stage.url}/console{path.format(**codes)}")
        found[path] = violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    stage.pipeline.store.freeze(Freeze(time.time(), "local:me", "an incident", "sandbox"))
    page.goto(f"{stage.url}/console/limits")
    found["frozen"] = violations(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("?")
    found["shortcuts"] = violations(page)
    page.keyboard.press("Escape")
    page.locator("#shortcuts").wait_for(state="hidden")  # in an open dialog, the next keys are text
    page.keyboard.press("Control+k")
    page.locator("#menu-found a").first.wait_for()
    found["menu"] = violations(page)
    page.context.clear_cookies()
    for path in ("/sign-in", "/sign-in?why=ended", "/enter/made-up"):
        page.goto(f"{stage.url}/console{path}")
        found[path] = violations(page)
    assert {path: each for path, each in found.items() if each} == {}


def violations(page: Page) -> list[str]:
    """Return what axe finds, with the elements."""
    page.evaluate(AXE)
    results = page.evaluate(f"axe.run(document, {{runOnly: {json.dumps(RULES)}}})")
    return [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in results["violations"]]
