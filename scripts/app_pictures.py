"""Pictures of the apps for the documentation, in both languages: what a real server answers, in a client in a real browser."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.app_host import open_host
from tests.support.app_server import AppServer, start_app_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDTH = 720
LOCALES = {"en": "en-GB", "ja": "ja-JP"}


def take(browser: Browser, images: Path) -> None:
    """Take every picture."""
    with tempfile.TemporaryDirectory() as folder, start_app_server(Path(folder)) as stage:
        tenant = stage.call("auth_get_tenants")["structuredContent"]["tenants"][0]["id"]
        shown = {
            "usage": ("job", stage.call("job_metering_report", {"from": "2026-01", "to": "2026-12"})),
            "table": ("table", stage.call("auth_get_saas_users")),
            "approval": ("approval", stage.call("auth_delete_tenant", {"tenant_id": tenant})),
        }
        for language, locale in LOCALES.items():
            for name, (app, result) in shown.items():
                _shoot(browser, stage, (app, result, locale), images / f"app-{name}-{language}.png")


def _shoot(browser: Browser, stage: AppServer, shown: tuple[str, dict[str, Any], str], file: Path) -> None:
    app, result, locale = shown
    context = browser.new_context(locale=locale, viewport={"width": WIDTH, "height": 2_000})
    client = open_host(context, stage.ask)
    title = {"en-GB": "SaaS users", "ja-JP": "SaaSユーザー一覧"}[locale]
    view = client.show(app, result, locale=locale, theme="light", toolInfo={"tool": {"title": title}})
    height = view.evaluate("Math.ceil(document.body.getBoundingClientRect().height)")
    client.page.wait_for_function("(height) => document.getElementById('sandbox').offsetHeight === height", arg=height)
    client.page.locator("#sandbox").screenshot(path=file)
    context.close()
