"""`audit search`: a line for each call and decision, found by tool, result and words of either language."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.cli import state as cli_state
from saasus_mcp.cli.audit.audit_search import FoundEntry
from saasus_mcp.common.language import Language, Text
from saasus_mcp.common.person import Person
from saasus_mcp.common.word_search import WordSearch
from saasus_mcp.permissions.approval.action_records import ActionKind
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.store.store import Store
from tests.support.commands import Terminal, run_command

SEARCHES: list[tuple[list[str], list[str]]] = [
    (["--tool", "auth_get_roles"], ["auth_get_roles"]),
    (["--tool", "auth.CreateRole"], ["auth_create_role"]),
    (["--operation", "auth.DeleteRole"], ["auth_delete_role"]),
    (["--tool", "get_roles"], ["auth_get_roles"]),
    (["--tool", "Create"], ["auth_create_role"]),
    (["--tool", "ロールの作成"], ["auth_create_role"]),
    (["--tool", "削除 ロール"], ["auth_delete_role"]),
    (["--tool", "auth_get_role"], ["auth_get_roles"]),
    (["create", "ROLE"], ["auth_create_role"]),
    (["ロールの", "作成"], ["auth_create_role"]),
    (["確認担当"], ["auth_create_role"]),
    (["ＲＥＶＩＥＷＥＲ"], ["auth_delete_role", "auth_create_role"]),
    (["書き込みの凍結"], [""]),
    (["incident"], [""]),
    (["--result", "asked"], ["auth_delete_role"]),
    (["--result", "refused"], []),
    (["--event", "decided"], [""]),
    (["--principal", "nobody"], []),
    (["role", "nonsense"], []),
    (["--since", "2100-01-01"], []),
    (["--days", "0"], []),
    (["--limit", "2"], ["", "auth_delete_role"]),
]
"""Arguments, and the tools of the entries that they find, newest first."""
TENANT = '{"tenant_id": "00000000-0000-4000-8000-000000000001"}'


def search(*args: str) -> list[dict[str, Any]]:
    found = json.loads(run_command("audit", "search", "--json", *args).out)
    assert isinstance(found, list)
    return found


def call(tool: str, arguments: str = "{}") -> int:
    return run_command("call", "--sandbox", tool, arguments).status


@pytest.fixture
def calls() -> None:
    """Make a read, a write, a write that is refused, and a freeze."""
    assert call("auth_get_roles") == 0
    assert call("auth_create_role", '{"role_name": "reviewer", "display_name": "確認担当"}') == 0
    assert call("auth_delete_role", '{"role_name": "reviewer"}') == 4
    assert run_command("freeze", "--reason", "an incident").status == 0


@pytest.mark.usefixtures("calls")
def test_a_call_is_one_line_with_what_became_of_it() -> None:
    lines = run_command("audit", "search").out.splitlines()
    assert [line.split()[4] for line in lines] == ["decided", "asked", "applied", "done"]
    assert all(line.count("auth_") <= 1 for line in lines)
    assert "Create a role (auth_create_role)  " in lines[2]
    assert "role_name=reviewer display_name=“確認担当”" in lines[2]
    assert "display_name=「確認担当」" in run_command("audit", "search", "--lang", "ja").out


@pytest.mark.usefixtures("calls")
def test_calls_are_found_by_tool_result_and_words_of_either_language() -> None:
    for args, tools in SEARCHES:
        assert [entry["tool"] for entry in search(*args)] == tools, args


@pytest.mark.usefixtures("calls")
def test_omitted_records_are_reported() -> None:
    assert "Only the newest 2 are shown" in run_command("audit", "search", "--limit", "2").err
    assert run_command("audit", "search", "--limit", "20").err == ""
    assert run_command("audit", "search", "nonsense").out == "No matching records.\n"


def test_the_reads_of_a_call_itself_are_listed_on_demand() -> None:
    call("auth_delete_tenant", TENANT)
    assert [entry["tool"] for entry in search()] == ["auth_delete_tenant"]
    assert "auth_get_tenant" in [entry["tool"] for entry in search("--all")]


@pytest.mark.parametrize("text", ["auth_get_rolse", "ロール取得", "list all roles"])
def test_a_name_that_no_tool_has_gets_the_nearest_names(text: str) -> None:
    for language in ("en", "ja"):
        ran = run_command("audit", "search", "--tool", text, "--lang", language)
        assert ran.status == 1
        assert "auth_get_roles" in ran.err


def test_a_tool_without_records_is_no_unknown_tool() -> None:
    ran = run_command("audit", "search", "--tool", "tenant")
    assert (ran.status, ran.out) == (0, "No matching records.\n")


@pytest.mark.usefixtures("calls")
def test_a_program_reads_times_results_and_the_whole_record() -> None:
    [entry] = search("--tool", "auth_create_role")
    assert entry["at"].endswith("Z")
    assert entry["record"].items() >= {"rule": "guarded/write", "ok": True}.items()
    shown = {name: entry[name] for name in ("result", "operation", "decision", "applied", "status", "arguments")}
    assert shown == {
        "result": "applied",
        "operation": "auth.CreateRole",
        "decision": "allow",
        "applied": "applied",
        "status": 201,
        "arguments": {"role_name": "reviewer", "display_name": "確認担当"},
    }


def test_a_call_without_an_end_is_unfinished_and_an_end_alone_is_no_call(state: Path) -> None:
    with cli_state.open_state(read_settings()) as stores:
        store = stores.open_saas("saas-1")
        now = time.time()
        with store.audit_log.write_transaction() as connection:
            store.audit_log.append(connection, "a" * 32, "begun", {"operation": "auth.DeleteTenant"}, at=now)
            store.audit_log.append(connection, "b" * 32, "ended", {"ok": True, "applied": "applied"}, at=now)
        store.close()
    assert state.exists()
    assert [(entry["call"], entry["result"]) for entry in search()] == [("a" * 32, "unfinished")]


def test_a_line_names_the_person_beside_the_id(state: Path) -> None:
    with cli_state.open_state(read_settings()) as stores:
        store = stores.open_saas("saas-1")
        person = Person("佐藤 花子", "sato@example.jp").to_audit()
        told = {"operation": "job_export_users", "principal": "oidc:idp|42", **person}
        store.record_refusal("c" * 32, told, time.time())
        store.close()
    assert state.exists()
    assert "“佐藤 花子” (“oidc:idp|42”)" in run_command("audit", "search").out


def test_text_of_a_caller_stays_on_its_line_and_in_its_quotation_marks(state: Path) -> None:
    hostile = 'x\n2026-01-01 00:00:00 UTC  00000000  applied ”" \x1b[2J\u202e\u2028'
    with cli_state.open_state(read_settings()) as stores:
        store: Store = stores.open_saas("saas-1")
        told = {"tool": hostile, "principal": hostile, "refused": "unknown_tool", "arguments": {"name": hostile}}
        store.record_refusal("c" * 32, told, time.time())
        store.close()
    assert state.exists()
    [line] = run_command("audit", "search").out.splitlines()
    assert line.isprintable()
    assert line.count("”") == line.count("“") == 3
    out = run_command("audit", "search", "--json").out
    assert out.rstrip("\n").isprintable()
    assert json.loads(out)[0]["arguments"]["name"] == hostile


@pytest.mark.usefixtures("calls")
def test_on_a_screen_each_line_has_one_row_under_its_day() -> None:
    pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    for lang, today, applied in (("en", "UTC (today)", "applied"), ("ja", "JST (今日)", "適用")):
        with Terminal("audit", "search", "--lang", lang, env={"COLUMNS": "60"}) as terminal:
            assert terminal.wait() == 0
        heading, *lines = terminal.output.splitlines()
        assert heading.endswith(today)
        assert len(lines) == 4
        assert applied in lines[2]
        assert lines[1].endswith("…")


@pytest.mark.parametrize("action", [*ActionKind, "key_change", "purge"])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_decision_has_a_text(action: str, language: Language) -> None:
    entry = FoundEntry(0.0, "c" * 32, ("decided",), {"event": "decided", "action": action}, "", Text("", ""))
    assert entry.action_text(language) not in ("", action)
    assert WordSearch(entry.action_text(language)).matches(entry.texts())


@pytest.mark.parametrize(
    ("ended", "result"),
    [
        ({"status": "done", "steps": {"applied": 3}}, "applied"),
        ({"status": "done", "steps": {}}, "done"),
        ({"status": "done", "steps": {"applied": 2, "unknown": 1}}, "unknown"),
        ({"status": "cancelled", "steps": {"applied": 1}}, "applied"),
        ({"status": "failed", "steps": {}}, "failed"),
        ({"status": "failed"}, "unknown"),
    ],
)
def test_an_ended_job_is_shown_by_what_became_of_its_calls(ended: dict[str, Any], result: str) -> None:
    entry = FoundEntry(0.0, "c" * 32, ("begun", "ended"), ended, "job_import_users", Text("", ""))
    assert entry.result == result


def test_a_job_that_ran_is_listed_with_what_became_of_it() -> None:
    role = {"tool": "auth_create_role", "arguments": {"role_name": "clerk", "display_name": "Clerk"}}
    assert run_command("job", "--sandbox", "run_plan", json.dumps({"calls": [role]})).status == 0
    assert run_command("job", "--sandbox", "contract_report").status == 0
    assert [entry["result"] for entry in search("--tool", "job_run_plan")] == ["applied"]
    assert [entry["result"] for entry in search("--tool", "job_contract_report")] == ["done"]
