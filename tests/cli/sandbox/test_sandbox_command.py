"""The demo and the served sandbox as processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from saasus_mcp.cli.sandbox.demo_script import DemoScript
from tests.support.commands import SANDBOX_VARIABLES, run_command, sandbox_variables, spawn_command, wait_for_port
from tests.support.processes import TIMEOUT, start_module


@pytest.mark.usefixtures("forked_servers")
@pytest.mark.parametrize(
    ("lang", "told"),
    [
        (
            "en",
            (
                "195 tools.",
                "types: hanako@example.co\n",
                "the name typed does not match the target's name",
                "person: types: Demo Trading",
                "11. The tenant is gone: as expected",
                "Everything went as expected.",
            ),
        ),
        pytest.param(
            "ja",
            (
                "195件のツール",
                "担当者: 入力: デモ商事株式会社",
                "11. テナントは削除されました: 想定どおり",
                "すべて想定どおりに終わりました。",
            ),
            marks=pytest.mark.exhaustive,  # two seconds; its texts are in the catalogue, as the others
        ),
    ],
)
def test_the_demo_tells_its_story_in_both_eras(lang: str, told: tuple[str, ...]) -> None:
    run = spawn_command if lang == "en" else run_command
    ran = run("demo", "--lang", lang)
    assert (ran.status, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    assert all(part in ran.out for part in told), ran.out
    assert "saasus-mcp approve " in ran.out
    assert "secret://r/" in ran.out


def test_the_demo_fails_where_no_server_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-such"))
    ran = run_command("demo")
    assert ran.status == 1
    assert "could not be started" in ran.err


@pytest.mark.usefixtures("forked_servers")
def test_the_demo_fails_where_a_step_ends_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DemoScript, "_approve", lambda *_: None)
    ran = run_command("demo")
    assert ran.status == 1
    assert 'The demo failed at "The same call now runs once"' in ran.err


@pytest.fixture
def sandbox() -> Iterator[dict[str, str]]:
    """Yield the variables that `saasus-mcp sandbox` prints while it serves."""
    command = ("saasus_mcp", "sandbox", "--port", "0")
    with start_module(*command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            yield sandbox_variables(process)
        finally:
            process.terminate()
            process.wait(TIMEOUT)


def test_the_sandbox_serves_other_processes_under_what_it_prints(
    sandbox: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(sandbox) == SANDBOX_VARIABLES
    for name, value in sandbox.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    wait_for_port(int(sandbox["SAASUS_API_URL_BASE"].rpartition(":")[2]))
    ran = run_command("doctor")
    assert (ran.status, "Signature: accepted" in ran.out) == (0, True), ran.out
    assert run_command("call", "auth_get_tenants").status == 0


def test_the_sandbox_is_served_on_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[str, int]] = []
    monkeypatch.setattr("saasus_mcp.sandbox.serve_sandbox", lambda host, port, _: served.append((host, port)))
    ran = run_command("sandbox", "--port", "0", "--lang", "ja")
    ((host, port),) = served
    assert (ran.status, host) == (0, "127.0.0.1")
    assert f"SAASUS_API_URL_BASE=http://127.0.0.1:{port}\n" in ran.out
    assert "サンドボックス" in ran.out


def test_a_taken_port_is_an_error_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = run_command("sandbox", "--port", str(taken.getsockname()[1]), "--lang", "ja")
    assert ran.status == 1
    assert "--port" in ran.err


def test_serve_without_credentials_ends_in_one_line() -> None:
    ran = spawn_command("serve", **{name: "" for name in os.environ if name.startswith("SAASUS_API")})
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("saasus-mcp: Missing credentials: SAASUS_SAAS_ID")
    assert ran.err.count("\n") == 1
