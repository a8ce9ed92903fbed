"""`saasus-mcp call` calls one tool through the pipeline."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from saasus_mcp.cli.state import AUDIT_KEY_PURPOSE, KEY_FILE
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.secrets.encryption import Encryptor
from scripts.story import AOZORA
from tests.support.commands import approval_status, run_command, spawn_command
from tests.support.saas_store import open_saas_store


def test_the_answer_is_json_on_standard_output_and_the_rest_on_standard_error() -> None:
    ran = run_command("call", "--sandbox", "auth_get_tenants")
    assert ran.status == 0
    assert json.loads(ran.out)["tenants"]
    assert "SANDBOX" in ran.err


def test_a_tool_can_be_called_by_its_operation() -> None:
    assert run_command("call", "--sandbox", "auth.GetRoles", "{}").status == 0


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order-mark"])
def test_arguments_can_come_from_standard_input(mark: bytes) -> None:
    given = json.dumps(
        {"name": "青空", "attributes": {}, "back_office_staff_email": "a@example.com"}, ensure_ascii=False
    )
    ran = run_command("call", "--sandbox", "auth_create_tenant", "-", given=mark + given.encode())
    assert json.loads(ran.out)["name"] == "青空"


def test_the_failure_of_a_call_goes_to_standard_error_with_exit_status_1() -> None:
    ran = run_command("call", "--sandbox", "auth_get_tenant", '{"tenant_id": "none such"}')
    assert (ran.status, ran.out) == (1, "")
    assert "HTTP 404" in ran.err
    assert "not_applied" in ran.err


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_call_that_would_change_nothing_says_why_and_succeeds(lang: Language) -> None:
    count = {"tenant_id": AOZORA, "metering_unit_name": "api_calls", "method": "add", "count": 0}
    ran = run_command("call", "--sandbox", "--lang", lang, "pricing_update_meter_count_now", json.dumps(count))
    assert (ran.status, json.loads(ran.out)) == (0, {})
    said = {"en": "Nothing would change. The count to add", "ja": "変更はありません。加算または減算する数量が0です。"}
    assert said[lang] in ran.err


def test_arguments_of_the_wrong_type_are_understood_where_they_leave_no_doubt() -> None:
    typed = run_command("call", "--sandbox", "auth_search_saas_users", '{"limit": 2}')
    ran = run_command("call", "--sandbox", "auth_search_saas_users", '{"limit": "2", "cursor": "", "email": null}')
    assert (ran.status, json.loads(ran.out)) == (0, json.loads(typed.out))
    doubtful = run_command("call", "--sandbox", "auth_search_saas_users", '{"limit": "02"}')
    assert doubtful.status == 1
    assert "limit: expected integer, got text of 2 characters" in doubtful.err


def test_arguments_that_do_not_fit_are_reported_by_field() -> None:
    ran = run_command("call", "--sandbox", "auth_get_tenant", '{"tenant": "x"}')
    assert ran.status == 1
    assert "tenant: auth_get_tenant has no such argument" in ran.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{tenant_id: 1}", "line 1, column 2"),
        ('{"a": 1,\n "b": }', "line 2, column 7"),
        ("", "line 1, column 1"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_invalid_json_is_reported_by_its_position(given: str, said: str) -> None:
    ran = run_command("call", "--sandbox", "auth_get_tenant", "-", given=given)
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err


@pytest.mark.parametrize("given", ['{"tenant_id": "a", "tenant_id": "b"}', '{"a": [{"tenant_id": 1, "tenant_id": 1}]}'])
def test_json_with_a_field_twice_is_refused_and_nothing_is_called(given: str) -> None:
    ran = run_command("call", "--sandbox", "auth_get_tenant", "-", given=given)
    assert (ran.status, ran.out) == (1, "")
    assert message("cli.repeated_member", name=Quoted("tenant_id")).text("en") in ran.err


def test_standard_input_that_is_no_text_is_refused() -> None:
    assert "not UTF-8 text" in run_command("call", "--sandbox", "auth_get_tenant", "-", given=b'{"a": "\xff\xff"}').err


def test_a_refusal_is_reported_in_japanese() -> None:
    ran = run_command("call", "--sandbox", "--lang", "ja", "auth_get_tenant", "{}")
    assert "tenant_id: 必須ですが、指定されていません。" in ran.err
    assert "何も変更されていません(not_applied)" in ran.err
    assert "required" not in ran.err


def test_invalid_json_is_reported_in_japanese() -> None:
    told = run_command("call", "--sandbox", "--lang", "ja", "auth_get_tenant", "{x}").err
    assert "(1行目2文字目: " in told
    assert ")。オブジェクト全体を" in told, "no space between two Japanese sentences"


def test_an_unknown_tool_is_answered_with_the_nearest() -> None:
    ran = run_command("call", "--sandbox", "auth_get_tenent")
    assert ran.status == 1
    assert "auth_get_tenant" in ran.err


def test_a_job_is_named_as_one() -> None:
    ran = run_command("call", "--sandbox", "job_export_users")
    assert ran.status == 1
    assert "`saasus-mcp job export_users`" in ran.err


def test_without_credentials_nothing_is_called() -> None:
    ran = run_command("call", "auth_get_tenants")
    assert (ran.status, ran.out) == (1, "")
    assert "Missing credentials: SAASUS_SAAS_ID, SAASUS_API_KEY, SAASUS_SECRET_KEY" in ran.err


def test_a_policy_that_allows_everything_is_announced(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nunsafe-allow-everything: true\n", encoding="utf-8")
    ran = run_command("call", "--sandbox", "--policy", str(policy), "auth_get_roles")
    assert (ran.status, "UNSAFE" in ran.err, "UNSAFE" in ran.out) == (0, True, False)


def test_without_a_terminal_what_would_be_confirmed_waits_for_an_approval(state: Path) -> None:
    ran = run_command("call", "--sandbox", "auth_reset_saas_user_password", json.dumps({"user_id": _some_user()}))
    code = re.search(r"saasus-mcp approve (\S+)`", ran.err)
    assert ran.status == 4
    assert code
    assert approval_status(state, code[1], "sandbox") == ("pending", None)


def test_an_approved_call_runs_once_and_hides_its_secret(state: Path) -> None:
    again = ("call", "--sandbox", "auth_reset_saas_user_password", json.dumps({"user_id": _some_user()}))
    _approve(state, run_command(*again).err)
    ran = run_command(*again)
    assert json.loads(ran.out)["password"].startswith("secret://r/")
    assert "must approve this first" in run_command(*again).err


def _some_user() -> str:
    return str(json.loads(run_command("call", "--sandbox", "auth_get_saas_users").out)["users"][0]["id"])


def _approve(state: Path, said: str) -> None:
    code = re.search(r"saasus-mcp approve (\S+)`", said)
    assert code
    store = open_saas_store(state, "sandbox", Encryptor.from_file(state / KEY_FILE).derive_keys(AUDIT_KEY_PURPOSE))
    approvals = ApprovalService(store)
    approval = approvals.find_pending(code[1], time.time())
    approvals.approve(approval, approval.name, "local:tester", time.time())
    store.close()


@pytest.mark.parametrize("ran", [("call", "auth_get_roles"), ("job", "export_users")], ids=["call", "job"])
def test_a_store_of_another_version_is_reported_once_in_the_readers_language(state: Path, ran: tuple[str, str]) -> None:
    assert spawn_command("call", "auth_get_roles", "--sandbox", SAASUS_MCP_STATE_DIR=str(state)).status == 0
    [file] = state.glob("sandbox-*.sqlite3")
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE versions SET version = 1")
    told = spawn_command(*ran, "--sandbox", "--lang", "ja", SAASUS_MCP_STATE_DIR=str(state))
    assert (told.status, told.out) == (1, "")
    assert told.err.count("\n") == 1, told.err
    assert "ストアのバージョンは1" in told.err
