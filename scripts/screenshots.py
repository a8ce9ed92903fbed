"""Pictures of the console and the apps for the documentation, in both languages: the real server before the sandbox, in a real browser."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from playwright.sync_api import sync_playwright

from saasus_mcp.catalog import load_catalogue
from scripts import app_pictures, question_pictures
from tests.support.browser_server import CHROMIUM, FLAGS, BrowserServer, start_browser_server
from tests.support.console_data import fill_console
from tests.support.openid_provider import SECRET

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = Path(__file__).parent.parent / "docs" / "images"
SIZE = {"width": 900, "height": 640}
NARROW = {"width": 390, "height": 760}
OTHER = {"en": "audit", "ja": "tools"}


def main() -> None:
    """Take every picture."""
    os.environ["TEST_SECRET"] = SECRET
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        start_browser_server(Path(folder)) as stage,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        code = fill_console(stage)["pending"]
        for lang in ("en", "ja"):
            _take(browser, stage, lang, code)
        question_pictures.take(browser, stage, load_catalogue())
        app_pictures.take(browser, IMAGES)
        browser.close()


def _take(browser: Browser, stage: BrowserServer, lang: str, code: str) -> None:
    with _page(browser, lang) as page:
        _enter(page, stage)
        _shoot(page, f"console-approvals-{lang}")
        page.goto(f"{stage.url}/console/approvals/{code}")
        _shoot(page, f"console-approval-{lang}", whole=True)
        page.goto(f"{stage.url}/console/{OTHER[lang]}")
        _shoot(page, f"console-{OTHER[lang]}-{lang}")
    with _page(browser, lang, scheme="dark", size=NARROW) as page:
        _enter(page, stage)
        page.goto(f"{stage.url}/console/approvals/{code}")
        _shoot(page, f"console-narrow-{lang}")


@contextmanager
def _page(browser: Browser, lang: str, scheme: Literal["light", "dark"] = "light", size: Any = SIZE) -> Iterator[Page]:
    locale = {"en": "en-GB", "ja": "ja-JP"}[lang]
    context = browser.new_context(locale=locale, color_scheme=scheme, viewport=size, java_script_enabled=False)
    yield context.new_page()
    context.close()


def _enter(page: Page, stage: BrowserServer) -> None:
    page.goto(f"{stage.url}/console")
    page.locator("#token").fill(stage.token("sato"))
    page.locator("#token").press("Enter")
    page.wait_for_url(f"{stage.url}/console")


def _shoot(page: Page, name: str, *, whole: bool = False) -> None:
    page.screenshot(path=IMAGES / f"{name}.png", full_page=whole)


if __name__ == "__main__":
    main()
