"""Completion: what a shell offers, and the scripts in the shells that are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from saasus_mcp.cli import COMMANDS, commands
from tests.support.commands import create_approval, run_command

BASH_TRIAL = """
eval "$(saasus-mcp completion bash)"
COMP_WORDS=(saasus-mcp audit se); COMP_CWORD=2; COMPREPLY=()
_saasus_mcp_completion saasus-mcp
echo "${COMPREPLY[@]}"
"""


def offered(*words: str) -> list[str]:
    """Return what a shell offers for the last word."""
    env = {
        "_SAASUS_MCP_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("saasus-mcp", *words)),
        "COMP_CWORD": str(len(words)),
    }
    result = CliRunner().invoke(commands, [], prog_name="saasus-mcp", env=env)
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


def test_commands_options_tools_jobs_and_toolsets_are_completed() -> None:
    assert offered("") == list(COMMANDS)
    assert offered("un") == ["undo", "unfreeze"]
    assert offered("audit", "") == ["export", "heads", "purge", "search", "verify"]
    assert offered("audit", "search", "--re") == ["--result"]
    assert offered("call", "auth_create_ro") == ["auth_create_role"]
    assert offered("tools", "job_export_s") == ["job_export_settings"]
    assert offered("job", "export_s") == ["export_settings"]
    assert offered("tools", "--toolset", "tenants,us") == ["tenants,users"]
    assert offered("--sandbox", "--mo") == ["--mode"], "options without a command are those of `serve`"


def test_codes_of_pending_approvals_are_completed_and_nothing_else(state: Path) -> None:
    assert offered("approve", "") == []
    create_approval(state)
    create_approval(state, "BBBB-3333", name="Midori")
    run_command("reject", "BBBB-3333")
    assert offered("approve", "ab") == ["ABCD-2345"]
    assert offered("reject", "") == offered("approvals", "") == ["ABCD-2345"]


def test_settings_that_are_not_valid_offer_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_TIME_ZONE", "Nowhere")
    assert offered("approve", "") == []


def test_descriptions_are_in_the_readers_language_and_cannot_command_the_terminal(state: Path) -> None:
    create_approval(state, operation="auth.X\x1b[2J\u202e\nY", preview="{}")
    env = {"_SAASUS_MCP_COMPLETE": "zsh_complete", "COMP_WORDS": "saasus-mcp approve ", "COMP_CWORD": "2"}
    out = CliRunner().invoke(commands, [], prog_name="saasus-mcp", env=env).stdout
    assert out.startswith("plain\nABCD-2345\n")
    assert all(line.isprintable() for line in out.splitlines())
    env = {**env, "COMP_WORDS": "saasus-mcp audit search --re", "COMP_CWORD": "3", "SAASUS_MCP_LANG": "ja"}
    assert "この結果の呼び出し" in CliRunner().invoke(commands, [], prog_name="saasus-mcp", env=env).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_valid_in_its_shell(shell: str, tmp_path: Path) -> None:
    script = run_command("completion", shell).out
    assert "saasus-mcp" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    file = tmp_path / "script"
    file.write_text(script, encoding="utf-8")
    subprocess.run([program, "-n", str(file)], check=True, timeout=60)


@pytest.mark.skipif(shutil.which("bash") is None or os.name != "posix", reason="bash is not installed")
def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    program = tmp_path / "saasus-mcp"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m saasus_mcp "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    bash = shutil.which("bash") or "bash"
    done = subprocess.run([bash, "-c", BASH_TRIAL], capture_output=True, text=True, env=env, timeout=120, check=True)
    assert done.stdout == "search\n", done.stderr


def test_the_shell_of_the_person_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert run_command("completion").out == run_command("completion", "fish").out
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    ran = run_command("completion")
    assert ran.status == 2
    assert "Specify a shell: bash, zsh, fish." in ran.err


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_keeps_a_list_with_commas_and_the_whole_description(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "fish" / "completions"
    folder.mkdir(parents=True)
    (folder / "saasus-mcp.fish").write_text(run_command("completion", "fish").out, encoding="utf-8")
    env = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    for line, offered in (("tools --toolset tenants,us", "tenants,users"), ("unfreeze --pro", "by default, lift")):
        trial = ["fish", "-c", f'complete -C "saasus-mcp {line}"']
        done = subprocess.run(trial, capture_output=True, text=True, env=env, timeout=120, check=True)
        assert offered in done.stdout
