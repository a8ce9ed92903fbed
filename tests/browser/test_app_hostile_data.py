"""The apps show hostile and huge data as bounded text, and reach nothing outside their frame."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.app_host import APPS, AppHost
from tests.support.app_results import (
    HOSTILE,
    MARKUP,
    awaited_approval,
    hostile_value,
    people,
    report,
    result_of,
    usage_chart,
)

OpenClient = Callable[..., AppHost]


def hostile_results() -> dict[str, dict[str, Any]]:
    """Return results whose every text is hostile, by app."""
    row = {
        MARKUP: MARKUP,
        "name": HOSTILE[1],
        "deep": hostile_value(),
        **{f"field {n}": text for n, text in enumerate(HOSTILE)},
    }
    job = {
        "csv": f"{MARKUP},b\n{MARKUP},2\n", "why": MARKUP, "waiting": MARKUP, "notes": [*HOSTILE], "counts": {MARKUP: MARKUP},
        "rows": [{**row, "outcome": MARKUP}],
    }  # fmt: skip
    shown = report(**job)
    shown["_meta"]["saasus.io/app"] |= {"chart": usage_chart(MARKUP), "title": MARKUP}
    approval = awaited_approval(
        question={"en": "\n".join(HOSTILE)}, code=MARKUP, url="javascript:alert(1)", command=MARKUP
    )
    return {"table": result_of({"rows": [row] * 3, MARKUP: MARKUP}), "job": shown, "approval": approval}


@pytest.mark.parametrize("name", APPS)
def test_hostile_values_are_inert_text(open_client: OpenClient, name: str) -> None:
    client = open_client()
    app = client.show(name, hostile_results()[name])
    for button in app.get_by_role("button", name=re.compile("Details|figures|table$|more column")).all():
        button.click()
    assert app.locator("img, script:not(body > script), iframe, a").count() == 0
    assert app.evaluate("document.title") != "run"
    text = app.inner_text("#app")
    assert "<img src=x" in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b]", text), "what reorders text is replaced"
    assert len(text) < 40_000
    assert "run" not in client.page.evaluate("seen")


def test_a_huge_answer_is_shown_in_bounded_time(open_client: OpenClient) -> None:
    rows = [{f"field{n}": f"{row}-{n}" for n in range(100)} for row in range(6_000)]
    app = open_client().show("table", result_of({"rows": rows}))
    assert app.get_by_text("These are the first 5,000 of 6,000 rows.").is_visible()
    assert app.locator("tbody tr").count() == 10
    app.get_by_role("button", name=re.compile("more columns")).click()
    app.locator("thead th").nth(59).wait_for()
    assert app.locator("thead th").count() == 60


@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize(
    "result",
    [
        {},
        {"content": 3, "structuredContent": [1], "_meta": 5},
        {"structuredContent": {"job": 1, "jobs": 2, "result": {"a": [None, 3]}}},
    ],
)
def test_a_result_of_another_shape_breaks_nothing(open_client: OpenClient, name: str, result: dict[str, Any]) -> None:
    assert open_client().show(name, result).inner_text("#app").strip()


def test_messages_from_elsewhere_are_ignored(open_client: OpenClient) -> None:
    client = open_client()
    app = client.show("table", result_of(people(3)))
    forged = {
        "jsonrpc": "2.0",
        "method": "ui/notifications/tool-result",
        "params": result_of({"rows": [{"name": "forged"}]}),
    }
    app.evaluate("(message) => window.postMessage(message, '*')", forged)
    client.send("ui/notifications/host-context-changed", {"locale": "ja-JP"})
    app.get_by_text("3件", exact=True).wait_for()
    assert "forged" not in app.inner_text("#app")


@pytest.mark.parametrize("name", APPS)
def test_an_app_reaches_no_network_even_if_its_script_tried(open_client: OpenClient, name: str) -> None:
    client = open_client()
    app = client.show(name, report() if name == "job" else result_of(people(3)))
    blocked = app.evaluate(
        """async () => {
          const found = new Set();
          const all = new Promise((done) => addEventListener("securitypolicyviolation", (event) => {
            if (found.add(event.effectiveDirective).size === 4) done();
          }));
          await fetch("https://elsewhere.test/").catch(() => {});
          const picture = new Image(); picture.src = "https://elsewhere.test/x.png";
          const script = document.createElement("script"); script.textContent = "window.ran = 1"; document.body.append(script);
          const style = document.createElement("style"); style.textContent = "@import url(https://elsewhere.test/x.css)"; document.body.append(style);
          await all;
          return [...found, window.ran];
        }"""
    )
    assert {*blocked} == {"connect-src", "img-src", "script-src-elem", "style-src-elem", None}
    assert client.requests == []
    client.faults.clear()  # the refusals above
