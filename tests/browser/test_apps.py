"""The apps in a client in Chromium, which shows them as the extension asks for: in a sandbox, under the strictest policy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.app_host import AppHost
from tests.support.app_results import (
    HOSTILE,
    MARKUP,
    awaited_approval,
    failed_job,
    hostile_value,
    people,
    report,
    result_of,
    running_job,
    usage_chart,
)
from tests.support.app_server import start_app_server
from tests.support.job_server import JobServer

if TYPE_CHECKING:
    from playwright.sync_api import Frame

OpenClient = Callable[..., AppHost]
APPS = ("approval", "job", "table")


def column(app: Frame, heading: str) -> list[str]:
    """Return the cells of a column on this page."""
    table = app.locator("table:visible").first
    headings = table.locator("thead tr > *").all_inner_texts()
    [at] = [n for n, text in enumerate(headings) if text.strip(" ↑↓\n") == heading]
    return [each.strip() for each in table.locator(f"tbody tr > td:nth-child({at + 1})").all_inner_texts()]


# -- the dialect ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", APPS)
def test_an_app_shakes_hands_reports_its_size_and_answers_its_client(open_client: OpenClient, name: str) -> None:
    client = open_client()
    app = client.show(name, None)
    [hello] = client.sent("ui/initialize")
    assert hello["protocolVersion"] == "2026-01-26"
    assert hello["appInfo"]["name"] == "saasus"
    assert "Loading…" in app.inner_text("#app")
    client.page.wait_for_function("seen.some((each) => each.method === 'ui/notifications/size-changed')")
    for message in (
        {"id": 7, "method": "ping"},
        {"id": 8, "method": "ui/resource-teardown", "params": {"reason": "over"}},
        {"id": 9, "method": "tools/list"},
    ):
        client.page.evaluate("post", message)
    client.page.wait_for_function("seen.some((each) => each.id === 9)")
    answers = {
        each["id"]: each
        for each in client.page.evaluate("seen")
        if each.get("id") in (7, 8, 9) and "method" not in each
    }
    assert answers[7]["result"] == answers[8]["result"] == {}
    assert answers[9]["error"]["code"] == -32601


@pytest.mark.parametrize("name", APPS)
def test_a_cancelled_call_is_named(open_client: OpenClient, name: str) -> None:
    client = open_client()
    app = client.show(name, None)
    client.send("ui/notifications/tool-cancelled", {"reason": "user"})
    app.get_by_text("The call was cancelled. If it had been sent by then, it may have been applied.").wait_for()


def test_a_cancelled_read_changed_nothing(open_client: OpenClient) -> None:
    client = open_client()
    app = client.show("table", None, toolInfo={"tool": {"annotations": {"readOnlyHint": True}}})
    client.send("ui/notifications/tool-cancelled", {"reason": "user"})
    app.get_by_text("The call was cancelled.", exact=True).wait_for()


@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize(
    ("applied", "label"), [("not_applied", "未実行"), ("unknown", "不明"), ("applied", "適用済み"), ("?", "不明")]
)
def test_a_failure_tells_in_the_language_of_the_person_whether_something_was_changed(
    open_client: OpenClient, name: str, applied: str, label: str
) -> None:
    told = {"en": ["It is gone.", "See."], "ja": ["すでにありません。", "状態を確認してください。"]}
    app = open_client().show(name, result_of(None, failed=True, applied=applied, failure=told), locale="ja-JP")
    assert app.locator(".badge").all_inner_texts() == [label]
    assert app.locator("p.pre").all_inner_texts() == told["ja"]
    assert app.evaluate("document.documentElement.lang") == "ja"


@pytest.mark.parametrize("name", APPS)
def test_a_success_without_anything_to_show_is_no_failure(open_client: OpenClient, name: str) -> None:
    app = open_client().show(name, result_of({} if name != "table" else None))
    assert app.locator(".badge").all_inner_texts() == ["Done"]


def test_theme_and_language_follow_the_client(open_client: OpenClient) -> None:
    client = open_client()
    app = client.show("table", result_of(people(20)), theme="light", locale="en-GB")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert app.evaluate(ground) == "rgb(255, 255, 255)"
    assert app.get_by_text("20 rows").count() == 1
    client.send("ui/notifications/host-context-changed", {"theme": "dark", "locale": "ja-JP"})
    app.get_by_text("20件", exact=True).wait_for()
    assert app.evaluate(ground) == "rgb(23, 26, 33)"
    assert app.get_by_role("button", name="次へ").is_visible()
    assert "メールアドレス" in app.locator("thead").inner_text()


def test_colors_of_the_client_are_used_only_as_a_pair(open_client: OpenClient) -> None:
    pair = {
        "--color-background-primary": "light-dark(#faf9f5, #262624)",
        "--color-text-primary": "light-dark(#141413, #faf9f5)",
    }
    client = open_client()
    colors = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    app = client.show("table", result_of(people(3)), theme="dark", styles={"variables": pair})
    assert app.evaluate(colors) == ["rgb(38, 38, 36)", "rgb(250, 249, 245)"]
    background = {"--color-background-primary": pair["--color-background-primary"]}
    app = client.show("table", result_of(people(3)), theme="dark", styles={"variables": background})
    assert app.evaluate(colors) == ["rgb(23, 26, 33)", "rgb(232, 234, 240)"]


def test_numbers_and_times_are_written_as_the_person_does(open_client: OpenClient) -> None:
    rows = {"items": [{"amount": 1234567.5, "created_at": 1_700_000_000}]}
    client = open_client()
    german = client.show("table", result_of(rows), locale="de-DE", timeZone="Asia/Tokyo")
    assert "1.234.567,5" in german.inner_text("tbody")
    assert "15.11.2023, 07:13" in german.inner_text("tbody")
    broken = client.show("table", result_of(rows), locale="not a locale", timeZone="Nowhere/At_all")
    assert "1,234,567.5" in broken.inner_text("tbody")


# -- tables -----------------------------------------------------------------------------------------------------------


def test_a_table_is_sorted_filtered_and_paged(open_client: OpenClient) -> None:
    app = open_client().show("table", result_of(people(57)))
    assert len(column(app, "E-mail")) == 10
    assert app.locator(".range").inner_text() == "1–10 of 57"
    logins = app.get_by_role("columnheader", name="Logins")
    logins.get_by_role("button").click()
    assert column(app, "Logins") == [str(n) for n in range(10)]
    assert logins.get_attribute("aria-sort") == "ascending"
    logins.get_by_role("button").click()
    assert column(app, "Logins") == [str(n) for n in range(56, 46, -1)]
    assert logins.get_attribute("aria-sort") == "descending"
    app.get_by_role("button", name="Next").click()
    assert column(app, "Logins")[0] == "46"
    app.get_by_role("combobox").select_option("50")
    assert len(column(app, "Logins")) == 50
    app.get_by_role("searchbox").fill("ＵＳＥＲ１２@")
    assert column(app, "E-mail") == ["user12@example.com"]
    assert app.locator(".count").inner_text() == "1 of 57 rows"
    app.get_by_role("searchbox").fill("nothing like this")
    assert app.get_by_text("No rows").is_visible()


def test_a_table_is_used_with_the_keyboard_alone(open_client: OpenClient) -> None:
    app = open_client().show("table", result_of(people(30)))
    app.get_by_role("searchbox").focus()
    app.page.keyboard.press("Tab")  # the scrolled region
    app.page.keyboard.press("Tab")  # the first heading
    app.page.keyboard.press("Enter")
    assert column(app, "E-mail")[0] == "user0@example.com"
    focused = "document.activeElement.dataset.key"
    assert app.evaluate(focused) == "sort email", "the focus stays where it was"
    for _ in range(20):
        app.page.keyboard.press("Tab")
        if app.evaluate(focused) == "row-0":
            break
    app.page.keyboard.press("Enter")
    assert "東京" in app.locator("tr.open").inner_text()
    assert app.evaluate(focused) == "row-0"


def test_an_answer_that_was_cut_is_loaded_whole(open_client: OpenClient) -> None:
    whole = {"contents": [{"uri": "saasus://results/1", "text": json.dumps(people(300))}]}
    client = open_client(ask_server=lambda _: whole)
    app = client.show("table", result_of(people(20), result="saasus://results/1", totals={"users": 300}))
    assert app.get_by_text("These are the first 20 of 300 rows.").is_visible()
    app.get_by_role("button", name="Load all rows").click()
    app.get_by_text("1–10 of 300").wait_for()
    assert client.asked == [{"method": "resources/read", "params": {"uri": "saasus://results/1"}}]


def test_rows_that_may_not_be_read_any_more_stay_cut(open_client: OpenClient) -> None:
    app = open_client().show("table", result_of(people(20), result="saasus://results/1", totals={"users": 300}))
    app.get_by_role("button", name="Load all rows").click()
    app.get_by_text("The rows could not be read.").wait_for()
    assert app.locator(".range").inner_text() == "1–10 of 20"


def test_a_picked_csv_is_a_table(open_client: OpenClient) -> None:
    text = 'name,note,count\r\n"Aozora, Inc.","says ""hello""\nand more",3\r\nHarbor,,12\r\n'
    app = open_client().show("table", result_of({"result": text}))
    assert column(app, "Name") == ["Aozora, Inc.", "Harbor"]
    app.get_by_role("button", name="Count").click()
    assert column(app, "Count") == ["3", "12"]


@pytest.mark.parametrize("structured", [{"users": []}, {"result": None}, {"result": []}, {"cursor": "next"}, {}])
def test_an_answer_without_rows_is_shown_calmly(open_client: OpenClient, structured: dict[str, Any]) -> None:
    app = open_client().show("table", result_of(structured))
    assert app.inner_text("#app").strip()


# -- hostile data -------------------------------------------------------------------------------------------------------


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


# -- jobs ---------------------------------------------------------------------------------------------------------------


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
    for _ in range(4):
        client.page.clock.run_for(10_000)
        app.evaluate("new Promise((done) => queueMicrotask(done))")
    app.get_by_text("What is shown here is no longer updated.").wait_for()
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


# -- approvals ------------------------------------------------------------------------------------------------------------


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


# -- with a real server -----------------------------------------------------------------------------------------------------


def approve(server: JobServer) -> None:
    """Approve, as a person at a terminal."""
    pipeline = server.pipeline
    [asked] = [each for each in pipeline.store.list_approvals(pipeline.clock()) if each.status == "pending"]
    until = pipeline.clock() + 600
    pipeline.store.decide_approval(asked.code, "approved", by="boss", at=pipeline.clock(), expires_at=until, record={})


def test_apps_show_what_a_real_server_answers(open_client: OpenClient, tmp_path: Path) -> None:
    with start_app_server(tmp_path) as stage:
        client = open_client(ask_server=stage.ask)
        tenants = stage.call("auth_get_tenants")
        app = client.show("table", tenants, locale="ja-JP")
        assert column(app, "名前") == ["株式会社青空商事", "Harbor Lights Inc.", "みどり薬局"]
        app = client.show("table", stage.call("apilog_get_logs"))
        app = client.show("job", stage.call("job_metering_report", {"from": "2026-01", "to": "2026-12"}))
        assert app.get_by_role("img").count() >= 1
        app = client.show("job", stage.call("job_contract_report", {"format": "json"}), locale="ja-JP")
        assert app.get_by_text("契約状況: プラン別の固定料金").is_visible()
        tenant = tenants["structuredContent"]["tenants"][0]["id"]
        app = client.show("approval", stage.call("auth_delete_tenant", {"tenant_id": tenant}))
        assert app.get_by_text("株式会社青空商事").is_visible()
        approve(stage.server)
        app.get_by_text("Approved. Ask the assistant to make the call again.").wait_for()
        app = client.show("approval", stage.call("auth_delete_tenant", {"tenant_id": tenant}))
        assert app.get_by_text("The call has finished").is_visible()
