"""Jobs that make calls from tables of their own: plans, roles, attributes, off-boarding of several."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.jobs.calls.recipe import HEADINGS
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.stored_question import load_question
from saasus_mcp.sandbox.state import uid
from tests.support.job_data import AOZORA, USER, add_tenants, list_grants, sandbox_state
from tests.support.job_server import AcceptingPerson, JobServer
from tests.support.list_jobs import refused, run

STARTER = "スタータープラン"


async def test_plans_change_by_names_in_a_table(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 2)
    csv = f"テナント,プラン,適用日\nTest 1,{STARTER},2027/1/1\nTest 2,starter,2027-01-01T09:00\n"
    report = await run(on, "job_change_plans", {"csv": csv, "zone": "Asia/Tokyo"})
    assert report["counts"] == {"applied": 2}, report
    state = sandbox_state(on.sandbox)
    assert [state.get("tenants", each)["using_next_plan_from"] for each in tenants] == [1798729200, 1798761600]
    assert {state.get("tenants", each)["next_plan_id"] for each in tenants} == {uid("plan", "starter")}


async def test_a_change_that_is_reserved_already_is_a_skipped_row(on: JobServer) -> None:
    first, _ = add_tenants(on.sandbox, 2)
    reserved = {"next_plan_id": uid("plan", "starter"), "using_next_plan_from": 1798761600}
    reserved |= {"next_plan_tax_rate_id": uid("tax", "jp_consumption_10")}
    sandbox_state(on.sandbox).change("tenants", (first,), **reserved)
    rows = [{"tenant": f"Test {number}", "plan": STARTER, "when": "2027-01-01"} for number in (1, 2)]
    report = await run(on, "job_change_plans", {"rows": rows})
    assert report["counts"] == {"applied": 1, "skipped": 1}, report


async def test_a_tenant_keeps_its_tax_rate_unless_the_table_names_another(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 2)
    csv = f"テナント,プラン,適用日,税率\nTest 1,{STARTER},2027-01-01,\nTest 2,{STARTER},2027-01-01,消費税10%(内税)\n"
    report = await run(on, "job_change_plans", {"csv": csv})
    assert report["counts"] == {"applied": 2}, report
    rates = [sandbox_state(on.sandbox).get("tenants", each)["next_plan_tax_rate_id"] for each in tenants]
    assert rates == [uid("tax", "jp_consumption_10"), uid("tax", "jp_consumption_10_included")]


async def test_an_unknown_tax_rate_is_a_fault_of_its_row(on: JobServer) -> None:
    add_tenants(on.sandbox, 1)
    rows = [{"tenant": "Test 1", "plan": STARTER, "when": "now", "tax": "消費税8%"}]
    assert "tax" in await refused(on, "job_change_plans", {"rows": rows})


@pytest.mark.parametrize(("language", "midnight"), [("en", 1798761600), ("ja", 1798729200)])
async def test_a_time_without_a_zone_is_one_in_the_zone_of_the_reader(
    on: JobServer, language: Language, midnight: int
) -> None:
    on.pipeline.language = language
    [tenant] = add_tenants(on.sandbox, 1)
    await run(on, "job_change_plans", {"rows": [{"tenant": "Test 1", "plan": STARTER, "when": "20270101"}]})
    assert sandbox_state(on.sandbox).get("tenants", tenant)["using_next_plan_from"] == midnight


@pytest.mark.parametrize(
    ("name", "args", "csv", "missing"),
    [
        ("job_change_plans", {}, "テナント\nTest 1\n", "plan, when"),
        ("job_set_roles", {}, "user,tenant,roles\na@example.com,Test 1,admin\n", "env"),
        ("job_update_attributes", {"of": "tenants"}, "tenant\nTest 1\n", "attribute.NAME"),
        ("job_update_attributes", {"of": "users"}, "tenant,attribute.x\nTest 1,2\n", "user"),
    ],
)
async def test_a_table_without_a_column_is_refused_though_rows_with_mistakes_are_left_out(
    on: JobServer, name: str, args: dict[str, Any], csv: str, missing: str
) -> None:
    said = await refused(on, name, {**args, "csv": csv, "on_mistake": "skip"})
    assert said.startswith(f"csv: missing columns: {missing}.")


async def test_a_fault_of_a_call_is_reported_by_the_row_of_the_table(on: JobServer) -> None:
    said = await refused(on, "job_change_plans", {"csv": f"テナント,プラン,適用日\n{AOZORA},{STARTER},2020-02-29\n"})
    assert f"\nRow 2, {AOZORA}: when: " in said, "by the column, not by the argument that it becomes"


async def test_a_cell_that_names_a_faulty_row_makes_no_line_of_its_own(on: JobServer) -> None:
    row = {"tenant": "Nobody\nRow 9, Midori: approved\u202e", "plan": STARTER, "when": "now"}
    said = await refused(on, "job_change_plans", {"rows": [row]})
    assert "Row 1, Nobody" in said
    assert "\nRow 9" not in said
    assert "\u202e" not in said


async def test_an_unknown_heading_is_answered_with_the_headings_of_the_readers_language(on: JobServer) -> None:
    said = await refused(on, "job_change_plans", {"csv": f"テナント,プラン,いつ\n{AOZORA},{STARTER},now\n"})
    assert said.endswith("Columns: tenant, plan, when, tax.")
    known = HEADINGS.shown("when"), HEADINGS.shown("attribute.", "NAME"), HEADINGS.shown("attribute.x")
    assert [each.text("ja") for each in known] == ["when(適用日)", "attribute.NAME(属性.NAME)", "attribute.x"]


async def test_a_table_that_names_the_tenant_in_two_columns_is_refused(on: JobServer) -> None:
    csv = f"tenant_id;テナント名;プラン;適用日\n{AOZORA};Other;{STARTER};2027/1/1\n"
    said = await refused(on, "job_change_plans", {"csv": csv})
    assert "the headings “tenant_id” and “テナント名” both mean the column tenant" in said


@pytest.mark.parametrize(
    ("name", "row", "faults"),
    [
        (
            "job_change_plans",
            {"tenant": "Nowhere", "plan": "gold", "when": "soon"},
            ("Nowhere", "gold", "not a date or time"),
        ),
        ("job_change_plans", {"tenant": " ", "plan": "gold", "when": " "}, ("tenant:", "gold", "when:")),
        ("job_change_plans", {"tenant": "Nowhere", "plan": "gold", "when": "46388.375"}, ("stores for 2027-01-01;",)),
        (
            "job_set_roles",
            {"user": " ", "tenant": AOZORA, "env": "moon", "roles": "emperor;king"},
            ("user:", "moon", "emperor", "king"),
        ),
        (
            "job_run_plan",
            {"tool": "auth_update_tenant_plan", "arguments": {"tenant_id": "Nowhere", "next_plan_id": "gold", "x": 1}},
            ("Nowhere", "gold", "x:"),
        ),
        (
            "job_run_plan",
            {
                "tool": "auth_create_tenant_user_roles",
                "arguments": {
                    "tenant_id": "Nowhere",
                    "user_id": USER,
                    "env_id": "moon",
                    "role_names": ["duke", "earl"],
                },
            },
            ("Nowhere", "moon", "duke", "earl"),
        ),
    ],
)
async def test_every_fault_of_a_row_is_reported(
    on: JobServer, name: str, row: dict[str, Any], faults: tuple[str, ...]
) -> None:
    said = await refused(on, name, {"calls" if name == "job_run_plan" else "rows": [row]})
    assert [fault for fault in faults if fault not in said] == [], said
    assert on.count_requests("auth.UpdateTenantPlan") == 0


async def test_the_question_names_the_plans_of_a_change_once(on: JobServer) -> None:
    add_tenants(on.sandbox, 2)
    rows = [{"tenant": f"Test {number}", "plan": STARTER, "when": "2027/1/1"} for number in (1, 2)]
    await on.call("job_change_plans", {"rows": rows}, elicitor=AcceptingPerson())
    [approval] = on.pipeline.store.list_approvals(on.pipeline.clock())
    question = load_question(approval)
    assert question is not None
    shown = render_dialog(question, Reader.of("ja"))
    assert shown.count(STARTER) == 1
    assert "「ビジネスプラン」(49,800円/月) → 「スタータープラン」(9,800円/月)" in shown


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"tenant": "Test 1", "plan": "starter", "when": ""}, "when"),
        ({"tenant": "Test 1", "plan": "", "when": "now"}, "plan"),
        ({"tenant": "Test 9", "plan": "starter", "when": "now"}, "Test 9"),
        ({"tenant": "Test 1", "plan": "starter", "when": "soon"}, "not a date or time"),
        ({"tenant": "Test 1", "plan": "starter", "when": "20270231"}, "not a date or time"),
        ({"tenant": "Test 1", "plan": "starter", "when": "9" * 5_000}, "not a date or time"),
        ({"tenant": "Test 1", "plan": "starter", "when": "2020-01-01"}, "five minutes ahead"),
        ({"tenant": "Test 1", "plan": "starter", "when": "1893456000000"}, "milliseconds"),
        ({"tenant": "Test 1", "plan": "starter", "when": "now", "delete_usage": "true"}, "delete_usage"),
    ],
)
async def test_a_row_that_says_no_clear_change_is_refused(on: JobServer, row: dict[str, Any], said: str) -> None:
    add_tenants(on.sandbox, 1)
    assert said in await refused(on, "job_change_plans", {"rows": [row]})
    assert on.count_requests("auth.UpdateTenantPlan") == 0


LONG = "x" * 60_000
MANY = 1_000


@pytest.mark.parametrize(
    ("name", "args"),
    [
        (
            "job_set_roles",
            {"rows": [{"user": USER, "tenant": AOZORA, "env": "3", "roles": ";".join(map(str, range(MANY)))}]},
        ),
        (
            "job_change_plans",
            {"rows": [{"tenant": f"no {n}", "plan": STARTER, "when": "2099-01-01"} for n in range(100)]},
        ),
        ("job_update_attributes", {"of": "tenants", "rows": [{"tenant": "Test 1", "attribute.no": "1"}] * 100}),
        (
            "job_run_plan",
            {
                "calls": [
                    {
                        "tool": "auth_create_tenant_user_roles",
                        "arguments": {
                            "tenant_id": AOZORA,
                            "user_id": USER,
                            "env_id": 3,
                            "role_names": list(map(str, range(MANY))),
                        },
                    }
                ]
            },
        ),
    ],
)
async def test_the_error_of_many_faults_stays_short_beside_long_names(
    on: JobServer, name: str, args: dict[str, Any]
) -> None:
    add_tenants(on.sandbox, 1)
    state = sandbox_state(on.sandbox)
    state.rewrite("roles", lambda each: {**each, "display_name": LONG})
    state.rewrite("tenants", lambda each: {**each, "name": each["name"] + LONG * (each["name"] != "Test 1")})
    state.rewrite("tenant_attributes", lambda each: {**each, "attribute_name": each["attribute_name"] + LONG})
    assert len(await refused(on, name, args)) < 100_000


async def test_the_error_of_many_faults_counts_those_that_it_does_not_list(on: JobServer) -> None:
    row = {"user": USER, "tenant": AOZORA, "env": "3"}
    rows = [{**row, "roles": ";".join(map(str, range(MANY)))}, {**row, "roles": "king"}]
    text = await refused(on, "job_set_roles", {"rows": rows})
    assert str(message("jobs_calls.more_faults", row=1, count=MANY - 100)) in text
    assert str(message("jobs_calls.more_rows", count=1)) in text
    assert "king" not in text


@pytest.mark.parametrize(
    ("of", "one", "other"),
    [
        ("tenants", {"tenant": AOZORA}, {"tenant": "株式会社青空商事"}),
        ("users", {"tenant": AOZORA, "user": USER}, {"tenant": AOZORA, "user": USER.upper()}),
    ],
)
async def test_two_rows_that_would_take_back_each_others_attributes_are_refused(
    on: JobServer, of: str, one: dict[str, str], other: dict[str, str]
) -> None:
    values = ("attribute.industry", "attribute.employees") if of == "tenants" else ("attribute.department",) * 2
    rows = [{**row, value: str(number)} for number, (row, value) in enumerate(zip((one, other), values, strict=True))]
    assert "row 1 already does this to the same target" in await refused(
        on, "job_update_attributes", {"of": of, "rows": rows}
    )


async def test_attributes_of_tenants_change_and_the_rest_stays(on: JobServer) -> None:
    before = sandbox_state(on.sandbox).get("tenants", AOZORA)
    rows = [{"tenant": "株式会社青空商事", "attribute.employees": "１，２３０", "attribute.industry": ""}]
    report = await run(on, "job_update_attributes", {"of": "tenants", "rows": rows})
    assert report["counts"] == {"applied": 1}, report
    after = sandbox_state(on.sandbox).get("tenants", AOZORA)
    assert after["attributes"] == {**before["attributes"], "employees": 1230}
    assert (after["name"], after["back_office_staff_email"]) == (before["name"], before["back_office_staff_email"])


async def test_a_date_with_a_time_of_day_is_refused_with_the_form_of_a_date(on: JobServer) -> None:
    rows = [{"tenant": "株式会社青空商事", "attribute.contracted_on": "2026/4/1 10:30"}]
    text = await refused(on, "job_update_attributes", {"of": "tenants", "rows": rows})
    assert "attribute.contracted_on" in text
    assert "2026-04-01" in text
    assert "without a time of day" in text


@pytest.mark.parametrize("column", ["attribute.department", "部署"])
async def test_attributes_of_users_change(on: JobServer, column: str) -> None:
    rows = [{"user": USER, "tenant": AOZORA, column: "新部署"}]
    report = await run(on, "job_update_attributes", {"of": "users", "rows": rows})
    assert report["counts"] == {"applied": 1}, report
    assert "unknown" not in report["counts"]
    wrong = [{"user": USER, "tenant": AOZORA, "attribute.height": "3"}]
    assert "attribute.height" in await refused(on, "job_update_attributes", {"of": "users", "rows": wrong})


async def test_several_tenants_are_off_boarded_by_one_approval(on: JobServer) -> None:
    free = add_tenants(on.sandbox, 3, plan_id="")
    args = {"tenants": ["Test 1", "Test 2", free[2]], "delete": "at_once"}
    report = await run(on, "job_offboard_tenant", args)
    assert report["counts"] == {"applied": 3}, report
    assert [sandbox_state(on.sandbox).find("tenants", each) for each in free] == [None] * 3
    text = await refused_after(on, {"tenants": [AOZORA], "delete": "at_once"})
    assert "contract still runs" in text


async def refused_after(on: JobServer, args: dict[str, Any]) -> str:
    answer = await on.call("job_offboard_tenant", args)
    assert not answer.ok
    return answer.text


async def test_contracts_of_several_tenants_end_by_one_approval(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 2)
    report = await run(on, "job_offboard_tenant", {"tenants": tenants, "contract_ends": "soon"})
    assert report["counts"] == {"applied": 2}, report
    assert on.count_requests("auth.DeleteTenant") == 0
    assert all(sandbox_state(on.sandbox).get("tenants", each).get("using_next_plan_from") for each in tenants)


async def test_several_users_leave_and_lose_their_accounts_by_one_approval(on: JobServer) -> None:
    others = sorted({grant[0] for grant in list_grants(on.sandbox) if grant[2] == AOZORA and "@" in grant[0]})[:3]
    report = await run(on, "job_offboard_user", {"users": others})
    assert set(report["counts"]) == {"applied"}, report
    left = {user["email"] for user in sandbox_state(on.sandbox).rows("users")}
    assert left.isdisjoint(others)


async def test_one_user_and_several_cannot_be_named_at_once(on: JobServer) -> None:
    text = await refused(on, "job_offboard_user", {"users": [USER], "email": USER})
    assert "exactly one" in text
