"""The apps of jobs and approvals follow what they show until it ends, and decide nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.app_host import APPS, AppHost, column
from tests.support.app_results import awaited_approval, failed_job, people, report, result_of, running_job
from tests.support.processes import TIMEOUT

OpenClient = Callable[..., AppHost]


def test_a_job_is_followed_until_it_is_over(open_client: OpenClient) -> None:
    answers = [running_job(80), report(job="ab" * 16)]
    client = open_client(ask_server=lambda _: answers.pop(0) if len(answers) > 1 else answers[0])
    app = client.show("job", running_job())
    assert app.get_by_role("progressbar").get_attribute("aria-valuenow") == "40"
    assert app.get_by_text("40 of 120 done").is_visible()
    app.get_by_text("80 of 120 done").wait_for()
    app.get_by_role("heading", name="Report usage").wait_for()
    assert {json.dumps(each) for each in client.asked} == {
        json.dumps({"method": "tools/call", "params": {"name": "job_status", "arguments": {"job": "ab" * 16}}})
    }


@pytest.mark.parametrize("followed", [True, False])
def test_a_job_that_failed_is_shown_as_failed_with_what_it_did(open_client: OpenClient, *, followed: bool) -> None:
    client = open_client(ask_server=lambda _: failed_job())
    app = client.show("job", running_job() if followed else failed_job(), locale="ja-JP")
    app.get_by_text("The API is gone.").wait_for()
    assert app.locator(".badge").all_inner_texts() == ["失敗"]
    assert app.get_by_role("heading", name="ユーザーの一括登録").is_visible()
    assert app.locator(".tiles").inner_text().split() == ["適用済み", "38"]
    assert len(client.asked) == followed, "nothing follows a job that is over"


@pytest.mark.parametrize("result", [running_job(), awaited_approval()], ids=["job", "approval"])
def test_a_state_that_cannot_be_read_any_more_is_said_to_be_old(
    open_client: OpenClient, result: dict[str, Any]
) -> None:
    client = open_client()
    client.page.clock.install()
    app = client.show("job", result)
    old, deadline = app.get_by_text("What is shown here is no longer updated."), time.monotonic() + TIMEOUT
    while not old.is_visible():  # the app asks again after an answer, which takes as long as it takes
        client.page.clock.run_for(10_000)
        assert time.monotonic() < deadline
    assert len(client.asked) == 3


def test_another_result_ends_the_following_of_the_one_before(open_client: OpenClient) -> None:
    shown: list[dict[str, Any]] = []

    def show_another(_: dict[str, Any]) -> dict[str, Any]:
        """Answer after the client has shown another result."""
        if not shown:
            shown.append(report(job="ef" * 16))
            client.send("ui/notifications/tool-result", shown[0])
            client.app.get_by_role("heading", name="Report usage").wait_for()
        return running_job(80)

    client = open_client(ask_server=show_another)
    app = client.show("job", running_job())
    app.get_by_role("heading", name="Report usage").wait_for()
    client.send("ui/notifications/host-context-changed", {"locale": "ja-JP"})
    app.get_by_role("heading", name="利用量レポート").wait_for()
    assert len(client.asked) == 1


def test_a_job_is_not_followed_without_a_way_to_its_server(open_client: OpenClient) -> None:
    client = open_client()
    client.page.clock.install()
    app = client.show("job", running_job(), capabilities={})
    client.page.clock.run_for(120_000)
    assert client.asked == []
    assert app.get_by_text("40 of 120 done").is_visible()


def test_a_report_has_its_chart_figures_and_table(open_client: OpenClient) -> None:
    client = open_client()
    app = client.show("job", report())
    chart = app.get_by_role("img", name="Line chart: Calls")
    assert chart.locator("polyline").count() == 2
    chart.hover(position={"x": 300, "y": 80})
    assert re.search(r"2026-\d\d", app.locator(".tip").inner_text())
    app.get_by_role("button", name="Storage").click()
    assert not chart.is_visible()
    bars = app.locator(".bars li")
    assert bars.all_inner_texts()[1].split("\n")[-1] == "1,200 / 1,000 (120%)"
    assert app.locator(".fill.over").count() == 1
    assert app.locator(".fill.near").count() == 1
    app.locator(".panel:visible").get_by_role("button", name="Show figures").click()
    assert column(app, "Amount") == ["900", "1,200", "0"]
    app.get_by_role("button", name="Show the table").click()
    assert app.get_by_text("Tenant, 11").count() == 0, "on the second page"
    assert app.get_by_text("Tenant, 9").is_visible()
    assert app.get_by_text("Named by a later version").is_visible()


def test_an_approval_is_shown_with_its_time_and_its_link(open_client: OpenClient) -> None:
    client = open_client()
    app = client.show("approval", awaited_approval())
    assert app.get_by_text("Delete the tenant “Aozora”").is_visible()
    left = app.get_by_role("timer").inner_text()
    assert re.fullmatch(r"(10:00|9:5\d) left", left)
    app.wait_for_function("(before) => document.querySelector('[role=timer]').textContent !== before", arg=left)
    app.get_by_role("button", name="Open the console").click()
    client.page.wait_for_function("seen.some((each) => each.method === 'ui/open-link')")
    assert client.sent("ui/open-link") == [{"url": "https://saasus.example.com/console/approvals/ABCD-2345"}]
    assert app.get_by_text("saasus-mcp approve ABCD-2345").is_visible()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("approved", "Approved. Ask the assistant to make the call again."),
        ("rejected", "Rejected. Nothing was changed."),
        ("used", "The approval was used for this call."),
        ("stale", "The approval is no longer valid. Nothing was changed."),
    ],
)
def test_the_decision_of_a_person_arrives(open_client: OpenClient, status: str, said: str) -> None:
    fresh = {"code": "ABCD-2345", "status": status, "comment": "not today"}
    client = open_client(
        ask_server=lambda asked: {"contents": [{"uri": asked["params"]["uri"], "text": json.dumps(fresh)}]}
    )
    app = client.show("approval", awaited_approval())
    app.get_by_text(said).wait_for()
    assert client.asked[0]["params"] == {"uri": "saasus://approvals/ABCD-2345"}
    assert app.get_by_role("button").count() == 0
    assert app.get_by_text("not today").is_visible()


def test_an_approval_ends_with_its_time(open_client: OpenClient) -> None:
    app = open_client().show("approval", awaited_approval(1.5), capabilities={})
    app.get_by_text("The time is over.").wait_for()
    assert app.get_by_text("Expired").is_visible()
    assert "Nothing was changed" not in app.inner_text("#app"), "it may have been approved and used meanwhile"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "http://elsewhere.test/", "file:///etc/passwd", "data:text/html,x", ""]
)
def test_only_addresses_of_a_console_are_links(open_client: OpenClient, url: str) -> None:
    app = open_client().show("approval", awaited_approval(url=url))
    assert app.get_by_role("button").count() == 0
    assert app.get_by_text("ABCD-2345").first.is_visible()


@pytest.mark.parametrize("name", APPS)
def test_nothing_that_a_person_can_press_decides_anything(open_client: OpenClient, name: str) -> None:
    client = open_client()
    results = {
        "approval": [awaited_approval()],
        "job": [awaited_approval(), report(), running_job()],
        "table": [result_of(people(30))],
    }
    for result in results[name]:
        app = client.show(name, result)
        assert app.locator("form, a[href], input:not([type=search])").count() == 0
        for button in app.get_by_role("button").all():
            if button.is_visible() and button.is_enabled():
                button.click()
        methods = {each.get("method") for each in client.page.evaluate("seen")} - {None}
        assert methods <= {
            "ui/initialize", "ui/notifications/initialized", "ui/notifications/size-changed", "ui/open-link", "tools/call", "resources/read",
        }  # fmt: skip
    assert {each["params"].get("name") for each in client.asked if each["method"] == "tools/call"} <= {"job_status"}
