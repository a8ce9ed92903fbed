"""Every app meets WCAG 2.2 AA as far as axe can tell: in both languages, light and dark, wide and narrow.

Each pair of these is there once. All eight combinations would take twice the time.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.app_host import AppHost
from tests.support.app_results import awaited_approval, failed_job, people, report, result_of, running_job

pytest.importorskip("axe_playwright_python", reason="axe-core is not installed: make test-browser")
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDE = 760
CLIENT_COLORS = {
    "--color-background-primary": "light-dark(#faf9f5, #262624)",
    "--color-text-primary": "light-dark(#141413, #faf9f5)",
}
"""Colors that a client may give, which wide apps get here."""
STATES: dict[str, tuple[str, dict[str, Any] | None]] = {
    "nothing yet": ("table", None),
    "table": ("table", result_of(people(40), result="saasus://results/1", totals={"users": 300})),
    "no rows": ("table", result_of({"users": []})),
    "failure": ("table", result_of(None, failed=True, failure={"en": ["It is gone."], "ja": ["ありません。"]})),
    "running job": ("job", running_job(waiting="It waits for an approval.", steps={"applied": 38, "failed": 2})),
    "failed job": ("job", failed_job()),
    "unknown outcome": ("approval", result_of(None, failed=True, applied="unknown")),
    "report": ("job", report()),
    "jobs": (
        "job",
        result_of({"jobs": [{"job": "ab" * 16, "name": "job_export_users", "status": "done", "at": 1.8e9}]}),
    ),
    "pending approval": ("approval", awaited_approval(two_person=True)),
    "rejected approval": ("approval", awaited_approval(status="rejected", comment="not now")),
    "done": ("approval", result_of({"applied": True})),
}


@pytest.mark.parametrize(
    ("locale", "theme", "width"),
    [("en-GB", "light", WIDE), ("en-GB", "dark", 340), ("ja-JP", "light", 340), ("ja-JP", "dark", WIDE)],
)
def test_axe_finds_nothing(open_client: Callable[..., AppHost], locale: str, theme: str, width: int) -> None:
    client, found = open_client(width), dict[str, list[str]]()
    styles = {"variables": CLIENT_COLORS} if width == WIDE else {}
    for state, (name, result) in STATES.items():
        app = client.show(name, result, locale=locale, theme=theme, styles=styles)
        for button in app.locator("button[aria-expanded=false]:visible, .choices [aria-pressed=false]").all():
            if button.is_visible():
                button.click()
        found[state] = violations(app)
        assert app.evaluate("document.documentElement.scrollWidth") <= width, state
    assert {state: each for state, each in found.items() if each} == {}


def violations(app: Any) -> list[str]:
    """Return what axe finds in an app, with the elements. It is evaluated, because the app's policy allows no other script."""
    app.evaluate(AXE)
    result = app.evaluate("(rules) => axe.run(document, {runOnly: rules})", RULES)
    return [f"{each['id']}: {[node['html'][:200] for node in each['nodes']][:3]}" for each in result["violations"]]
