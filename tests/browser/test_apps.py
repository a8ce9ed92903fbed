"""The apps in a client in Chromium, which shows them as the extension asks for: in a sandbox, under the strictest policy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.app_host import APPS, AppHost, column
from tests.support.app_results import people, result_of
from tests.support.app_server import start_app_server
from tests.support.job_server import JobServer

OpenClient = Callable[..., AppHost]


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
    ("applied", "label"), [("not_applied", "未適用"), ("unknown", "不明"), ("applied", "適用済み"), ("?", "不明")]
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


def test_the_title_is_that_of_the_server_in_the_language_of_the_person(open_client: OpenClient) -> None:
    titles = {"en": "List users", "ja": "ユーザーの一覧"}
    app = open_client().show("table", result_of(people(3), title=titles), locale="ja-JP")
    assert app.locator("h1").inner_text() == "ユーザーの一覧", "a client need not tell an app which tool was called"


def test_the_edges_that_a_client_needs_for_itself_stay_free(open_client: OpenClient) -> None:
    insets = {"top": 20, "right": 0, "bottom": 34, "left": -5}
    app = open_client().show("table", result_of(people(3)), safeAreaInsets=insets)
    assert app.evaluate("getComputedStyle(document.body).padding") == "20px 0px 34px"


def test_numbers_and_times_are_written_as_the_person_does(open_client: OpenClient) -> None:
    rows = {"items": [{"amount": 1234567.5, "created_at": 1_700_000_000}]}
    client = open_client()
    german = client.show("table", result_of(rows), locale="de-DE", timeZone="Asia/Tokyo")
    assert "1.234.567,5" in german.inner_text("tbody")
    assert "15.11.2023, 07:13" in german.inner_text("tbody")
    broken = client.show("table", result_of(rows), locale="not a locale", timeZone="Nowhere/At_all")
    assert "1,234,567.5" in broken.inner_text("tbody")


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
