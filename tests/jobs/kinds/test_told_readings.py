"""A person reads how a table was understood, in the question and in the report; a table as the export writes it needs no such line."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from tests.support.job_data import AOZORA, add_tenants, list_grants, sandbox_state
from tests.support.job_server import AcceptingPerson, JobServer
from tests.support.pipeline import PRINCIPAL

PEOPLE = (
    "\t\t\t\nメールアドレス\tテナント名\t環境\tロール\nnew@example.jp\t株式会社青空商事\tdev\tviewer\n\t\t\t\n\t\t\t\n"
)
READ = "CP932 (Shift_JIS), tab-separated, 1 row, 3 blank rows ignored; columns: "
PLAN_COLUMNS = "テナント → tenant, プラン → plan, 適用日 → when"
PLANS = "テナント\tプラン\t適用日\nTest 1\tスタータープラン\t２０２７／１／１\n"


async def run_from_file(
    on: JobServer, name: str, args: dict[str, Any], encoding: str = "cp932"
) -> tuple[str, dict[str, Any]]:
    """Return the question about a table from a file, and the report."""
    person = AcceptingPerson()
    answer = await on.surface.run(Call(name, args, PRINCIPAL, elicitor=person, encoding=encoding))
    assert not isinstance(answer, PendingElicitation)
    assert answer.ok, answer.text
    report = await on.wait_for_job((answer.structured or {})["job"])
    return "\n".join(each.message for each in person.questions), report


async def test_the_question_and_the_report_of_an_import_say_how_its_list_was_read(on: JobServer) -> None:
    asked, report = await run_from_file(on, "job_import_users", {"csv": PEOPLE})
    columns = "メールアドレス → email, テナント名 → tenant_name, 環境 → env_id, ロール → role_name"
    assert report["counts"] == {"applied": 1}
    assert f"List as it was read: {READ}{columns}" in asked
    assert report["notes"][-1] == f"The list was read as: {READ}{columns}."


@pytest.mark.parametrize(
    ("name", "args", "told"),
    [
        (
            "job_change_plans",
            {"csv": PLANS, "zone": "Asia/Tokyo"},
            f", times without a time zone: Asia/Tokyo; columns: {PLAN_COLUMNS}",
        ),
        (
            "job_run_plan",
            {
                "csv": PLANS,
                "template": [
                    {
                        "tool": "auth_update_tenant_plan",
                        "arguments": {
                            "tenant_id": "{テナント}",
                            "next_plan_id": "{プラン}",
                            "using_next_plan_from": 1798729200,
                        },
                    }
                ],
            },
            "; columns: テナント, プラン, 適用日",
        ),
    ],
)
async def test_the_plan_of_a_list_of_calls_says_how_its_table_was_read(
    on: JobServer, name: str, args: dict[str, Any], told: str
) -> None:
    add_tenants(on.sandbox, 1)
    _, report = await run_from_file(on, name, {**args, "only_plan": True})
    assert report["counts"] == {"planned": 1}, report
    assert f"CP932 (Shift_JIS), tab-separated, 1 row{told}" in "\n".join(report["notes"])


async def test_a_comparison_of_invoices_says_which_columns_it_compares(on: JobServer) -> None:
    listed = "備考;顧客名;Tenant_ID;請求金額\n;青空;" + AOZORA + ";¥１２，３４５\n"
    _, report = await run_from_file(on, "job_invoice_estimate", {"from": "2026-10", "csv": listed}, "utf-16")
    assert (
        report["notes"][-1]
        == "The list was read as: UTF-16, semicolon-separated, 1 row; columns: Tenant_ID → tenant, 請求金額 → amount."
    )


async def test_an_export_with_accounts_of_no_tenant_is_imported_without_a_change_or_a_line_about_its_reading(
    on: JobServer,
) -> None:
    state = sandbox_state(on.sandbox)
    for login in ("alone-1", "alone-2"):
        await on.call_json("auth_create_saas_user", {"sign_in_id": login}, elicitor=AcceptingPerson())
    before, members = len(state.rows("users")), list_grants(on.sandbox)
    exported = await on.call_json("job_export_users", {"without_tenant": True})
    rows = exported["counts"]["rows"]
    assert rows >= len(members) + 2, "those without a tenant are in it"
    source = {"csv": exported["csv"]} if "csv" in exported else {"result": exported["result"]}
    asked, report = await run_from_file(on, "job_import_users", source, "utf-8")
    assert (report["counts"], asked, report.get("notes", [])) == ({"skipped": rows}, "", [])
    assert (len(state.rows("users")), list_grants(on.sandbox)) == (before, members)
