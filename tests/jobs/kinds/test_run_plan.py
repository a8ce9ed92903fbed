"""Lists of any calls: every fault told at once, one consent to all, each call made once, and each row told truly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.common.messages import message
from saasus_mcp.jobs.job_question import value_list
from saasus_mcp.permissions.policy.model import BulkLimits
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.policy.rules import RulePolicy
from saasus_mcp.permissions.question.content import NamedItem, Question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader, format_value
from saasus_mcp.store.records import Approval
from tests.support.job_data import AOZORA, USER, add_tenants, list_grants, sandbox_state
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server
from tests.support.policies import build_policy, build_rule

NAME = "job_run_plan"


def call(tool: str, called: str = "", /, **arguments: Any) -> dict[str, Any]:
    return {"tool": tool, "arguments": arguments, **({"id": called} if called else {})}


def plan_changes(on: JobServer, tenants: list[str], plan: str = "starter") -> list[dict[str, Any]]:
    when = int(on.pipeline.clock()) // 3600 * 3600 + 7200
    return [
        call("auth_update_tenant_plan", tenant_id=each, next_plan_id=plan, using_next_plan_from=when)
        for each in tenants
    ]


def newest(on: JobServer) -> Approval:
    return on.pipeline.store.list_approvals(on.pipeline.clock())[0]


def approvals(on: JobServer) -> int:
    return len(on.pipeline.store.list_approvals(on.pipeline.clock()))


def approve(on: JobServer, by: str = "local:person") -> None:
    now = on.pipeline.clock()
    assert on.pipeline.store.decide_approval(newest(on).code, "approved", by=by, at=now, expires_at=now + 600)


async def run_approved(on: JobServer, calls: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Return the report of a list after its approval."""
    asked = await on.call(NAME, {"calls": calls, **more})
    assert "saasus-mcp approve" in asked.text, asked.text
    approve(on)
    started = await on.call_json(NAME, {"calls": calls, **more})
    return await on.wait_for_job(started["job"])


async def refused(on: JobServer, args: dict[str, Any]) -> str:
    """Return the error of a list for which nobody is asked and nothing is sent."""
    before = len(on.sandbox.requests)
    answer = await on.call(NAME, args, elicitor=AcceptingPerson())
    assert not answer.ok
    assert approvals(on) == 0
    assert all(each.method == "GET" for each in list(on.sandbox.requests)[before:])
    return answer.text


async def test_thirty_plan_changes_are_one_call_and_one_approval_that_names_every_tenant(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 30)
    report = await run_approved(on, plan_changes(on, [f"Test {number}" for number in range(1, 31)]))
    assert (report["status"], report["counts"], approvals(on)) == ("done", {"applied": 30}, 1)
    assert all(sandbox_state(on.sandbox).get("tenants", each)["next_plan_id"] for each in tenants)
    assert on.count_requests("auth.UpdateTenantPlan") == 30
    question = Question.from_json(newest(on).preview)
    assert question.typed is not None
    assert (question.typed.en, question.typed.ja) == ("30 tenants", "30テナント")
    [listed] = [fact.value for fact in question.facts if fact.name == "auth_update_tenant_plan"]
    assert listed == value_list(NamedItem(f"Test {number}") for number in range(1, 31))
    [sums] = [fact.value for fact in question.facts if fact.name == "price_sums"]
    assert format_value(sums, Reader.of("en")) == "¥1,494,000/month → ¥294,000/month"
    assert any("49,800" in line and "9,800" in line for line in render_dialog(question, Reader.of("en")).splitlines())


async def test_five_test_tenants_are_deleted_by_one_yes(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 5, plan_id="")
    report = await run_approved(on, [call("auth_delete_tenant", tenant_id=each) for each in tenants])
    assert report["counts"] == {"applied": 5}
    assert [sandbox_state(on.sandbox).find("tenants", each) for each in tenants] == [None] * 5
    assert approvals(on) == 1


@pytest.mark.parametrize("many", [1, 60])
async def test_a_destructive_call_of_a_list_does_not_let_the_client_confirm_what_its_dialog_hides(
    on: JobServer, many: int
) -> None:
    state = sandbox_state(on.sandbox)
    members = [(each["tenant_id"], each["user_id"]) for each in state.rows("members")]
    held = {(each["tenant_id"], each["user_id"]) for each in state.rows("grants") if each["role_name"] == "admin"}
    (tenant, user), *others = [each for each in members if each not in held]
    grants = [
        call("auth_create_tenant_user_roles", tenant_id=of, user_id=id_, env_id=env, role_names=["admin"])
        for of, id_ in others
        for env in (1, 2, 3)
    ][:many]
    calls = [call("auth_delete_tenant_user", tenant_id=tenant, user_id=user), *grants]
    person = AcceptingPerson()
    answer = await on.call(NAME, {"calls": calls}, elicitor=person)
    assert (len(person.questions), approvals(on)) == ((1, 0) if many == 1 else (0, 1)), answer.text
    assert on.count_requests("auth.CreateTenantUserRoles") == (1 if many == 1 else 0)


async def test_a_client_cannot_confirm_a_critical_call(on: JobServer) -> None:
    person = AcceptingPerson()
    answer = await on.call(NAME, {"calls": plan_changes(on, add_tenants(on.sandbox, 1))}, elicitor=person)
    assert "saasus-mcp approve" in answer.text
    assert (person.questions, on.count_requests("auth.UpdateTenantPlan")) == ([], 0)


async def test_one_forbidden_call_among_300_is_named_before_anything_is_asked_or_sent(tmp_path: Path) -> None:
    rules = (
        build_rule("reads", levels=("read", "read_sensitive"), tools=()),
        build_rule("writes", levels=("write", "write_sensitive"), tools=()),
        build_rule(
            "not this", "deny", tools=("auth_create_role",), when="args.role_name == 'owner'", reason="no owners"
        ),
    )
    async with start_job_server(tmp_path, policy=build_policy(*rules)) as on:
        names = [f"role-{number}" for number in range(299)]
        names.insert(211, "owner")
        calls = [call("auth_create_role", role_name=name, display_name=name) for name in names]
        text = await refused(on, {"calls": calls})
        assert "Row 212, auth_create_role" in text
        assert "no owners" in text
        assert text.count("Row ") == 1
        report = await on.call_json(NAME, {"calls": calls[200:220], "on_mistake": "skip"})
        report = await on.wait_for_job(report["job"])
        assert report["counts"] == {"applied": 19, "left_out": 1}


async def test_all_faults_of_all_rows_are_reported_at_once(on: JobServer) -> None:
    calls = [
        call("auth_creat_role", role_name="x", display_name="x"),
        call("auth_create_role", role_name="x"),
        call(
            "auth_update_tenant", tenant_id="No such", name="x", back_office_staff_email="a@example.com", attributes={}
        ),
        call("auth_create_role", role_name="y", display_name="y"),
        call("auth_create_role", role_name="y", display_name="y"),
        call("auth_get_tenants"),
        call("auth_create_env", id={"$from": "later.id"}, name="x"),
        call("auth_create_env", "later", id=77, name="seven"),
        call("auth_create_env", id={"$from": "nowhere.id"}, name="x"),
        call("auth_delete_saas_user", user_id={"$from": "later.id"}),
        *plan_changes(on, [AOZORA], "no such plan"),
    ]
    text = await refused(on, {"calls": calls})
    for row, said in (
        (1, "auth_create_role"),
        (2, "display_name"),
        (3, "No such"),
        (5, "row 4"),
        (6, "only reads"),
        (7, "later"),
        (9, "nowhere"),
        (10, "critical"),
        (11, "no such plan"),
    ):
        [line] = [each for each in text.splitlines() if f"Row {row}, " in each]
        assert said in line, line
    assert "Row 4," not in text
    assert "Row 8," not in text


async def test_a_call_that_no_list_may_have_tells_its_other_faults_too(on: JobServer) -> None:
    calls = [
        call("auth_get_tenant", tenant_id="Nowhere"),
        call(
            "auth_create_tenant_user_roles",
            "grant",
            tenant_id="Nowhere",
            user_id={"$from": "account.id"},
            env_id=3,
            role_names=["no such role", "admin"],
        ),
        call("auth_create_env", id={"$from": "grant.id"}, name="x"),
    ]
    lines = (await refused(on, {"calls": calls})).splitlines()
    told = {row: [line for line in lines if f"Row {row}, " in line] for row in (1, 2, 3)}
    assert len(told[1]) == 2
    assert "only reads" in told[1][0]
    assert "Nowhere" in told[1][1]
    assert len(told[2]) == 3
    for line, said in zip(told[2], ("account", "Nowhere", "no such role"), strict=True):
        assert said in line
    [line] = told[3]
    assert "grant" in line
    assert "has a fault" in line


async def test_a_template_makes_the_calls_of_each_row(on: JobServer) -> None:
    csv = "role,shown\nr1,First\nr2,Second\n,\n"
    template = [call("auth_create_role", role_name="{role}", display_name="{shown} ({{x}})")]
    started = await on.call_json(NAME, {"csv": csv, "template": template})
    report = await on.wait_for_job(started["job"])
    assert [row["row"] for row in report["rows"]] == [2, 3]
    roles = {row["role_name"]: row["display_name"] for row in sandbox_state(on.sandbox).rows("roles")}
    assert (roles["r1"], roles["r2"]) == ("First ({x})", "Second ({x})")


@pytest.mark.parametrize(
    ("csv", "template", "said"),
    [
        ("a\nx\n", [call("{a}", role_name="x")], "the same for all rows"),
        ("a\nx\n", [{"tool": 3}], "no tool '3'"),
        (
            "a\nx\n",
            [{"tool": "auth_create_role", "arguments": {}, "by": "{a}"}],
            "template[0].by: there is no such field",
        ),
        ("a\nx\n", [call("auth_create_role", role_name="{b}", display_name="x")], "no column"),
        ("a\n\n", [call("auth_create_role", role_name="{a}", display_name="x")], "no lines of data"),
        ("a,a\nx,y\n", [call("auth_create_role", role_name="{a}", display_name="x")], "heading"),
        ('a\n"x\n', [call("auth_create_role", role_name="{a}", display_name="x")], "not valid CSV"),
    ],
)
async def test_a_table_that_does_not_fit_its_template_is_refused(
    on: JobServer, csv: str, template: list[dict[str, Any]], said: str
) -> None:
    assert said in await refused(on, {"csv": csv, "template": template})


async def test_an_empty_cell_leaves_its_argument_out(on: JobServer) -> None:
    """An empty next_plan_id would end a contract."""
    template = [call("auth_update_tenant_plan", tenant_id="{tenant}", next_plan_id="{plan}")]
    text = await refused(on, {"csv": f"tenant,plan\n{AOZORA},\n", "template": template})
    assert "next_plan_id" in text


async def test_only_plan_changes_nothing_and_asks_nobody(on: JobServer) -> None:
    calls = plan_changes(on, add_tenants(on.sandbox, 3))
    started = await on.call_json(NAME, {"calls": calls, "only_plan": True})
    report = await on.wait_for_job(started["job"])
    assert report["counts"] == {"planned": 3}
    assert any("29,400" in note for note in report["notes"])
    assert (approvals(on), on.count_requests("auth.UpdateTenantPlan")) == (0, 0)


async def test_after_a_failure_the_list_goes_on_or_stops_as_requested(on: JobServer) -> None:
    for option, counts in (
        ("continue", {"applied": 2, "not_applied": 1}),
        ("stop", {"applied": 1, "not_applied": 1, "not_begun": 1}),
    ):
        on.sandbox.faults.add("status", on="auth.CreateEnv", status=500, times=1)
        number = 50 if option == "continue" else 60
        calls = [
            call("auth_create_role", role_name=f"a-{option}", display_name="a"),
            call("auth_create_env", id=number, name=f"e-{option}"),
            call("auth_create_role", role_name=f"b-{option}", display_name="b"),
        ]
        started = await on.call_json(NAME, {"calls": calls, "on_error": option}, elicitor=AcceptingPerson())
        report = await on.wait_for_job(started["job"])
        assert report["counts"] == counts, report


async def test_critical_calls_of_two_operations_are_refused(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 2)
    calls = [*plan_changes(on, tenants[:1]), call("auth_delete_tenant", tenant_id=tenants[1])]
    text = await refused(on, {"calls": calls})
    assert "auth_delete_tenant" in text
    assert "auth_update_tenant_plan" in text


def bulk_policy(**bulk: Any) -> RulePolicy:
    levels = PRESETS["guarded"].by_level
    rules = [build_rule(level, outcome, levels=(level,), tools=()) for level, outcome in levels.items()]
    return build_policy(*rules, bulk=BulkLimits(**bulk))


@pytest.mark.parametrize(
    ("bulk", "count", "said"),
    [
        ({}, 51, "one approval covers 50"),
        ({"critical_limit": 2}, 3, "one approval covers 2"),
        ({"critical": "never"}, 1, "section bulk"),
        ({"levels": ("write",)}, 1, "section bulk"),
        ({"max_calls": 2}, 3, "may have 2"),
    ],
)
async def test_the_policy_limits_what_one_approval_covers(
    tmp_path: Path, bulk: dict[str, Any], count: int, said: str
) -> None:
    async with start_job_server(tmp_path, policy=bulk_policy(**bulk)) as on:
        assert said in await refused(on, {"calls": plan_changes(on, add_tenants(on.sandbox, count))})


@pytest.mark.slow
async def test_where_each_critical_call_needs_its_own_approval_the_plans_approval_covers_none(tmp_path: Path) -> None:
    async with start_job_server(tmp_path, policy=bulk_policy(critical="each")) as on:
        calls = plan_changes(on, add_tenants(on.sandbox, 1))
        await on.call(NAME, {"calls": calls})
        approve(on)
        started = await on.call_json(NAME, {"calls": calls})
        assert newest(on).code in started["waiting"]
        assert on.count_requests("auth.UpdateTenantPlan") == 0
        approve(on)
        assert (await on.wait_for_job(started["job"]))["counts"] == {"applied": 1}


async def test_a_change_of_one_list_needs_another_approval(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 3)
    await on.call(NAME, {"calls": plan_changes(on, tenants[:2])})
    approve(on)
    for other in (tenants, tenants[1:], tenants[:2][::-1]):
        answer = await on.call(NAME, {"calls": plan_changes(on, other)})
        assert "saasus-mcp approve" in answer.text
    assert on.count_requests("auth.UpdateTenantPlan") == 0


async def test_a_tenant_that_changed_after_the_approval_is_asked_about_again(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 2)
    calls = plan_changes(on, tenants)
    await on.call(NAME, {"calls": calls})
    approve(on)
    state = sandbox_state(on.sandbox)
    state.put("tenants", (tenants[0],), {**state.get("tenants", tenants[0]), "name": "Renamed"})
    assert "saasus-mcp approve" in (await on.call(NAME, {"calls": calls})).text
    assert on.count_requests("auth.UpdateTenantPlan") == 0


async def test_a_row_that_would_change_nothing_is_skipped(on: JobServer) -> None:
    state = sandbox_state(on.sandbox)
    [env] = [row for row in state.rows("envs") if row["id"] == 3]
    calls = [
        call("auth_update_env", env_id=3, name=env["name"], display_name=env["display_name"]),
        call("auth_create_role", role_name="new", display_name="new"),
    ]
    started = await on.call_json(NAME, {"calls": calls}, elicitor=AcceptingPerson())
    report = await on.wait_for_job(started["job"])
    assert report["counts"] == {"applied": 1, "skipped": 1}, report
    said = json.dumps(report)
    assert str(message("permissions.no_change")) in said
    assert str(message("permissions.no_change_hint")) not in said, "a person was asked about the list"


@pytest.mark.parametrize("held", [True, False])
async def test_a_row_is_made_if_another_row_changes_what_it_would_leave_as_it_is(on: JobServer, *, held: bool) -> None:
    state = sandbox_state(on.sandbox)
    member = next(each for each in state.rows("members") if state.rows("grants", each["tenant_id"], each["user_id"]))
    person = {"tenant_id": member["tenant_id"], "user_id": member["user_id"]}
    [grant, *_] = state.rows("grants", *person.values())
    if not held:
        state.drop("grants", *grant.values())
    given = call("auth_create_tenant_user_roles", **person, env_id=grant["env_id"], role_names=[grant["role_name"]])
    taken = call("auth_delete_tenant_user_role", **person, env_id=grant["env_id"], role_name=grant["role_name"])
    calls = [taken, given] if held else [given, taken]
    started = await on.call_json(NAME, {"calls": calls}, elicitor=AcceptingPerson())
    report = await on.wait_for_job(started["job"])
    assert report["counts"] == {"applied": 2}, report
    assert (grant in state.rows("grants", *person.values())) is held


async def test_users_and_tenants_are_named_by_what_people_call_them(on: JobServer) -> None:
    calls = [call("auth_delete_tenant_user", tenant_id="株式会社青空商事", user_id=USER)]
    person = AcceptingPerson()
    started = await on.call_json(NAME, {"calls": calls}, elicitor=person)
    report = await on.wait_for_job(started["job"])
    assert report["counts"] == {"applied": 1}, report
    assert person.questions[0].name == "1 user"
    assert not any(row[0] == USER and row[2] == AOZORA for row in list_grants(on.sandbox))


async def test_targets_with_one_name_stand_with_their_ids(on: JobServer) -> None:
    one, other, third = add_tenants(on.sandbox, 3)
    for tenant, name in ((one, "Acme"), (other, "ＡＣＭＥ"), (third, f"Acme ({one})")):
        sandbox_state(on.sandbox).change("tenants", (tenant,), name=name)
    asked = await on.call(NAME, {"calls": [call("auth_delete_tenant", tenant_id=each) for each in (one, other, third)]})
    question = Question.from_json(newest(on).preview)
    assert question.typed is not None
    assert question.typed.en == "3 tenants"
    [listed] = [fact.value for fact in question.facts if fact.name == "auth_delete_tenant"]
    names = format_value(listed, Reader.of("en"))
    assert names == f"Acme ({one}), “ＡＣＭＥ” ({other}), “Acme ({one})”"
    assert names in asked.text


async def test_an_empty_list_is_refused_with_the_number_of_its_calls(on: JobServer) -> None:
    answer = await on.call("job_run_plan", {"calls": []})
    assert answer.text.startswith("calls: expected at least 1 items, got 0.")
