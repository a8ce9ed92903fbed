"""The forms of the pages for jobs, sessions, searches and the audit log, in a real browser without JavaScript."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from saasus_mcp.permissions.policy.presets import PRESETS, PresetPolicy
from saasus_mcp.server.results.result_store import ResultOrigin
from tests.browser.conftest import Open
from tests.support.browser_server import BrowserServer
from tests.support.console_data import RUNNING_JOB, fill_console, start_job

if TYPE_CHECKING:
    from playwright.sync_api import Page

SignIn = Callable[..., "Page"]


def said(page: Page) -> str:
    """Return the text of the page below its head."""
    text: str = page.locator("main").inner_text()
    return text


@pytest.fixture
def codes(stage: BrowserServer) -> dict[str, str]:
    """Fill the pages, and return the ids for their addresses."""
    return fill_console(stage)


@pytest.mark.usefixtures("codes")
def test_a_running_job_is_stopped(stage: BrowserServer, signed_in: SignIn) -> None:
    page = signed_in(stage)
    page.get_by_role("link", name="Jobs").click()
    page.get_by_role("link", name="Import users").click()
    assert "40 of 120" in said(page)
    page.get_by_role("button", name="Pause the job").click()
    assert "Pausing" in said(page)
    page.get_by_role("button", name="Resume the job").click()
    assert "Running" in said(page)
    page.get_by_role("button", name="Cancel the job").click()
    assert "The job ends after the rows in progress." in said(page)
    job = stage.pipeline.store.jobs.get(RUNNING_JOB)
    assert job is not None
    assert job.cancelling
    page.get_by_role("link", name="Audit records of this job").click()
    assert "Cancelled a job" in said(page)
    page.get_by_role("link", name="The job").first.click()
    assert page.url.endswith(f"/jobs/{RUNNING_JOB}")


def test_a_change_is_found_by_words_and_leads_to_its_records(
    stage: BrowserServer, signed_in: SignIn, codes: dict[str, str]
) -> None:
    page = signed_in(stage, locale="ja-JP")
    page.get_by_role("link", name="変更履歴").click()
    page.get_by_label("変更を検索").fill("role 監査担当")
    page.get_by_role("button", name="検索").click()
    page.get_by_role("link", name="を作成しました").click()
    assert "承認を受ければ元に戻せます。" in said(page)
    page.get_by_role("link", name="この呼び出しの監査記録").click()
    page.get_by_role("link", name="変更の内容").click()
    assert page.url.endswith(f"/changes/{codes['change']}")


def test_approvals_are_searched(stage: BrowserServer, signed_in: SignIn, codes: dict[str, str]) -> None:
    page = signed_in(stage)
    page.get_by_label("Search approvals").fill(codes["rejected"])
    page.get_by_role("button", name="Search").click()
    assert codes["pending"] not in page.content()
    assert page.locator(f'a[href="/console/approvals/{codes["rejected"]}"]').count() == 1
    page.get_by_role("link", name="Clear search").click()
    assert codes["pending"] in page.content()


@pytest.mark.usefixtures("codes")
def test_the_audit_is_filtered_and_downloaded(stage: BrowserServer, signed_in: SignIn) -> None:
    page = signed_in(stage, accept_downloads=True)
    page.get_by_role("link", name="Audit log", exact=True).click()
    page.get_by_text("More filters").click()
    page.get_by_label("Tool", exact=True).fill("auth_create_role")
    page.get_by_label("Outcome").select_option(label="Applied")
    page.get_by_role("button", name="Search").click()
    assert page.locator("tbody tr").count() == 1 + page.locator("dialog tbody tr").count()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="CSV").click()
    with downloading.value.path().open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["tool"], row["outcome"], row["principal"]) == ("auth_create_role", "applied", "token:bob")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="JSON").click()
    assert downloading.value.suggested_filename == "audit.json"


def test_another_browser_is_signed_out(stage: BrowserServer, signed_in: SignIn) -> None:
    one, other = signed_in(stage), signed_in(stage)
    one.goto(f"{stage.url}/console/session")
    assert "This browser" in said(one)
    assert "Tokens of your groups" in said(one)
    one.get_by_role("button", name="End session: ").click()
    other.reload()
    assert "Your session has ended" in said(other)
    one.goto(f"{stage.url}/console")
    assert "Pending approvals" in said(one)


def test_a_refusal_of_single_sign_on_is_no_fault_of_the_token(stage: BrowserServer, opened: Open) -> None:
    page = opened(f"{stage.url}/console/sso")
    page.get_by_role("link", name="taro").click()
    assert "not in the approvers' group" in page.get_by_role("alert").inner_text()
    assert page.locator("#token").get_attribute("aria-invalid") is None


def test_a_filtered_page_is_returned_to_after_signing_in(stage: BrowserServer, opened: Open) -> None:
    page = opened(f"{stage.url}/console/audit?q=%E5%89%8A%E9%99%A4&from=2026-01-01")
    page.locator("#token").fill(stage.token("boss"))
    page.locator("#token").press("Enter")
    page.wait_for_url("**/audit?q=%E5%89%8A%E9%99%A4&from=2026-01-01")
    assert page.get_by_label("Search: name, principal").input_value() == "削除"


def test_one_tool_shows_its_arguments_and_rules(stage: BrowserServer, signed_in: SignIn) -> None:
    page = signed_in(stage)
    page.goto(f"{stage.url}/console/tools?q=テナント 削除")
    page.get_by_role("link", name="Delete a tenant", exact=True).click()
    page.get_by_label("Principal ID").fill("token:carol")
    page.get_by_role("button", name="Show").click()
    assert "guarded/critical" in said(page)
    assert "tenant_id" in said(page)
    page.goto(f"{stage.url}/console/tools/no_such_tool")
    assert "Page not found" in said(page)


def test_a_change_is_undone_after_the_question_of_the_policy(
    stage: BrowserServer, caller_in: SignIn, codes: dict[str, str]
) -> None:
    page = caller_in(stage)
    page.goto(f"{stage.url}/console/changes/{codes['change']}")
    page.get_by_role("button", name="Undo this change").click()
    # A role is deleted only with an approval, which this person may give.
    page.wait_for_url("**/approvals/*")
    page.goto(f"{stage.url}/console/changes/{codes['change']}")
    assert "An undo of this is already waiting for approval." in said(page)
    page.get_by_role("link", name="The approval request").click()
    page.wait_for_url("**/approvals/*")
    assert "inspector" in said(page) or "監査担当" in said(page)
    page.locator("#name").fill(page.locator("label .name").inner_text())
    assert "After the approval, press “Undo this change”" in said(page)
    page.get_by_role("button", name="Approve once").click()
    assert "Approved." in said(page)
    assert "assistant" not in page.locator("#live-status").inner_text()
    page.get_by_role("link", name="The change to undo").click()
    page.get_by_role("button", name="Undo this change").click()
    page.wait_for_url(f"**/changes/{codes['change']}")
    assert "Undone." in said(page)
    assert page.get_by_role("button", name="Undo this change").count() == 0
    roles = stage.calls("auth_get_roles", {}).structured
    assert roles is not None
    assert "inspector" not in [each["role_name"] for each in roles["roles"]]
    page.get_by_role("link", name="Audit log", exact=True).click()
    assert "Started an undo" in said(page)


def test_an_approver_who_is_no_caller_undoes_nothing(
    stage: BrowserServer, signed_in: SignIn, codes: dict[str, str]
) -> None:
    stage.under(PresetPolicy("open", dict.fromkeys(PRESETS["guarded"].by_level, "allow")))
    page = signed_in(stage)
    page.goto(f"{stage.url}/console/changes/{codes['change']}")
    assert page.get_by_role("button", name="Undo this change").count() == 0
    assert "you cannot use its tools" in said(page)
    assert f"saasus-mcp undo {codes['change'][:12]}" in said(page)
    assert "auth_delete_role" in said(page)
    page.goto(f"{stage.url}/console/approvals/{codes['pending']}?change={codes['change']}")
    assert page.get_by_role("link", name="The change to undo").count() == 0
    page.goto(f"{stage.url}/console/session")
    form: dict[str, str | float | bool] = {
        "csrf": page.locator("input[name=csrf]").first.input_value(),
        "call": codes["change"],
    }
    sent = page.request.post(f"{stage.url}/console/undo", form=form, headers={"origin": stage.url})
    assert sent.status == 409
    assert "Nothing was undone." in sent.text()
    roles = stage.calls("auth_get_roles", {}).structured
    assert roles is not None
    assert "inspector" in [each["role_name"] for each in roles["roles"]]


def test_a_question_in_the_browser_is_answered_by_typing_the_name(stage: BrowserServer, caller_in: SignIn) -> None:
    stage.under(PresetPolicy("asking", {**PRESETS["guarded"].by_level, "critical": "confirm"}))
    assert stage.calls("auth_create_role", {"role_name": "inspector", "display_name": "監査担当"}).ok
    change = stage.pipeline.store.undo_log.list_entries()[0].call
    page = caller_in(stage)
    page.goto(f"{stage.url}/console/changes/{change}")
    page.get_by_role("button", name="Undo this change").click()
    typed = page.locator("label .name").inner_text()
    page.get_by_label("To undo it, type:").fill("another name")
    page.get_by_role("button", name="Undo this change").click()
    assert page.get_by_role("alert").inner_text() == "The text does not match. Nothing was undone."
    page.get_by_label("To undo it, type:").fill(typed)
    page.get_by_role("button", name="Undo this change").click()
    page.wait_for_url(f"**/changes/{change}")
    assert "Undone." in said(page)


def test_a_question_without_a_name_is_answered_with_a_button(stage: BrowserServer, caller_in: SignIn) -> None:
    role = {"role_name": "inspector", "display_name": "監査担当"}
    assert stage.calls("auth_create_role", role).ok
    assert stage.calls("auth_update_role", {**role, "display_name": "監査"}).ok
    stage.under(PresetPolicy("asking", {**PRESETS["guarded"].by_level, "write": "confirm"}))
    page = caller_in(stage, locale="ja-JP")
    page.get_by_role("link", name="変更履歴").click()
    page.get_by_role("link", name="の表示名を変更しました").click()
    page.get_by_role("button", name="この変更を元に戻す").click()
    assert "監査担当" in said(page)
    page.get_by_role("button", name="この変更を元に戻す").click()
    page.wait_for_url("**/changes/*")
    assert "元に戻し済みです。" in said(page)


def test_a_later_changed_value_is_not_undone(stage: BrowserServer, caller_in: SignIn) -> None:
    role = {"role_name": "inspector", "display_name": "監査担当"}
    assert stage.calls("auth_create_role", role).ok
    assert stage.calls("auth_update_role", {**role, "display_name": "監査"}).ok
    change = stage.pipeline.store.undo_log.list_entries()[0].call
    assert stage.calls("auth_update_role", {**role, "display_name": "監査役"}).ok
    page = caller_in(stage)
    page.goto(f"{stage.url}/console/changes/{change}")
    page.get_by_role("button", name="Undo this change").click()
    assert "The current state no longer matches" in said(page)
    assert "監査役" in stage.calls("auth_get_roles", {}).text


def test_the_files_of_a_job_are_downloaded_by_its_person_alone(
    stage: BrowserServer, signed_in: SignIn, caller_in: SignIn
) -> None:
    hanako = f"oidc:{stage.openid.issuer}|hanako"
    origin = ResultOrigin("job_export_users", (("auth.GetRoles", None),))
    result = stage.pipeline.results.store_result("email,role\r\n=a@example.jp,admin\r\n", hanako, origin)
    start_job(stage, "e1" * 16, "job_export_users", hanako)
    report = {
        "counts": {"rows": 1},
        "result": f"saasus://results/{result}",
        "kept_secrets": f"saasus://results/{result}",
    }
    stage.pipeline.store.finish_job("e1" * 16, "done", report, record={"ok": True}, at=time.time())
    path = f"/console/jobs/{'e1' * 16}"
    page = caller_in(stage, accept_downloads=True)
    page.goto(stage.url + path)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "job_export_users-result.csv"
    assert download.value.path().read_text(encoding="utf-8-sig").splitlines()[0] == "email,role"
    assert page.request.get(f"{stage.url}{path}/kept_secrets").status == 404
    stage.under(PresetPolicy("closed", {}))
    assert page.request.get(f"{stage.url}{path}/result").status == 403
    other = signed_in(stage)
    other.goto(stage.url + path)
    assert other.get_by_role("link", name="Download").count() == 0
    assert other.request.get(f"{stage.url}{path}/result").status == 404
