"""The app of tables: sorting, filters, pages, and rows that are loaded later."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.app_host import AppHost, column
from tests.support.app_results import people, result_of

OpenClient = Callable[..., AppHost]


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
