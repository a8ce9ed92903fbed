"""`saasus-mcp policy` checks, explains, tests and replays a policy without credentials or a connection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.permissions.policy.file import preset_path
from tests.support.commands import run_command, spawn_command
from tests.support.policies import CONSOLE_OPERATOR

DELETE = ("policy", "explain", "auth_delete_tenant", '{"tenant_id": "t1"}', "--as", "local:a")


def explained(*args: str) -> dict[str, Any]:
    ran = run_command(*DELETE, *args, "--json")
    assert ran.status == 0
    told: dict[str, Any] = json.loads(ran.out)
    return told


# -- check -------------------------------------------------------------------------------------------------------------


def test_a_sound_file_is_said_to_be_with_what_it_lets_you_do(desk: Path) -> None:
    ran = run_command("policy", "check", str(desk))
    assert ran.status == 0
    assert "77 allow, 0 confirm, 0 approve, 117 deny, 1 depend on the call" in ran.out
    assert "ルール5件" in run_command("policy", "check", str(desk), "--lang", "ja").out
    staging = run_command("policy", "check", str(desk), "--profile", "staging").out
    assert "194 allow" in staging


def test_every_fault_is_listed_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("version: 1\nrulez: []\nrules:\n  - name: a\n    then: dny\n    levels: [read]\n", encoding="utf-8")
    ran = run_command("policy", "check", str(file))
    assert ran.status == 1
    assert f"{file}: line 2: unknown key 'rulez'." in ran.err
    assert f"{file}: line 5: rule 'a': then: \"dny\" is not allowed. Allowed: allow, confirm, approve, deny." in ran.err
    assert "Errors: 2." in ran.err
    assert "2行目" in run_command("policy", "check", str(file), "--lang", "ja").err


def test_a_program_learns_whether_a_file_is_valid(desk: Path, tmp_path: Path) -> None:
    ran = run_command("policy", "check", str(desk), "--json")
    found = json.loads(ran.out)
    assert (ran.status, found["valid"], found["file"]) == (0, True, str(desk))
    assert sum(found["tools"].values()) == len(load_catalogue())
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text("version: 1\nrules: 3\n", encoding="utf-8")
    ran = run_command("policy", "check", str(faulty), "--json")
    found = json.loads(ran.out)
    assert (ran.status, found["valid"], ran.err) == (1, False, "")
    assert all(fault["line"] == 2 and fault["hint"] for fault in found["faults"])
    assert json.loads(run_command("policy", "reload", "--json").out) == {"files": []}


def test_surprising_rules_are_noted(desk: Path) -> None:
    desk.write_text(CONSOLE_OPERATOR + "    when: args.tenant_id == 'x'\n", encoding="utf-8")
    ran = run_command("policy", "check", str(desk))
    assert ran.status == 0
    assert "note:" in ran.out
    assert "args.tenant_id" in ran.out


def test_allowing_everything_is_announced(tmp_path: Path) -> None:
    file = tmp_path / "open.yaml"
    file.write_text("version: 1\nunsafe-allow-everything: true\n", encoding="utf-8")
    ran = run_command("policy", "check", str(file))
    assert "195 allow" in ran.out
    assert "UNSAFE" in ran.err


@pytest.mark.parametrize("mode", ["read-only", "guarded", "strict"])
def test_the_shipped_presets_are_sound(mode: Any) -> None:
    assert run_command("policy", "check", str(preset_path(mode))).status == 0


@pytest.mark.parametrize(
    ("bulk", "tool", "text", "in_list"),
    [
        ("{max_calls: 500}", "auth_delete_tenant", "up to 50 with one approval", {"consent": "once", "max_calls": 50}),
        ("{critical: each}", "auth_delete_tenant", "approval of its own", {"consent": "each", "max_calls": 500}),
        ("{critical: never}", "auth_delete_tenant", "not possible", None),
        ("{levels: [write]}", "auth_delete_tenant", "leaves out calls of the level critical", None),
        ("{max_calls: 20}", "auth_create_role", "up to 20 with one consent", {"consent": "once", "max_calls": 20}),
    ],
)
def test_the_allowed_scope_of_a_list_of_calls_is_explained(
    tmp_path: Path, bulk: str, tool: str, text: str, in_list: dict[str, Any] | None
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"version: 1\nbulk: {bulk}\nrules:\n  - name: all\n    then: approve\n    tools: ['*']\n")
    given = {"auth_delete_tenant": {"tenant_id": "t1"}, "auth_create_role": {"role_name": "a", "display_name": "A"}}
    call = ("policy", "explain", tool, json.dumps(given[tool]), "--policy", str(file))
    assert text in run_command(*call).out
    assert json.loads(run_command(*call, "--json").out)["in_list"] == in_list


# -- explain -----------------------------------------------------------------------------------------------------------


def test_every_rule_is_reported_and_which_one_won(desk: Path) -> None:
    ran = run_command(*DELETE, "--policy", str(desk), "--impact", '{"users": 3}')
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines == [
        "auth_delete_tenant (auth.DeleteTenant, level critical) by local:a, profile default, policy desk",
        "groups: support",
        "",
        "reads allow does not match this tool",
        "=> off-board approve no condition",
        "big deny false: impact.users > 50",
        "clerks confirm does not match this tool",
        "staging allow does not match this profile",
        "",
        "=> approve (the target's name must be typed): a second look",
        "In a list of calls (job_run_plan): up to 50 with one approval.",
    ]


def test_the_state_behind_a_decision_is_named(desk: Path) -> None:
    ran = run_command(*DELETE, "--policy", str(desk))
    assert "cannot be evaluated, so the call is denied: `impact` could not be read" in ran.out
    assert "Specify it with --impact" in ran.out
    assert explained("--policy", str(desk))["missing_state"] == ["impact"]
    told = explained("--policy", str(desk), "--impact", '{"users": 300}')
    assert (told["decision"]["outcome"], told["decision"]["rule"], told["missing_state"]) == ("deny", "big", [])


def test_groups_claims_and_profile_are_given(desk: Path) -> None:
    call = ("policy", "explain", "auth_update_tenant_user", '{"tenant_id": "t1", "user_id": "u", "attributes": {}}')
    flags = ("--policy", str(desk), "--group", "clerks", "--claims", '{"tenants": ["t1"]}')
    assert "=> confirm: " in run_command(*call, *flags).out
    assert "groups: clerks" in run_command(*call, *flags).out
    assert "No rule allows this call." in run_command(*call, "--policy", str(desk)).out
    assert "=> allow: " in run_command(*call, "--policy", str(desk), "--profile", "staging").out


@pytest.mark.parametrize("option", ["--claims", "--target", "--impact"])
def test_an_option_that_is_not_json_is_named(option: str) -> None:
    given = run_command("policy", "explain", "auth_get_tenants", "{}", option, "{nope")
    assert given.status == 1
    assert option in given.err


@pytest.mark.parametrize("ceiling", [(), ("--mode", "read-only")])
def test_a_group_without_effect_is_reported(desk: Path, ceiling: tuple[str, ...]) -> None:
    call = ("policy", "explain", "auth_get_tenants", "{}", "--policy", str(desk), "--as", "oidc:idp|eve", *ceiling)
    told = run_command(*call, "--group", "support", "--group", "clerks").out
    assert "groups: clerks\n" in told
    assert "because the policy file lists their members: support" in told
    assert (
        "Membership of these groups is set by the policy file alone: support."
        in run_command("policy", "check", str(desk)).out
    )
    assert "ファイルに書かれた利用者だけです: support" in run_command("policy", "check", str(desk), "--lang", "ja").out


def test_presets_are_explained_and_the_ceiling_holds(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert explained()["decision"]["rule"] == "guarded/critical"
    assert len(explained("--mode", "strict")["rules"]) == 6
    monkeypatch.setenv("SAASUS_MCP_READ_ONLY", "1")
    assert explained()["decision"]["rule"] == "read-only/critical"
    told = explained("--policy", str(desk), "--impact", '{"users": 3}')
    assert (told["policy"], told["decision"]["outcome"]) == ("read-only over desk", "deny")


def test_a_call_that_would_not_get_that_far_is_explained_and_said_to_be(desk: Path) -> None:
    ran = run_command("policy", "explain", "auth_delete_tenant", "--policy", str(desk))
    assert ran.status == 0
    assert "would be rejected before the policy" in ran.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("auth_delete_tenan",), 'There is no tool "auth_delete_tenan"'),
        (("auth_delete_tenant", "[]"), "JSON is not a JSON object"),
        (("auth_delete_tenant", "{"), "not valid JSON"),
        (("auth_delete_tenant", "{}", "--impact", "3"), "--impact is not a JSON object"),
        (("auth_delete_tenant", "{}", "--policy", "/nowhere/p.yaml"), "cannot be read"),
    ],
)
def test_an_unexplained_difference_is_reported(args: tuple[str, ...], said: str) -> None:
    ran = run_command("policy", "explain", *args)
    assert ran.status == 1
    assert said in ran.err


def test_the_command_stands_on_its_own() -> None:
    ran = spawn_command("policy", "--help")
    assert ran.status == 0
    assert all(name in ran.out for name in ("check", "explain", "test", "replay"))
