"""The question before an import: roles, people and domains, whatever is put around them; and what a list may look like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.common.language import Language, Text
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.layout import hidden_labels
from tests.support.job_data import HEADER, USER, list_grants, sandbox_state, tenant_id
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server

LANGUAGES: tuple[Language, ...] = ("en", "ja")
COMPANY = "株式会社青空商事"
MALLORY = "mallory@evil.example.com"


async def asked(on: JobServer, text: str, **more: Any) -> Question:
    """Return the question that a person is asked outside the client."""
    answer = await on.call("job_import_users", {"csv": text, **more})
    assert "saasus-mcp approve" in answer.text, answer.text
    [pending] = [each for each in on.pipeline.store.list_approvals(on.pipeline.clock()) if each.status == "pending"]
    return Question.from_json(pending.preview)


def staff(on: JobServer, count: int, role: str = "viewer") -> list[str]:
    return [f"staff-{n}@aozora.example.jp,,{tenant_id(on.sandbox)},,3,{role},Person {n}\n" for n in range(count)]


@pytest.mark.parametrize("at", [0, 13, 300])
async def test_a_user_who_alone_gets_a_role_is_named_at_any_position(tmp_path: Path, at: int) -> None:
    async with start_job_server(tmp_path) as on:
        rows = staff(on, 300)
        rows.insert(at, f"{MALLORY},,{tenant_id(on.sandbox)},,3,admin,Mallory\n")
        question = await asked(on, HEADER + "".join(rows))
    for language in LANGUAGES:
        said = render_dialog(question, Reader.of(language)).splitlines()
        assert len(said) <= 12, language
        first = "\n".join(said[:4])
        assert COMPANY in said[0], language
        assert "本番環境 (prod)" in first, language
        assert "管理者 (admin)" in first, language
        assert MALLORY in first, language
        assert "evil.example.com" in "\n".join(said[4:]), f"a domain that nobody there has is named in {language}"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_attribute_that_few_get_is_named_with_who_gets_it(tmp_path: Path, language: Language) -> None:
    """A call for one person shows the attributes. A list must not hide them."""
    header = HEADER.replace("attribute.full_name", "attribute.department,attribute.is_manager")
    async with start_job_server(tmp_path) as on:
        rows = [f"staff-{n}@aozora.example.jp,,{tenant_id(on.sandbox)},,3,viewer,Sales,false\n" for n in range(30)]
        rows.insert(17, f"{MALLORY},,{tenant_id(on.sandbox)},,3,viewer,Sales,true\n")
        question = await asked(on, header + "".join(rows))
    said = render_dialog(question, Reader.of(language)).splitlines()
    expected = {
        "en": [f"Attribute “管理職”: yes ({MALLORY}), no (30 people)", "Attribute “部署”: Sales (31 people)"],
        "ja": [f"属性「管理職」: はい({MALLORY})、いいえ(30人)", "属性「部署」: Sales(31人)"],
    }
    assert set(expected[language]) <= set(said)
    details = [detail.value for detail in question.details if detail.name == "attribute.is_manager"]
    assert f"{MALLORY}: yes" in ", ".join(details)
    assert sum(value.count(": ") for value in details) == 31


async def test_attributes_of_members_who_stay_as_they_are_are_not_announced(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        rows = [f"{USER},,{tenant_id(on.sandbox)},,3,viewer,Another Name\n", *staff(on, 1)]
        question = await asked(on, HEADER + "".join(rows))
    said = render_dialog(question, Reader.of("en"))
    assert "Attribute “氏名”: “Person 0” (staff-0@aozora.example.jp)" in said
    assert "Another Name" not in said


async def test_a_role_that_sounds_like_more_is_called_out_even_where_most_get_it(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        said = render_dialog(await asked(on, HEADER + "".join(staff(on, 3, "admin"))), Reader.of("en"))
    assert all(f"staff-{n}@aozora.example.jp" in said.splitlines()[2] for n in range(3))


async def test_one_person_with_every_role_is_one_item_with_all_of_them(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        roles = [row["role_name"] for row in sandbox_state(on.sandbox).rows("roles")]
        rows = [*staff(on, 20), *(f"{MALLORY},,{tenant_id(on.sandbox)},,3,{role},M\n" for role in roles)]
        said = render_dialog(await asked(on, HEADER + "".join(rows)), Reader.of("en")).splitlines()
    line = next(each for each in said if each.startswith("Roles by person"))
    assert line.count(MALLORY) == 1
    assert all(role in line for role in roles)


async def test_of_a_few_people_everybody_stands_there_with_their_roles_and_places(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        rows = [
            *staff(on, 2),
            f",tanaka,{tenant_id(on.sandbox, 1)},,1,editor,T\n",
            f"{MALLORY},,{tenant_id(on.sandbox)},,3,admin,M\n",
        ]
        said = render_dialog(await asked(on, HEADER + "".join(rows)), Reader.of("en")).splitlines()
    assert said[2].startswith(f"Roles by person: {MALLORY} (“管理者 (admin)” in “本番環境 (prod)” of “{COMPANY}”), ")
    assert "tanaka (“編集者 (editor)” in “開発環境 (dev)” of “Harbor Lights Inc.”)" in said[2]
    assert not [line for line in said if line.startswith("Not shown")]


@pytest.mark.slow
async def test_of_a_long_list_the_rest_is_announced_and_stands_whole_in_the_details(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        question = await asked(on, HEADER + "".join(staff(on, 40)))
    assert [label.en for label in hidden_labels(question)] == ["People", "Attribute “氏名”"]
    told = " ".join(detail.value for detail in question.details)
    assert all(f"staff-{n}@aozora.example.jp" in told for n in range(40))


@pytest.mark.parametrize(("role", "warned"), [("admin", True), ("viewer", False)])
async def test_many_people_who_get_more_are_a_warning(tmp_path: Path, role: str, warned: bool) -> None:
    async with start_job_server(tmp_path) as on:
        question = await asked(on, HEADER + "".join(staff(on, 40, role)))
    said = [each.text.ja for each in question.warnings if isinstance(each.text, Text)]
    assert ("40人にロール「管理者 (admin)」を付与します。" in said) is warned
    assert question.undo is not None
    assert "送信したメールは取り消せません" in question.undo.ja


async def test_an_import_that_mails_nobody_speaks_of_no_mail(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        question = await asked(on, "email,tenant_name,env_id,role_name\nakane.hoshino@example.jp,みどり薬局,3,viewer\n")
    assert question.undo is not None
    assert "メール" not in question.undo.ja


@pytest.mark.slow
async def test_where_not_all_ordinary_people_are_shown_how_many_there_are_is_typed(tmp_path: Path) -> None:
    person = AcceptingPerson()
    async with start_job_server(tmp_path) as on:
        await on.call_json("job_import_users", {"csv": HEADER + "".join(staff(on, 40))}, elicitor=person)
        await on.call_json(
            "job_import_users",
            {"csv": HEADER + f"one@aozora.example.jp,,{tenant_id(on.sandbox)},,3,viewer,\n"},
            elicitor=person,
        )
    assert [question.name for question in person.questions] == ["40 people", None]


async def test_where_not_all_are_shown_who_get_more_the_whole_must_be_opened(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        person, rows = (
            AcceptingPerson(),
            [*staff(on, 40), *(row.replace("staff", "boss") for row in staff(on, 20, "admin"))],
        )
        answer = await on.call("job_import_users", {"csv": HEADER + "".join(rows)}, elicitor=person)
        assert "saasus-mcp approve" in answer.text
        assert (person.questions, on.count_requests("auth.CreateSaasUser")) == ([], 0)


async def test_bulk_work_is_agreed_to_by_how_many_of_what_in_either_language(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        question = await asked(on, HEADER + "".join(staff(on, 12)), reason="新入社員")
        assert question.typed is not None
        assert (question.typed.en, question.typed.ja) == ("12 people", "12人")
        assert "新入社員" in render_dialog(question, Reader.of("ja"))


async def test_the_reason_is_kept_in_the_audit_and_makes_no_other_job(tmp_path: Path) -> None:
    person = AcceptingPerson()
    async with start_job_server(tmp_path) as on:
        args = {"csv": HEADER + "".join(staff(on, 1)), "reason": "New colleague"}
        await on.call_json("job_import_users", args, elicitor=person)
        begun = next(each for each in on.audit_records() if each["operation"] == "job_import_users")
    assert "Reason given by the requester: “New colleague”" in person.questions[0].message
    assert begun["requester_reason"] == "New colleague"
    assert "reason" not in begun["arguments"]


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 90])
async def test_existing_people_are_found_however_they_are_written_and_however_long_the_list_is(
    tmp_path: Path, count: int
) -> None:
    async with start_job_server(tmp_path) as on:
        rows = [f"Minami.Aozora@Example.jp,,{tenant_id(on.sandbox)},,3,経理,\n"]
        rows += [f"{chr(97 + n % 26)}{n}@x.example,,{tenant_id(on.sandbox)},,3,viewer,\n" for n in range(count - 1)]
        await on.call_json("job_import_users", {"csv": HEADER + "".join(rows)}, elicitor=AcceptingPerson())
        alike = [row for row in sandbox_state(on.sandbox).rows("users") if row["email"].casefold() == USER]
    assert len(alike) == 1, "no second account"
    assert on.count_requests("auth.CreateSaasUser") == count - 1


async def test_attributes_of_remaining_members_are_shown_line_by_line(tmp_path: Path) -> None:
    person = AcceptingPerson()
    async with start_job_server(tmp_path) as on:
        text = HEADER + f"{USER},,{tenant_id(on.sandbox)},,3,経理,Another Name\n"
        told = await on.call_json("job_import_users", {"csv": text}, elicitor=person)
    assert told["rows"][0] | {"outcome": "applied", "attributes_kept": ["full_name"]} == told["rows"][0]
    assert "Attributes of 1 person already in the tenant stay as they are" in person.questions[0].message


async def test_names_dates_and_blank_rows_of_a_spreadsheet_are_understood(tmp_path: Path) -> None:
    header = "メールアドレス, Tenant_Name ,環境,ロール,attribute.full_name\n"
    rows = [
        f"new@example.com,{COMPANY},本番環境,管理者,N\n",
        ",,,,\n",
        " ,\u3000,,,\n",
        f"two@example.com,{COMPANY},PROD,Viewer,T\n",
    ]
    async with start_job_server(tmp_path) as on:
        told = await on.call_json("job_import_users", {"csv": header + "".join(rows)}, elicitor=AcceptingPerson())
        assert told["counts"] == {"applied": 2}
        there = {(row[0], row[3], row[4]) for row in list_grants(on.sandbox)}
    assert {("new@example.com", "3", "admin"), ("two@example.com", "3", "viewer")} <= there


async def test_all_mistakes_of_a_line_are_reported_at_once_with_the_fix(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call(
            "job_import_users", {"csv": HEADER + "bad mail,,Nope,,9,zzz,\n"}, elicitor=AcceptingPerson()
        )
    for said in ("“bad mail”", "“Nope”", "“9”", "“zzz”", "3 (prod / 本番環境)", "admin (管理者)"):
        assert said in answer.text


async def test_lines_with_mistakes_can_be_left_out_which_the_question_and_the_report_say(tmp_path: Path) -> None:
    person = AcceptingPerson()
    async with start_job_server(tmp_path) as on:
        text = HEADER + "bad mail,,Nope,,9,zzz,\n" + "".join(staff(on, 2))
        told = await on.call_json("job_import_users", {"csv": text, "on_mistake": "skip"}, elicitor=person)
    assert told["counts"] == {"applied": 2, "left_out": 1}
    assert "1 row with mistakes left out" in person.questions[0].message
    assert "“bad mail” is not a valid e-mail address" in next(
        row["why"] for row in told["rows"] if row["outcome"] == "left_out"
    )


async def test_people_without_a_tenant_are_skipped_where_they_are_there_and_a_mistake_where_not(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        exported = await on.call_json("job_export_users", {"without_tenant": True, "format": "json"})
        assert any(not row["tenant_id"] for row in on.stored_result(exported["result"])), (
            "the story has somebody in no tenant"
        )
        again = await on.call_json("job_import_users", {"result": exported["result"]})
        assert set(again["counts"]) == {"skipped"}
        answer = await on.call(
            "job_import_users", {"csv": HEADER + "nobody@example.com,,,,,,\n"}, elicitor=AcceptingPerson()
        )
        assert "line 2, tenant_id: the tenant is missing" in answer.text
        assert on.count_requests("auth.CreateSaasUser") == 0


async def test_done_reaches_the_total(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_import_users", {"csv": HEADER + "".join(staff(on, 25))}, elicitor=AcceptingPerson())
        told = json.loads(answer.text)
    assert (told["done"], told["total"]) == (25, 25), "rows, from the first to the last"
