"""`job_access_review`: who has which role where, checked against what the sandbox holds."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.sandbox.state import State
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.job_data import AOZORA, USER, list_grants, sandbox_state
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server
from tests.support.pipeline import PRINCIPAL

MFA = "auth.GetUserMfaPreference"


async def reviewed(on: JobServer, args: dict[str, Any] | None = None) -> tuple[list[dict[str, str]], dict[str, Any]]:
    told = await on.call_json("job_access_review", args or {})
    text = told["csv"] if "csv" in told else on.stored_result(told["result"])
    return list(csv.DictReader(io.StringIO(text, newline=""))), told


def user_of(state: State, login: str) -> dict[str, Any]:
    [found] = [dict(user) for user in state.rows("users") if login in (user["email"], user["sign_in_id"])]
    return found


async def test_every_grant_has_a_row_with_names_beside_ids_and_privileged_roles_stand_first(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        rows, report = await reviewed(on)
        state = sandbox_state(on.sandbox)
        members = {(user["email"], user["sign_in_id"]) for user in state.rows("users")}
        grants = sorted(
            (row["email"], row["sign_in_id"], row["tenant_id"], row["env_id"], row["role_name"])
            for row in rows
            if row["tenant_id"]
        )
        assert grants == list_grants(on.sandbox)
        assert {(row["email"], row["sign_in_id"]) for row in rows} == members, "accounts without a tenant, too"
        envs = {str(env["id"]): env["display_name"] for env in state.rows("envs")}
        roles = {role["role_name"]: role["display_name"] for role in state.rows("roles")}
        assert all(row["env_name"] == envs.get(row["env_id"], "") for row in rows)
        assert all(row["role_display_name"] == roles.get(row["role_name"], "") for row in rows)
        privileged = [row["privileged"] for row in rows]
        assert privileged == sorted(privileged, reverse=True)
        assert {row["role_name"] for row in rows if row["privileged"] == "yes"} == {"admin"}
        people = {row["user_id"] for row in rows}
        assert (report["counts"]["people"], on.count_requests(MFA)) == (len(people), len(people))


async def test_second_factor_and_last_login_are_what_the_api_says(tmp_path: Path) -> None:
    api = FaultySandbox(load_catalogue())
    state = sandbox_state(api)
    quiet, admin = user_of(state, "dock-a"), user_of(state, USER)
    state.change("users", (quiet["id"],), last_login_at=None)
    at = int(datetime(2026, 10, 1, 15, 30, tzinfo=UTC).timestamp())
    state.change("users", (admin["id"],), last_login_at=at)
    async with start_job_server(tmp_path, api) as on:
        expected = {
            user["id"]: await on.call_json("auth_get_user_mfa_preference", {"user_id": user["id"]})
            for user in (quiet, admin)
        }
        rows, report = await reviewed(on, {"zone": "Asia/Tokyo"})
        by_id = {row["user_id"]: row for row in rows}
        assert by_id[quiet["id"]]["last_login"] == "never"
        assert by_id[admin["id"]]["last_login"] == "2026-10-02 00:30"
        for id_, preference in expected.items():
            assert (by_id[id_]["mfa"] == "off") is (not preference["enabled"])
        assert report["counts"]["never_logged_in"] >= 1


async def test_a_second_factor_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on=MFA, status=404, times=1)
        rows, report = await reviewed(on, {"role_names": ["admin"]})
        assert "could not be read" in {row["mfa"] for row in rows}
        assert report["counts"]["mfa_unread"] == 1
        assert report["rows"][0]["outcome"] == "unread"


async def test_a_role_that_was_granted_here_says_by_whom_and_when(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        user = user_of(sandbox_state(on.sandbox), "iroha.kazama@example.jp")
        args = {"tenant_id": AOZORA, "user_id": user["id"], "env_id": 3, "role_names": ["editor"]}
        await on.call_json("auth_create_tenant_user_roles", args, elicitor=AcceptingPerson())
        denied = await on.call("auth_create_tenant_user_roles", {**args, "role_names": ["no-such-role"]})
        assert not denied.ok
        rows, report = await reviewed(on, {"login_contains": "KAZAMA@"})
        granted = {row["role_name"]: (row["granted_by"], bool(row["granted_at"])) for row in rows}
        assert granted == {"editor": (PRINCIPAL.id, True), "viewer": ("", False)}
        assert report["counts"]["grants_known"] == 1


@pytest.mark.parametrize(
    ("args", "logins"),
    [
        ({"login_contains": "hoshino"}, {"akane.hoshino@example.jp"}),
        ({"login_contains": "\N{FULLWIDTH LATIN CAPITAL LETTER D}OCK-"}, {"dock-a", "dock-b"}),
        (
            {"only_privileged": True, "tenant_ids": ["みどり薬局"]},
            {"satsuki.midorikawa@example.jp", "kento.wakaba@example.jp"},
        ),
        ({"role_names": ["経理"], "env_ids": [3], "tenant_ids": ["みどり薬局"]}, {"kento.wakaba@example.jp"}),
    ],
)
async def test_filters_leave_only_what_they_name(tmp_path: Path, args: dict[str, Any], logins: set[str]) -> None:
    async with start_job_server(tmp_path) as on:
        rows, _ = await reviewed(on, args)
        assert {row["email"] or row["sign_in_id"] for row in rows} == logins


async def test_people_without_a_login_since_a_day_are_found(tmp_path: Path) -> None:
    api = FaultySandbox(load_catalogue())
    state = sandbox_state(api)
    for user in state.rows("users"):
        state.change("users", (user["id"],), last_login_at=int(datetime(2026, 10, 1, tzinfo=UTC).timestamp()))
    state.change("users", (user_of(state, "dock-a")["id"],), last_login_at=None)
    last = int(datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC).timestamp())
    state.change("users", (user_of(state, USER)["id"],), last_login_at=last)
    async with start_job_server(tmp_path, api) as on:
        rows, _ = await reviewed(on, {"last_login_before": "2026-10-01"})
        assert {row["email"] or row["sign_in_id"] for row in rows} == {"dock-a", USER}
        exported = await on.call_json("job_export_users", {"last_login_before": "2026-10-01"})
        lines = list(csv.DictReader(io.StringIO(exported["csv"], newline="")))
        assert {row["email"] or row["sign_in_id"] for row in lines} == {"dock-a", USER}
        wrong = await on.call("job_access_review", {"last_login_before": "2026-10"})
        assert "last_login_before" in wrong.text
        assert not wrong.ok


@pytest.mark.exhaustive  # a second; the call of a few is the same
@pytest.mark.slow
async def test_500_people_are_one_call(tmp_path: Path) -> None:
    api = FaultySandbox(load_catalogue())
    state = sandbox_state(api)
    example = user_of(state, USER)
    for number in range(500 - len(state.rows("users"))):
        id_ = f"person-{number}"
        state.put("users", (id_,), {**example, "id": id_, "email": f"person-{number}@example.com"})
        state.put("members", (AOZORA, id_), {**state.get("members", AOZORA, example["id"]), "user_id": id_})
        grant = {"tenant_id": AOZORA, "user_id": id_, "env_id": 3, "role_name": "viewer"}
        state.put("grants", (AOZORA, id_, 3, "viewer"), grant)
    async with start_job_server(tmp_path, api) as on:
        started = await on.call_json("job_access_review")
        report = await on.wait_for_job(started["job"])
        assert report["counts"]["people"] == 500
        assert on.count_requests(MFA) == 500
