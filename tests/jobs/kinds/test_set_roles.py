"""`job_set_roles`: people get exactly the roles that a table states."""

from __future__ import annotations

import pytest

from tests.support.job_data import AOZORA, USER, list_grants, sandbox_state
from tests.support.job_server import JobServer
from tests.support.list_jobs import refused, run


async def test_roles_become_what_the_table_states_and_others_stay(on: JobServer) -> None:
    before = list_grants(on.sandbox)
    held = [grant for grant in before if grant[0] == USER and grant[2] == AOZORA and grant[3] == "3"]
    assert held
    rows = [{"user": USER, "tenant": "株式会社青空商事", "env": "本番環境", "roles": "auditor;閲覧者"}]
    report = await run(on, "job_set_roles", {"rows": rows})
    assert set(report["counts"]) == {"applied"}, report
    after = list_grants(on.sandbox)
    assert {grant[4] for grant in after if grant[:4] == held[0][:4]} == {"auditor", "viewer"}
    assert [grant for grant in after if grant[:4] != held[0][:4]] == [
        each for each in before if each[:4] != held[0][:4]
    ]
    again = await run(on, "job_set_roles", {"rows": rows})
    assert again["counts"] == {"skipped": 1}


async def test_a_row_without_roles_takes_none_and_an_empty_text_takes_all(on: JobServer) -> None:
    held = [grant for grant in list_grants(on.sandbox) if grant[0] == USER and grant[2] == AOZORA and grant[3] == "3"]
    row = {"user": USER, "tenant": AOZORA, "env": "3"}
    for given in (row, {**row, "roles": None}):
        assert "roles: " in await refused(on, "job_set_roles", {"rows": [given]})
    report = await run(on, "job_set_roles", {"rows": [{**row, "roles": ""}], "only_plan": True})
    assert report["counts"] == {"planned": len(held)}
    assert {each["tool"] for each in report["rows"]} == {"auth_delete_tenant_user_role"}


async def test_a_person_who_loses_several_roles_counts_once_and_has_one_name(on: JobServer) -> None:
    held = [grant for grant in list_grants(on.sandbox) if grant[0] == USER and grant[2] == AOZORA and grant[3] == "3"]
    assert {grant[4] for grant in held} == {"admin"}
    await run(on, "job_set_roles", {"rows": [{"user": USER, "tenant": AOZORA, "env": "3", "roles": "admin;viewer"}]})
    rows = [{"user": USER, "tenant": AOZORA, "env": "3", "roles": "editor"}]
    report = await run(on, "job_set_roles", {"rows": rows, "only_plan": True})
    assert report["counts"] == {"planned": 3}
    said = "\n".join(report["notes"])
    assert ": 1 person\n" in said
    for unnamed in (f"{USER} (admin)", f"{USER} (viewer)", "“”"):
        assert unnamed not in said


@pytest.mark.parametrize(
    "roles", ["auditor；閲覧者", "auditor、閲覧者", "auditor, viewer", "監査人(未使用)\nviewer", "auditor;viewer，"]
)
async def test_roles_are_separated_as_people_write_lists(on: JobServer, roles: str) -> None:
    row = {"user": "ＭＩＮＡＭＩ.aozora＠example.jp", "tenant": AOZORA, "env": "3", "roles": roles}
    report = await run(on, "job_set_roles", {"rows": [row], "only_plan": True})
    granted = [each for each in report["rows"] if each["tool"] == "auth_create_tenant_user_roles"]
    assert len(granted) == 1, report
    taken = [each for each in report["rows"] if each["tool"] == "auth_delete_tenant_user_role"]
    assert len(taken) == 1, report


async def test_a_comma_in_the_name_of_a_role_separates_nothing(on: JobServer) -> None:
    sandbox_state(on.sandbox).change("roles", ("auditor",), display_name="監査、閲覧")
    row = {"user": USER, "tenant": AOZORA, "env": "3", "roles": "監査、閲覧;admin"}
    report = await run(on, "job_set_roles", {"rows": [row]})
    assert report["counts"] == {"applied": 1}, report
    held = {grant[4] for grant in list_grants(on.sandbox) if grant[0] == USER and grant[2:4] == (AOZORA, "3")}
    assert held == {"admin", "auditor"}


async def test_every_fault_of_a_table_of_roles_is_reported(on: JobServer) -> None:
    rows = [
        {"user": "nobody@example.com", "tenant": AOZORA, "env": "3", "roles": "viewer"},
        {"user": USER, "tenant": AOZORA, "env": "moon", "roles": "viewer"},
        {"user": USER, "tenant": AOZORA, "env": "3", "roles": "king"},
    ]
    text = await refused(on, "job_set_roles", {"rows": rows})
    for said in ("nobody@example.com", "moon", "king", "Row 1", "Row 2", "Row 3"):
        assert said in text


async def test_an_environment_that_is_no_id_is_a_fault_of_its_row_also_where_no_list_of_them_can_be_read(
    on: JobServer,
) -> None:
    row = {"user": USER, "tenant": AOZORA, "roles": "viewer"}
    assert "there is no environment" in await refused(on, "job_set_roles", {"rows": [{**row, "env": "9" * 5_000}]})
    on.sandbox.faults.add("status", on="auth.GetEnvs", status=403)
    assert "auth_get_envs" in await refused(on, "job_set_roles", {"rows": [{**row, "env": "prod"}]})
