"""`saasus-mcp tools` lists tools and decisions without credentials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.cli import COMMANDS
from tests.support.commands import run_command, spawn_command


def test_every_tool_is_listed_with_level_decision_and_title(catalogue: Catalogue) -> None:
    ran = run_command("tools")
    lines = {line.split()[0]: line for line in ran.out.splitlines() if line}
    assert ran.status == 0
    assert all(operation.tool in lines for operation in catalogue)
    assert lines["auth_delete_tenant"].split(maxsplit=3)[1:] == ["critical", "approve", "Delete a tenant"]
    assert lines["auth_get_tenants"].split()[1:3] == ["read", "allow"]


def test_tools_are_found_by_words_of_either_language() -> None:
    best = json.loads(run_command("tools", "--search", "delete a tenant", "--json").out)[0]
    assert best["name"] == "auth_delete_tenant"
    found = run_command("tools", "--search", "招待を送る").out.splitlines()
    assert found[0].startswith("auth_create_tenant_invitation ")
    assert len(found) < 20
    assert run_command("tools", "--search", "users", "--toolset", "jobs").out.startswith("job_")
    assert run_command("tools", "--search", "zzzz").out == "No tools match.\n"


def test_titles_come_in_japanese() -> None:
    assert "テナントの削除" in run_command("tools", "--lang", "ja").out


def test_the_decision_follows_the_mode_and_the_read_only_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    def decision() -> str:
        return str(json.loads(run_command("tools", "auth_create_tenant", "--json").out)["decision"])

    assert decision() == "allow"
    monkeypatch.setenv("SAASUS_MCP_MODE", "strict")
    assert decision() == "confirm"
    monkeypatch.setenv("SAASUS_MCP_READ_ONLY", "True")
    assert decision() == "deny"


def test_a_policy_that_allows_everything_is_announced(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nunsafe-allow-everything: true\n", encoding="utf-8")
    ran = run_command("tools", "--policy", str(policy))
    assert "UNSAFE" in ran.err
    assert "unsafe-allow-everything" in ran.out


def test_toolset_and_level_narrow_the_list(catalogue: Catalogue) -> None:
    found = json.loads(run_command("tools", "--json", "--toolset", "tenants", "--level", "critical").out)
    expected = [one.tool for one in catalogue if (one.toolset, one.level) == ("tenants", "critical")]
    assert expected
    assert [one["name"] for one in found] == expected


def test_an_unknown_toolset_is_answered_with_those_there_are() -> None:
    ran = run_command("tools", "--toolset", "tenant")
    assert ran.status == 1
    assert 'There is no toolset "tenant"' in ran.err
    assert "tenants, users" in ran.err


def test_one_tool_is_shown_whole() -> None:
    out = run_command("tools", "auth_create_tenant_invitation").out
    for part in (
        "POST /v1/auth/tenants/{tenant_id}/invitations",
        "confirm: operations of level write_sensitive require a person's confirmation",
        "sends e-mail: yes",
        "secret outputs: invitation_url",
        "Address that receives the invitation e-mail.",
        "inputSchema",
        "outputSchema",
    ):
        assert part in out


def test_one_tool_is_described_in_japanese() -> None:
    out = run_command("tools", "auth.DeleteTenant", "--lang", "ja").out
    assert "テナントを完全に削除し" in out
    assert "元に戻せるか: irreversible(元に戻せない)" in out
    assert "影響範囲: tenant(1つのテナントとそのユーザー)" in out
    assert "このレベルの理由: 有料の顧客" in out
    assert "前提条件" not in out


def test_the_preconditions_of_a_tool_are_in_japanese() -> None:
    assert (
        "前提条件: 属性はauth_create_user_attributeで定義します"
        in run_command("tools", "auth.UpdateTenantUser", "--lang", "ja").out
    )
    described = json.loads(run_command("tools", "auth.UpdateTenantUser", "--lang", "ja", "--json").out)
    assert described["effects"]["preconditions"][0] == "属性はauth_create_user_attributeで定義します"


def test_the_reason_of_the_read_only_preset_is_in_japanese() -> None:
    out = run_command("tools", "auth.DeleteTenant", "--mode", "read-only", "--lang", "ja").out
    assert "許可されていません" in out
    assert "not allowed" not in out


def test_one_tool_as_json_holds_its_schemas(catalogue: Catalogue) -> None:
    shown = json.loads(run_command("tools", "auth_delete_tenant", "--json").out)
    operation = catalogue.find("auth_delete_tenant")
    assert shown["inputSchema"] == operation.input_schema
    assert shown["outputSchema"] == operation.output_schema
    assert (shown["decision"], shown["effects"]["reversibility"]) == ("approve", "irreversible")


@pytest.mark.parametrize(("lang", "said"), [("en", "There is no tool"), ("ja", "というツールはありません")])
def test_an_unknown_name_is_answered_with_the_nearest(lang: str, said: str) -> None:
    ran = run_command("tools", "auth_delete_tenan", "--lang", lang)
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err
    assert "auth_delete_tenant" in ran.err


def test_a_name_like_no_other_is_sent_to_the_list() -> None:
    assert "`saasus-mcp tools` lists the tools" in run_command("tools", "zzzzzzzzzz").err


def test_the_help_lists_every_command_and_an_unknown_one_is_refused() -> None:
    listed = run_command("--help").out
    assert all(f"\n  {name} " in listed for name in COMMANDS)
    assert "No such command tols" in run_command("tols").err


def test_a_pipe_that_cannot_write_japanese_stops_nothing() -> None:
    ran = spawn_command("tools", "auth_delete_tenant", "--lang", "ja", PYTHONIOENCODING="cp1252")
    assert ran.status == 0
    assert "\\u30c6" in ran.out


def test_json_stays_json_where_japanese_cannot_be_written() -> None:
    ran = spawn_command("tools", "auth_delete_tenant", "--lang", "ja", "--json", PYTHONIOENCODING="cp1252")
    assert json.loads(ran.out)["title"] == "テナントの削除"


def test_a_fault_that_a_person_can_fix_is_one_line_and_exit_status_1() -> None:
    ran = spawn_command("tools", SAASUS_MCP_READ_ONLY="treu")
    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith("saasus-mcp: SAASUS_MCP_READ_ONLY: ")
