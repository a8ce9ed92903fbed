"""References of listed calls to the ids that earlier calls create: which are allowed, and how the question names them."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest

from saasus_mcp.permissions.inspection.target import ReadFailure
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.formatting import Reader, format_value, read_error
from saasus_mcp.sandbox.state import uid
from tests.support.job_data import AOZORA, USER, add_tenants, list_grants, sandbox_state
from tests.support.job_server import AcceptingPerson, JobServer

NAME = "job_run_plan"
OTHER = uid("user", "kota.tsukishima@example.jp")


def call(tool: str, called: str = "", /, **arguments: Any) -> dict[str, Any]:
    return {"tool": tool, "arguments": arguments, **({"id": called} if called else {})}


def create_unit(name: str) -> dict[str, Any]:
    return call(
        "pricing_create_pricing_unit",
        name,
        name=name,
        display_name=f"Unit {name}",
        description="x",
        type="fixed",
        currency="JPY",
        unit_amount=100,
        recurring_interval="month",
    )


def create_menu(*unit_ids: Any) -> dict[str, Any]:
    return call(
        "pricing_create_pricing_menu", name="menu", display_name="Menu", description="x", unit_ids=list(unit_ids)
    )


def calls_to_confirm(*calls: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the calls with one for which a person is asked."""
    rate = {"name": "rate", "display_name": "Rate", "percentage": 8, "inclusive": False, "country": "JP"}
    return [*calls, call("pricing_create_tax_rate", **rate, description="x")]


async def refused(on: JobServer, calls: list[dict[str, Any]]) -> str:
    """Return the error of a list for which nobody is asked and nothing is sent."""
    before, person = len(on.sandbox.requests), AcceptingPerson()
    answer = await on.call(NAME, {"calls": calls}, elicitor=person)
    assert not answer.ok
    assert person.questions == []
    assert all(each.method == "GET" for each in list(on.sandbox.requests)[before:])
    return answer.text


async def question_of(on: JobServer, calls: list[dict[str, Any]]) -> Question:
    """Return the question about a list, from the dialog or, if that cannot show it all, from the approval."""
    person = AcceptingPerson()
    await on.call(NAME, {"calls": calls}, elicitor=person)
    if not person.questions:
        return Question.from_json(on.pipeline.store.list_approvals(on.pipeline.clock())[0].preview)
    question = person.questions[0].question
    assert isinstance(question, Question)
    return question


async def asked(on: JobServer, calls: list[dict[str, Any]], tool: str, language: Literal["en", "ja"] = "en") -> str:
    """Return what the question says about the calls of a tool."""
    question = await question_of(on, calls)
    facts = [fact.value for fact in question.facts if fact.name.partition(".")[0] == tool]
    return "; ".join(format_value(value, Reader.of(language)) for value in facts)


async def test_a_value_comes_from_an_earlier_answer(on: JobServer) -> None:
    calls = [
        call("auth_create_saas_user", "account", email="fresh@example.com"),
        call("auth_create_tenant_user", tenant_id=AOZORA, email="fresh@example.com", attributes={}),
        call(
            "auth_create_tenant_user_roles",
            tenant_id=AOZORA,
            user_id={"$from": "account.id"},
            env_id="prod",
            role_names=["閲覧者"],
        ),
    ]
    report = await on.call_json(NAME, {"calls": calls}, elicitor=AcceptingPerson())
    report = await on.wait_for_job(report["job"])
    assert report["counts"] == {"applied": 3}, report
    assert ("fresh@example.com", "", AOZORA, "3", "viewer") in list_grants(on.sandbox)


async def test_calls_go_to_the_tenant_that_an_earlier_call_creates(on: JobServer) -> None:
    created = {"$from": "company.id"}
    calls = [
        call(
            "auth_create_tenant", "company", name="New Company", attributes={}, back_office_staff_email="a@example.jp"
        ),
        call("auth_create_saas_user", "account", email="fresh@example.com"),
        call("auth_create_tenant_user", tenant_id=created, email="fresh@example.com", attributes={}),
        call(
            "auth_create_tenant_user_roles",
            tenant_id=created,
            user_id={"$from": "account.id"},
            env_id="prod",
            role_names=["閲覧者"],
        ),
    ]
    report = await on.call_json(NAME, {"calls": calls}, elicitor=AcceptingPerson())
    report = await on.wait_for_job(report["job"])
    assert report["counts"] == {"applied": 4}, report
    [tenant] = [row["id"] for row in sandbox_state(on.sandbox).rows("tenants") if row["name"] == "New Company"]
    assert ("fresh@example.com", "", tenant, "3", "viewer") in list_grants(on.sandbox)


async def test_new_items_are_named_by_what_the_list_gives_them(on: JobServer) -> None:
    created = {"$from": "company.id"}
    calls = [
        call("auth_create_tenant", "company", name="港運輸", attributes={}, back_office_staff_email="b@example.com"),
        call("auth_create_role", role_name="driver", display_name="運転手"),
        call("auth_create_env", id=9, name="qa", display_name="品質確認"),
        call("auth_create_saas_user", "account", email="fresh@example.com"),
        call("auth_create_tenant_user", tenant_id=created, email="fresh@example.com", attributes={}),
        call(
            "auth_create_tenant_user_roles",
            tenant_id=created,
            user_id={"$from": "account.id"},
            env_id=9,
            role_names=["driver"],
        ),
    ]
    report = await on.call_json(NAME, {"calls": calls, "only_plan": True})
    assert [row["target"] for row in report["rows"]] == [
        "港運輸",
        "運転手",
        "品質確認",
        "fresh@example.com",
        "港運輸",
        "fresh@example.com",
    ]
    told = "\n".join(report["notes"])
    assert read_error(ReadFailure.NOT_FOUND).text("en") not in told
    for name, row in (("fresh@example.com", 4), ("運転手", 2), ("品質確認", 3), ("港運輸", 1)):
        assert re.search(rf"“?{name}”? \(created in row {row}\)", told), told


async def test_nobody_is_warned_that_the_state_of_a_new_item_is_unread(on: JobServer) -> None:
    user = {"$from": "account.id"}
    calls = [
        call("auth_create_saas_user", "account", email="fresh@example.com"),
        call("auth_create_tenant_user", tenant_id=AOZORA, email="fresh@example.com", attributes={}),
        call("auth_create_tenant_user_roles", tenant_id=AOZORA, user_id=user, env_id="prod", role_names=["viewer"]),
    ]
    person = AcceptingPerson()
    await on.call_json(NAME, {"calls": calls}, elicitor=person)
    question = person.questions[0].question
    assert isinstance(question, Question)
    assert [warning for warning in question.warnings if warning.kind == "unseen"] == []


async def test_a_change_of_what_the_list_creates_is_promised_to_be_undone(on: JobServer) -> None:
    unit = {"unit_name": "fresh", "display_name": "Fresh", "description": "x"}
    usage = {"tenant_id": AOZORA, "metering_unit_name": "fresh", "timestamp": 1790000000, "method": "add", "count": 3}
    calls = [call("pricing_create_metering_unit", **unit), call("pricing_update_meter_count", **usage)]
    person = AcceptingPerson()
    report = await on.call_json(NAME, {"calls": calls}, elicitor=person)
    [question] = [each.question for each in person.questions]
    assert question is not None
    assert "irreversible" not in {each.kind for each in question.warnings}
    assert (await on.wait_for_job(report["job"]))["counts"] == {"applied": 2}
    [counted] = [each for each in on.pipeline.store.undo_log.list_entries() if each.arguments.get("count") == 3]
    assert counted.before["counts"] == [], "it is read before the call is sent"


async def test_the_question_names_whom_each_role_goes_to_although_the_list_creates_them(on: JobServer) -> None:
    accounts = ("good@example.com", "evil@example.com")
    calls = [call("auth_create_saas_user", email.partition("@")[0], email=email) for email in accounts]
    calls += [call("auth_create_tenant_user", tenant_id=AOZORA, email=email, attributes={}) for email in accounts]
    calls += [
        call(
            "auth_create_tenant_user_roles",
            tenant_id=AOZORA,
            user_id={"$from": f"{account}.id"},
            env_id="prod",
            role_names=[role],
        )
        for account, role in (("good", "viewer"), ("evil", "admin"))
    ]
    person = AcceptingPerson()
    await on.call_json(NAME, {"calls": calls}, elicitor=person)
    question = person.questions[0].question
    assert isinstance(question, Question)
    [granted] = [fact.value for fact in question.facts if fact.name == "auth_create_tenant_user_roles"]
    readers = ((Reader.of("en"), ("created in row 1", "created in row 2")), (Reader.of("ja"), ("1行目", "2行目")))
    for reader, rows in readers:
        told = format_value(granted, reader)
        first, second = told[: told.index(rows[1])], told[told.index(rows[1]) :]
        assert "good@example.com" in first
        assert rows[0] in first
        assert "viewer" in first
        assert "admin" in second
        assert told.count("株式会社青空商事") == 2
        assert "known later" not in told
        assert told.index("good@example.com") < told.index("evil@example.com") < told.index("admin")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("pricing_update_meter_count", {"count": {"$from": "first.count"}}),
        ("pricing_update_meter_count", {"timestamp": {"$from": "first.timestamp"}, "count": 1}),
        ("pricing_update_meter_count", {"metering_unit_name": {"$from": "first.metering_unit_name"}, "count": 1}),
    ],
)
async def test_a_value_that_a_person_can_know_before_comes_from_no_earlier_call(
    on: JobServer, tool: str, arguments: dict[str, Any]
) -> None:
    usage = {"tenant_id": AOZORA, "metering_unit_name": "api_calls", "timestamp": 1_790_000_000, "method": "add"}
    calls = [call(tool, "first", **usage, count=999_999), call(tool, **{**usage, **arguments})]
    name = next(name for name, value in arguments.items() if isinstance(value, dict))
    said = await refused(on, calls)
    assert f"Row 2, {tool}: {name}: only the id that the API generates" in said


async def test_secrets_are_no_source_of_values(on: JobServer) -> None:
    calls = [
        call("auth_create_saas_user", "account", sign_in_id="terminal-9"),
        call("auth_create_role", role_name={"$from": "account.password"}, display_name="x"),
    ]
    assert "password" in await refused(on, calls)


VOTE = call("communication_create_vote_user", "a", feedback_id=uid("feedback", "dark_mode"), user_id=USER)
INVITATION = call(
    "auth_create_tenant_invitation",
    "a",
    tenant_id=AOZORA,
    email="fresh@example.com",
    access_token="secret://r/0123456789abcdef",
    envs=[{"id": 3, "role_names": ["admin"]}],
)
GRANT = {"tenant_id": AOZORA, "user_id": USER, "env_id": 3, "role_names": ["viewer"]}


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param(
            VOTE,
            call("auth_create_tenant_user_roles", **{**GRANT, "user_id": {"$from": "a.users.0.user_id"}}),
            id="an existing person whom nobody names",
        ),
        pytest.param(
            INVITATION,
            call("auth_create_tenant_user_roles", **{**GRANT, "role_names": [{"$from": "a.envs.0.roles.0.role_name"}]}),
            id="a role within an argument",
        ),
        pytest.param(
            call("auth_delete_tenant_user", "a", tenant_id=AOZORA, user_id=USER),
            call("auth_create_tenant_user_roles", **{**GRANT, "tenant_id": {"$from": "a.applied"}}),
            id="an answer of a call that creates nothing",
        ),
        pytest.param(
            call("auth_create_role", "a", role_name="x", display_name="x"),
            call("auth_create_tenant_user_roles", **{**GRANT, "role_names": [{"$from": "a.role_name"}]}),
            id="an argument",
        ),
        pytest.param(
            call("auth_create_tenant", "a", name="x", attributes={}, back_office_staff_email="a@example.jp"),
            call("auth_create_role", role_name={"$from": "a.plan_id"}, display_name="x"),
            id="another field of a new item",
        ),
    ],
)
async def test_only_the_id_of_a_new_item_comes_from_an_earlier_call(
    on: JobServer, earlier: dict[str, Any], later: dict[str, Any]
) -> None:
    [line] = [each for each in (await refused(on, [earlier, later])).splitlines() if "Row 2, " in each]
    assert "only the id that the API generates" in line


async def test_each_item_of_a_list_is_named_by_the_call_that_creates_it(on: JobServer) -> None:
    calls = calls_to_confirm(create_unit("A"), create_unit("B"), create_menu({"$from": "A.id"}, {"$from": "B.id"}))
    told = await asked(on, calls, "pricing_create_pricing_menu")
    assert told.count("“Unit A” (created in row 1)") == 1
    assert told.count("“Unit B” (created in row 2)") == 1
    assert "known later" not in told


async def test_the_only_item_of_a_list_is_named_by_the_call_that_creates_it(on: JobServer) -> None:
    calls = calls_to_confirm(create_unit("A"), create_menu({"$from": "A.id"}))
    told = await asked(on, calls, "pricing_create_pricing_menu", "ja")
    assert "「Unit A」(1行目で作成)" in told


async def test_a_reference_beside_a_name_that_stands_first_is_named(on: JobServer) -> None:
    state = sandbox_state(on.sandbox)
    spare = uid("unit", "spare_fixed")
    state.change("pricing_units", (spare,), display_name="admin-x")
    calls = calls_to_confirm(create_unit("A"), create_menu({"$from": "A.id"}, spare))
    told = await asked(on, calls, "pricing_create_pricing_menu")
    assert told.index("admin-x") < told.index("“Unit A” (created in row 1)")


async def test_a_new_user_of_a_tenant_is_named_and_not_the_tenant(on: JobServer) -> None:
    calls = [
        call("auth_create_saas_user", email="fresh@example.com"),
        call("auth_create_tenant_user", "member", tenant_id=AOZORA, email="fresh@example.com", attributes={}),
        call("auth_create_tenant_user_roles", **{**GRANT, "user_id": {"$from": "member.id"}}),
    ]
    told = await asked(on, calls, "auth_create_tenant_user_roles")
    assert "fresh@example.com" in told[: told.index("created in row 2")]
    assert "青空" not in told[: told.index("created in row 2")]


async def test_a_tenant_with_the_name_of_a_placeholder_is_named(on: JobServer) -> None:
    [tenant] = add_tenants(on.sandbox, 1)
    sandbox_state(on.sandbox).change("tenants", (tenant,), name="known later: user_id")
    calls = [
        call("auth_create_saas_user", "account", email="fresh@example.com"),
        call("auth_create_tenant_user", tenant_id=tenant, email="fresh@example.com", attributes={}),
        call(
            "auth_create_tenant_user_roles",
            **{**GRANT, "tenant_id": tenant, "user_id": {"$from": "account.id"}},
        ),
    ]
    told = await asked(on, calls, "auth_create_tenant_user")
    assert "known later: user_id" in told
    assert "row" not in told


async def test_the_details_have_each_reference_in_its_place(on: JobServer) -> None:
    spare = uid("unit", "spare_fixed")
    question = await question_of(on, calls_to_confirm(create_unit("A"), create_menu({"$from": "A.id"}, spare)))
    assert any(f'"unit_ids":["$from c1.id","{spare}"]' in detail.value for detail in question.details)


async def test_an_address_that_an_earlier_call_frees_can_be_taken(on: JobServer) -> None:
    freed, person = "minami.aozora@example.jp", AcceptingPerson()
    first, second = uid("user", freed), uid("user", "akane.hoshino@example.jp")
    change = "auth_update_saas_user_email"
    calls = [call(change, user_id=first, email="another@example.jp"), call(change, user_id=second, email=freed)]
    told = await on.call_json(NAME, {"calls": calls}, elicitor=person)
    assert told["counts"] == {"applied": 2}
    assert [row["email"] for row in on.sandbox.state.rows("users") if row["id"] == second] == [freed]
    again = [call("auth_delete_saas_user", user_id=second), call("auth_create_saas_user", email=freed)]
    planned = await on.call_json(NAME, {"calls": again, "only_plan": True})
    assert planned["counts"] == {"planned": 2}
    assert "(“”)" not in str(planned["notes"]), "an item that is created has no id yet"


async def test_an_address_that_no_earlier_call_frees_is_a_fault(on: JobServer) -> None:
    change, taken = "auth_update_saas_user_email", "akane.hoshino@example.jp"
    calls = [call(change, user_id=USER, email="another@example.jp"), call(change, user_id=OTHER, email=taken)]
    assert "Row 2" in await refused(on, calls)
    later = [call(change, user_id=OTHER, email="minami.aozora@example.jp"), calls[0]]
    assert "Row 1" in await refused(on, later), "it is freed only after it is taken"


@pytest.mark.parametrize(
    ("tool", "more"),
    [
        ("auth_update_saas_user_attributes", {"attributes": {"locale": "en"}}),
        ("auth_delete_tenant_user", {"tenant_id": AOZORA}),
    ],
)
async def test_a_call_about_a_person_that_keeps_the_address_frees_nothing(
    on: JobServer, tool: str, more: dict[str, Any]
) -> None:
    email = "minami.aozora@example.jp"
    take = call("auth_update_saas_user_email", user_id=OTHER, email=email)
    assert "Row 2" in await refused(on, [call(tool, user_id=uid("user", email), **more), take])
