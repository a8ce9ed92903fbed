"""`job_import_users`: checked line by line, asked about once, and held to what the sandbox then holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.jobs.users.user_line import ImportTargets, UserLine
from saasus_mcp.jobs.users.user_list import parse_users
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from tests.support.job_data import HEADER, import_lines, list_grants, sandbox_state, tenant_id
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server
from tests.support.pipeline import ERAS, PRINCIPAL, Era, accept_question, connect_client


def contents(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.iterdir()]


async def imported(on: JobServer, text: str, **more: Any) -> dict[str, Any]:
    return await on.call_json("job_import_users", {"csv": text, **more}, elicitor=AcceptingPerson())


async def test_exactly_the_listed_users_exist_afterwards(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        before = list_grants(on.sandbox)
        told = await imported(on, import_lines(on.sandbox, 5))
        assert (told["status"], told["counts"]) == ("done", {"applied": 10})
        new = [row for row in list_grants(on.sandbox) if row not in before]
        wanted = [
            (
                f"new-{n}@example.com" if n % 2 == 0 else "",
                "" if n % 2 == 0 else f"new-{n}",
                tenant_id(on.sandbox),
                "3",
                role,
            )
            for n in range(5)
            for role in ("editor", "viewer")
        ]
        assert sorted(new) == sorted(wanted)
        assert set(before) <= set(list_grants(on.sandbox))
        assert on.count_requests("auth.CreateSaasUser") == on.count_requests("auth.CreateTenantUser") == 5
        assert on.count_requests("auth.CreateTenantUserRoles") == 5, "the roles of one environment go in one call"
        assert on.count_requests("auth.GetTenantUser") == 5, "the state before the roles are granted"
        assert on.count_requests("auth.GetSaasUser") == 0, "a member that was read has a name already"


@pytest.mark.slow
async def test_one_question_shows_the_whole_plan_with_its_counts(tmp_path: Path) -> None:
    person = AcceptingPerson()
    async with start_job_server(tmp_path) as on:
        await on.call_json("job_import_users", {"csv": import_lines(on.sandbox, 5)}, elicitor=person)
    [question] = person.questions
    assert question.message.splitlines()[:2] == [
        "[SANDBOX] Register 5 people in “株式会社青空商事”",
        "Roles granted in “本番環境 (prod)”: “編集者 (editor)” 5 people, “閲覧者 (viewer)” 5 people",
    ]
    for said in (
        "✉ Sends a password by e-mail to 3 people",
        "New accounts: 5 people, with a generated password: 2 people",
    ):
        assert said in question.message


async def test_the_same_list_again_changes_nothing_and_asks_nobody(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        await imported(on, import_lines(on.sandbox))
        there, sent = list_grants(on.sandbox), on.count_requests("auth.CreateSaasUser")
        told = await on.call_json("job_import_users", {"csv": import_lines(on.sandbox)})
        assert (told["status"], told["counts"]) == ("done", {"skipped": 6})
        assert (list_grants(on.sandbox), on.count_requests("auth.CreateSaasUser")) == (there, sent)


async def test_an_exported_file_can_be_imported_unchanged(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        for form in ("csv", "json"):
            result = (await on.call_json("job_export_users", {"attributes": ["full_name"], "format": form}))["result"]
            told = await on.call_json("job_import_users", {"result": result})
            assert told["counts"] == {"skipped": len(list_grants(on.sandbox))}


async def test_a_list_with_mistakes_is_refused_whole_with_every_mistake(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        there = tenant_id(on.sandbox)
        text = HEADER + "".join(
            [
                f"a@example.com,,{there},,3,viewer,A\n",
                f"a@example.com,,{there},,3,viewer,A\n",
                f"b@example.com,b,{there},,3,viewer,B\n",
                "c@example.com,,none-such,,3,viewer,C\n",
                f"d@example.com,,{there},,9,viewer,D\n",
                f"e@example.com,,{there},,3,king,E\n",
                f"no address,,{there},,3,viewer,F\n",
                f",日本,{there},,3,viewer,G\n",
                f"h@example.com,,{there},,3,,H\n",
                f"a@example.com,,{there},,3,editor,Another\n",
            ]
        )
        answer = await on.call("job_import_users", {"csv": text}, elicitor=AcceptingPerson())
        assert not answer.ok
        assert answer.text.startswith("csv: 9 lines are wrong:\n")
        for said in (
            "line 3, it repeats line 2",
            "line 4, email: give exactly one",
            "line 5, tenant_id: there is no tenant “none-such”",
            "line 6, env_id: there is no environment “9”",
            "line 7, role_name: there is no role “king”",
            "line 8, email: “no address” is not a valid e-mail address",
            "line 9, sign_in_id:",
            "line 10, role_name: give environment and role together",
            "line 11, attributes: they differ",
        ):
            assert said in answer.text
        assert on.count_requests("auth.CreateSaasUser") == 0


async def test_columns_named_as_people_call_the_attributes_are_imported(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        text = f"メールアドレス,テナントID,氏名,社員番号\nnew@example.com,{tenant_id(on.sandbox)},山田 花子,12\n"
        person = AcceptingPerson()
        told = await on.call_json("job_import_users", {"csv": text}, elicitor=person)
        assert told["counts"] == {"applied": 1}
        assert "氏名 → attribute.full_name" in person.questions[0].message
        listed = await on.call_json("auth_get_tenant_users", {"tenant_id": tenant_id(on.sandbox)})
        [member] = [user for user in listed["users"] if user["email"] == "new@example.com"]
        assert member["attributes"] == {"full_name": "山田 花子", "employee_number": 12}


async def test_a_line_that_differs_in_its_attributes_repeats_no_other(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        line = f"a@example.com,,{tenant_id(on.sandbox)},,3,viewer,"
        answer = await on.call("job_import_users", {"csv": f"{HEADER}{line}A\n{line}B\n"}, elicitor=AcceptingPerson())
        assert "line 3, attributes: they differ" in answer.text
        assert "repeats" not in answer.text


async def test_an_attribute_that_is_called_password_lets_no_password_in(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        sandbox_state(on.sandbox).change("user_attributes", ("full_name",), display_name="Password")
        text = f"email,tenant_id,PassWord\nnew@example.com,{tenant_id(on.sandbox)},hush\n"
        answer = await on.call("job_import_users", {"csv": text}, elicitor=AcceptingPerson())
        assert "it must not contain passwords" in answer.text


async def test_lines_with_the_same_mistake_are_one_line_of_the_error(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        there = tenant_id(on.sandbox)
        wrong = [f"u{number}@example.com,,{there},,{'prd' if number % 2 else 3},viewer,A\n" for number in range(400)]
        blank = [f"v{number}@example.com,,,,3,viewer,A\n" for number in range(5)]
        answer = await on.call("job_import_users", {"csv": HEADER + "".join(wrong + blank)}, elicitor=AcceptingPerson())
        first, *rest = answer.text.splitlines()[:4]
        assert first == "csv: 205 lines are wrong:"
        assert rest[0].startswith("200 lines (3, 5, 7, ")
        assert rest[0].endswith(", 41, …), env_id: there is no environment “prd”")
        assert rest[1] == "5 lines (402-406), tenant_id: the tenant is missing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("email,tenant_id,password\n", "it must not contain passwords"),
        ("email,tenant_id,shoe_size\n", "there is no column “shoe_size”"),
        ("email,tenant_id,attribute.shoe_size\n", "there is no column"),
        ("email,role_name\n", "missing columns: tenant_id or tenant_name, env_id."),
        ("sign_in_id,tenant_name,env_id\n", "missing columns: role_name."),
        ("email,tenant_id\n", "it has no lines of data"),
        ('email,tenant_id\n"a@example.com', "line 2 is not valid CSV: a quotation mark is not closed."),
        ("", "give exactly one of csv, result"),
    ],
)
async def test_a_value_that_is_not_a_list_is_refused(tmp_path: Path, text: str, said: str) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_import_users", {"csv": text, "on_mistake": "skip"}, elicitor=AcceptingPerson())
        assert said in answer.text


async def test_a_password_becomes_a_handle_that_no_answer_shows(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_import_users", {"csv": import_lines(on.sandbox, 4)}, elicitor=AcceptingPerson())
        told = json.loads(answer.text)
        assert told["secrets"] == 2
        kept = await on.call("select_from_result", {"id": told["kept_secrets"], "expression": "@"})
        assert set(json.loads(kept.text)["result"]) == {"new-1", "new-3"}
        whole = answer.text + kept.text + json.dumps(on.pipeline.store.audit_log.list_records())
        assert "sandbox-password" not in whole
    assert not any(b"sandbox-password" in file for file in contents(tmp_path))


@pytest.mark.slow
async def test_without_a_person_to_ask_it_waits_for_an_approval(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_import_users", {"csv": import_lines(on.sandbox)})
        assert "saasus-mcp approve" in answer.text
        assert on.count_requests("auth.CreateSaasUser") == 0
        [pending] = on.pipeline.store.list_approvals(on.pipeline.clock())
        on.pipeline.store.decide_approval(
            pending.code, "approved", by="local:person", at=on.pipeline.clock(), expires_at=on.pipeline.clock() + 60
        )
        told = await on.call_json("job_import_users", {"csv": import_lines(on.sandbox)})
        assert told["counts"] == {"applied": 6}


async def test_a_policy_that_forbids_a_part_says_which_before_anything_starts(tmp_path: Path) -> None:
    async with start_job_server(tmp_path, policy=PRESETS["read-only"]) as on:
        answer = await on.call("job_import_users", {"csv": import_lines(on.sandbox)}, elicitor=AcceptingPerson())
        assert not answer.ok
        assert "auth_create_saas_user (3 calls, the first for “new-0@example.com”)" in answer.text
        assert "auth_create_tenant_user_roles (3 calls" in answer.text
        assert on.count_requests("auth.CreateSaasUser") == 0
        assert "job_import_users" not in {
            tool.name for tool in on.surface.list_tools(PRINCIPAL) if hasattr(tool, "name")
        }


async def test_a_plan_that_changed_while_a_person_thought_is_asked_about_again(tmp_path: Path) -> None:
    class Slow(AcceptingPerson):
        async def ask(self, question: Any) -> Any:
            if not self.questions:
                state = sandbox_state(on.sandbox)
                state.put(
                    "users", ("late",), {"id": "late", "email": "new-0@example.com", "sign_in_id": "", "attributes": {}}
                )
            return await super().ask(question)

    person = Slow()
    async with start_job_server(tmp_path) as on:
        told = await on.call_json("job_import_users", {"csv": import_lines(on.sandbox, 1)}, elicitor=person)
        assert len(person.questions) == 2
        assert "changed since you were asked" in person.questions[1].message
        assert told["counts"] == {"applied": 2}
        assert on.count_requests("auth.CreateSaasUser") == 0


async def test_an_answer_to_the_question_about_another_list_is_refused(tmp_path: Path) -> None:
    from saasus_mcp.permissions.approval.confirmation import FIELD_YES, ClientAnswer, ConfirmationReply  # noqa: PLC0415 - beside its use

    class Later(AcceptingPerson):
        async def ask(self, question: Any) -> None:
            return None

    async with start_job_server(tmp_path) as on:
        asking = await on.surface.run(
            Call("job_import_users", {"csv": import_lines(on.sandbox, 1)}, PRINCIPAL, elicitor=Later())
        )
        assert isinstance(asking, PendingElicitation)
        reply = ConfirmationReply(ClientAnswer("accept", {FIELD_YES: True}), asking.state)
        answer = await on.call("job_import_users", {"csv": import_lines(on.sandbox, 2)}, reply=reply)
        assert "another call" in answer.text
        assert on.count_requests("auth.CreateSaasUser") == 0


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_of_either_protocol_is_asked_once(tmp_path: Path, era: Era) -> None:
    async with (
        start_job_server(tmp_path) as on,
        connect_client(on.pipeline, era, accept_question, extra_tools=on.tools) as client,
    ):
        result = await client.call_tool("job_import_users", {"csv": import_lines(on.sandbox)})
        assert result.structured_content is not None
        assert result.structured_content["counts"] == {"applied": 6}


async def test_each_step_is_one_record_under_the_job_with_its_place_in_the_plan(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = (await imported(on, import_lines(on.sandbox, 1)))["job"]
        steps = [record["step"] for record in on.audit_records() if record.get("parent") == job and "step" in record]
        assert steps == ["u1/account", "u1/1/member", "u1/1/3"]
        begun = next(record for record in on.audit_records() if record["call"] == job)
        assert (begun["proof"], begun["steps"]) == ("confirmation", 3)
        assert "new-0" not in json.dumps(begun["arguments"]), "a list of people is no business of the audit"
        assert on.pipeline.store.audit_log.find_breaks() == []


def sound(given: object, there: ImportTargets) -> list[UserLine]:
    """Return the lines of a list without a mistake."""
    found, mistakes, _ = parse_users(given, there, "csv")
    assert mistakes == []
    return found


def wrong(given: object, there: ImportTargets) -> list[str]:
    """Return the mistakes of a list that has no sound line."""
    found, mistakes, _ = parse_users(given, there, "csv")
    assert found == []
    return [each.text("en") for each in mistakes]


@pytest.mark.parametrize(
    ("email", "why"),
    [
        ("a" * 242 + "@example.com", ""),
        ("a" * 243 + "@example.com", "is not a valid e-mail address"),
        ("a@b", "is not a valid e-mail address"),
        ("a@.example.com", "is not a valid e-mail address"),
        ("a@example..com", "is not a valid e-mail address"),
        ("a@example.com.", "is not a valid e-mail address"),
        ("a b@example.com", "is not a valid e-mail address"),
        ("a\u200b@example.com", "is not a valid e-mail address"),
        ("a@exa\u00admple.com", "is not a valid e-mail address"),
        ("a@b@example.com", "is not a valid e-mail address"),
        ("a@" + "b." * 2_000 + "com", "more than 2,000 characters"),
    ],
)
def test_an_address(email: str, why: str) -> None:
    there = ImportTargets({"t1": "T1"}, {}, {}, {})
    if why:
        [mistake] = wrong(f"email,tenant_name\n{email},T1\n", there)
        assert why in mistake
        assert len(mistake) < 500
    else:
        [line] = sound(f"email,tenant_name\n{email},T1\n", there)
        assert line.login == email


@pytest.mark.parametrize("value", [["a@example.com"], {"a": 1}])
def test_a_cell_is_one_value(value: object) -> None:
    there = ImportTargets({"t1": "T1"}, {}, {}, {})
    assert wrong([{"email": value, "tenant_id": "t1"}], there) == ["email: it is a list or an object, not one value"]


@pytest.mark.parametrize("number", ["inf", "nan", "1e999"])
def test_a_number_is_finite(number: str) -> None:
    there = ImportTargets({"t1": "T1"}, {}, {}, {"age": "number"})
    [mistake] = wrong(f"email,tenant_id,attribute.age\na@example.com,t1,{number}\n", there)
    assert "is not a number" in mistake


def test_tenants_of_one_name_are_distinguished_by_id() -> None:
    there = ImportTargets({"t1": "Same", "t2": "Same ", "t3": "Other"}, {}, {}, {})
    [mistake] = wrong("email,tenant_name\na@example.com,Same\n", there)
    assert "the tenant “Same” is not unique: there are 2; give an id: t1, t2" in mistake
    [line] = sound("email,tenant_name\na@example.com,Other\n", there)
    assert line.tenant_id == "t3"
