"""The notifications that a page of the console has handed to the computer. A headless browser keeps them too."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHOWN = """
    async () => {
        const shower = await navigator.serviceWorker.getRegistration("/console/notifications.js");
        const shown = (await shower?.getNotifications()) ?? [];
        return shown.map((each) => [each.title, each.body, each.data]);
    }
"""
RECORD = """
    if (window.ServiceWorkerRegistration) {
        const show = ServiceWorkerRegistration.prototype.showNotification;
        const recorded = () => JSON.parse(localStorage.getItem("recorded") ?? "[]");
        ServiceWorkerRegistration.prototype.showNotification = async function (title, options) {
            await show.call(this, title, options);
            localStorage.setItem("recorded", JSON.stringify([...recorded(), title]));
        };
    }
"""
"""Chromium drops a notification that is not on the screen yet when the list is read: the tests read it afterwards."""
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification that is shown. The path is that of the page which a click opens."""

    title: str
    body: str
    path: str


def shown_notifications(page: Page) -> list[Notification]:
    """Return what is shown now."""
    return [Notification(*each) for each in page.evaluate(SHOWN)]


def wait_for_notifications(page: Page, *titles: str) -> list[Notification]:
    """Wait until exactly the notifications with these titles are shown, and return them."""
    end = time.monotonic() + SECONDS
    shown: list[Notification] = []
    while time.monotonic() < end:
        recorded = json.loads(page.evaluate("localStorage.getItem('recorded') ?? '[]'"))
        if set(titles) <= set(recorded):
            shown = shown_notifications(page)
            if sorted(each.title for each in shown) == sorted(titles):
                return shown
        page.wait_for_timeout(20)
    raise AssertionError(f"shown: {shown}")


def turn_on_notifications(page: Page) -> Notification:
    """Press the button of the page with the approvals. Return the notification that shows how the next ones look."""
    page.context.add_init_script(RECORD)
    page.evaluate(f"() => {{{RECORD}}}")
    page.locator("#notify").click()
    [greeting] = wait_for_notifications(page, page.title())
    return greeting
