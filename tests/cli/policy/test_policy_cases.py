"""`saasus-mcp policy test` and `replay` compare decisions with cases and with the audit log."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import run_command
from tests.support.policies import CONSOLE_OPERATOR
from tests.support.saas_store import open_saas_store

# -- test --------------------------------------------------------------------------------------------------------------

CASES = """\
policy: desk.yaml
cases:
  - name: a small tenant
    tool: auth_delete_tenant
    as: local:a
    args: {tenant_id: t1}
    impact: {users: 3}
    expect: approve
    rule: off-board
  - name: nobody
    tool: auth.CreateTenant
    expect: deny
    rule: none
  - name: a clerk
    tool: auth_update_tenant_user
    groups: [clerks]
    claims: {tenants: [t1]}
    args: {tenant_id: t1}
    expect: confirm
  - name: staging
    tool: auth_create_tenant
    profile: staging
    expect: allow
"""


def test_a_policy_is_held_to_cases(desk: Path) -> None:
    file = desk.with_name("cases.yaml")
    file.write_text(CASES, encoding="utf-8")
    ran = run_command("policy", "test", str(file))
    assert ran.status == 0
    assert ran.out.splitlines()[-1] == "4 passed, 0 failed; policy desk."
    assert "成功4件" in run_command("policy", "test", str(file), "--lang", "ja").out


def test_a_case_that_differs_fails(desk: Path) -> None:
    file = desk.with_name("cases.yaml")
    file.write_text(CASES.replace("users: 3", "users: 300").replace("rule: none", "rule: reads"), encoding="utf-8")
    ran = run_command("policy", "test", str(file))
    assert ran.status == 1
    assert 'FAIL  a small tenant (line 3): expected approve by "off-board", got deny by "big"' in ran.out
    assert 'FAIL  nobody (line 10): expected deny by "reads", got deny by "none"' in ran.out
    assert "2 passed, 2 failed" in ran.out
    ran = run_command("policy", "test", str(file), "--json")
    found = json.loads(ran.out)
    assert (ran.status, found["ok"], found["failed"]) == (1, False, 2)
    assert {case["name"] for case in found["cases"] if not case["passed"]} == {"a small tenant", "nobody"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("policy: desk.yaml\n", "", "no policy specified"),
        ("policy: desk.yaml\n", "policy: desk.yaml\nmode: strict\n", "no policy specified"),
        ("policy: desk.yaml", "policy: none.yaml", "none.yaml: cannot be read"),
        ("expect: confirm", "expect: confirmed", "line 19: case 'a clerk': expect: \"confirmed\" is not allowed"),
        ("name: nobody", "name: staging", "another case has this name (line 10)"),
        ("tool: auth.CreateTenant", "tool: auth_make_tenant", "line 11: case 'nobody': there is no tool"),
        ("args: {tenant_id: t1}\n    impact", "args: {tenant: t1}\n    impact", "line 6: case 'a small tenant': "),
        (CASES, "[]", "contains no settings"),
    ],
)
def test_a_faulty_file_of_cases_is_reported(desk: Path, old: str, new: str, said: str) -> None:
    file = desk.with_name("cases.yaml")
    assert old in CASES
    file.write_text(CASES.replace(old, new), encoding="utf-8")
    ran = run_command("policy", "test", str(file))
    assert ran.status == 1
    assert said in ran.err


def test_every_fault_of_a_file_of_cases_is_printed(desk: Path) -> None:
    file = desk.with_name("cases.yaml")
    file.write_text(CASES.replace("expect: confirm", "expect: confirmed").replace("name: nobody", "name: 1"), "utf-8")
    ran = run_command("policy", "test", str(file))
    assert ran.status == 1
    assert ran.err.count("cases.yaml: line ") >= 2, ran.err
    assert "policy check" not in ran.err


def test_presets_can_be_held_to_cases(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text("mode: strict\ncases: [{name: a, tool: auth_create_tenant, expect: confirm}]\n", encoding="utf-8")
    assert run_command("policy", "test", str(file)).status == 0


BULK_CASES = """\
policy: desk.yaml
cases:
  - name: thirty deletions have one approval
    tool: auth_delete_tenant
    as: local:a
    args: {tenant_id: t1}
    impact: {users: 3}
    calls: 30
    expect: approve
    in_list: once
  - name: more have none
    tool: auth_delete_tenant
    as: local:a
    args: {tenant_id: t1}
    impact: {users: 3}
    calls: 31
    expect: approve
    in_list: never
  - name: a read is in no list
    tool: auth_get_tenants
    expect: allow
    in_list: never
"""


def test_a_case_tells_how_many_calls_one_consent_covers(desk: Path) -> None:
    desk.write_text(f"{CONSOLE_OPERATOR}\nbulk: {{critical_limit: 30}}\n", encoding="utf-8")
    file = desk.with_name("cases.yaml")
    file.write_text(BULK_CASES, encoding="utf-8")
    assert "3 passed, 0 failed" in run_command("policy", "test", str(file)).out
    file.write_text(BULK_CASES.replace("calls: 31", "calls: 29"), encoding="utf-8")
    ran = run_command("policy", "test", str(file))
    assert ran.status == 1
    assert "FAIL  more have none (line 11): in a list, expected never, got once" in ran.out
    failed = json.loads(run_command("policy", "test", str(file), "--json").out)["cases"][1]
    assert (failed["passed"], failed["expected_in_list"], failed["in_list"]) == (False, "never", "once")


def test_a_policy_that_lets_no_critical_call_into_a_list_is_tested(desk: Path) -> None:
    desk.write_text(f"{CONSOLE_OPERATOR}\nbulk: {{critical: each}}\n", encoding="utf-8")
    file = desk.with_name("cases.yaml")
    file.write_text(BULK_CASES, encoding="utf-8")
    ran = run_command("policy", "test", str(file))
    assert "expected once, got each" in ran.out


# -- replay ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def audit(state: Path) -> None:
    """Return four calls that `guarded` decided, one of a tool that no longer exists, and one that the connection refused."""
    store = open_saas_store(state, "saas-under-test")
    now = time.time()

    def note(number: int, key: str, decision: str, ago: float, **more: Any) -> None:
        record = {"operation": key, "principal": "local:a", "profile": "default", "decision": decision, **more}
        (store.record_refusal if decision == "approve" else store.commit)(f"call{number}", record, now - ago)

    note(1, "auth.GetTenants", "allow", 9e5, arguments={}, groups=[])
    note(2, "auth.CreateTenant", "allow", 60, arguments={"name": "x"}, groups=[])
    note(3, "auth.DeleteTenant", "approve", 60, arguments={"tenant_id": "t1"})
    note(4, "auth.UpdateTenantUser", "allow", 60, arguments={"tenant_id": "t1"}, groups=["clerks"])
    note(5, "auth.Vanished", "allow", 60, arguments={}, groups=[])
    denied = {
        "operation": "auth.GetRoles",
        "principal": "local:a",
        "decision": "deny",
        "rule": "narrowed",
        "groups": [],
    }
    store.record_refusal("call6", {**denied, "refused": "narrowed"}, now - 60)
    store.finish_call("call2", {"ok": True}, now)
    store.close()


@pytest.mark.usefixtures("audit")
def test_the_audit_is_decided_again(desk: Path) -> None:
    ran = run_command("policy", "replay", "--policy", str(desk))
    assert ran.status == 0
    assert "auth_create_tenant  local:a: allow -> deny: no rule of the policy allows it" in ran.out
    assert "auth_delete_tenant  local:a: approve -> ?: " in ran.out
    assert "auth_update_tenant_user  local:a: allow -> ?: " in ran.out
    assert "Calls re-evaluated: 4. Decisions that would change: 1. Undetermined: 2. Policy: desk." in ran.out
    assert "Calls without recorded caller groups: 1" in ran.out
    assert "Calls for tools that no longer exist: 1" in ran.out
    assert "呼び出し4件" in run_command("policy", "replay", "--policy", str(desk), "--lang", "ja").out


@pytest.mark.usefixtures("audit")
def test_the_same_policy_changes_nothing_and_json_says_it_all() -> None:
    same = json.loads(run_command("policy", "replay", "--json").out)
    assert (same["calls"], same["differences"]) == (4, [])
    strict = json.loads(run_command("policy", "replay", "--mode", "strict", "--json").out)
    changed = [(each["call"], each["before"], each["after"]) for each in strict["differences"]]
    assert changed == [("call2", "allow", "confirm"), ("call4", "allow", "confirm")]
    assert all(datetime.fromisoformat(each["at"]).tzinfo == UTC for each in strict["differences"])


@pytest.mark.usefixtures("audit")
def test_a_difference_has_its_time_in_the_zone_of_the_reader() -> None:
    assert " UTC (1 min ago)  auth_create_tenant" in run_command("policy", "replay", "--mode", "strict").out
    japanese = run_command("policy", "replay", "--mode", "strict", "--lang", "ja").out
    assert (
        " JST (1分前)  auth_create_tenant  local:a: allow -> confirm: レベルwriteの操作には確認が必要です" in japanese
    )


@pytest.mark.usefixtures("audit")
@pytest.mark.parametrize(("since", "calls"), [("1h", 3), ("90d", 4), ("2001-01-01", 4), ("2999-01-01T00:00:00Z", 0)])
def test_only_calls_since_then_are_decided(since: str, calls: int) -> None:
    assert json.loads(run_command("policy", "replay", "--since", since, "--json").out)["calls"] == calls


def test_a_certain_denial_is_reported_though_another_condition_is_unknown(desk: Path, state: Path) -> None:
    store = open_saas_store(state, "saas-under-test")
    store.commit("c", {"operation": "auth.DeleteTenant", "principal": "a", "decision": "approve", "arguments": {}}, 1.0)
    store.close()
    desk.write_text(
        CONSOLE_OPERATOR + "  - name: never\n    tools: [auth_delete_tenant]\n    then: deny\n", encoding="utf-8"
    )
    assert "approve -> deny" in run_command("policy", "replay", "--policy", str(desk)).out


@pytest.mark.parametrize(
    ("users", "said"),
    [(51, "approve -> deny: "), (3, "Calls re-evaluated: 1. Decisions that would change: 0. Undetermined: 0")],
)
def test_the_target_of_a_call_is_in_the_audit_and_decides_again(desk: Path, state: Path, users: int, said: str) -> None:
    store = open_saas_store(state, "saas-under-test")
    record = {"operation": "auth.DeleteTenant", "principal": "local:a", "decision": "approve", "arguments": {}}
    store.commit("c", {**record, "impact": {"users": users}}, 1.0)
    store.close()
    assert said in run_command("policy", "replay", "--policy", str(desk)).out


def test_nothing_to_replay_and_no_such_time() -> None:
    assert "The audit log has no calls" in run_command("policy", "replay").out
    ran = run_command("policy", "replay", "--since", "yesterday")
    assert ran.status == 1
    assert '"yesterday" is not a time' in ran.err
