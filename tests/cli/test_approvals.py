"""What waits for a person, and what needs no terminal: listing and refusing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from saasus_mcp.cli import compose
from tests.cli.running import asked, run, status


def test_nothing_waits_where_there_is_no_state_yet(state: Path) -> None:
    assert run("approvals").out == "Nothing waits for approval.\n"
    assert not state.exists()


def test_what_waits_is_listed_over_every_saas_newest_first(state: Path) -> None:
    now = time.time()
    asked(state, "AAAA-2222", "saas-1", now - 60)
    asked(state, "BBBB-3333", "saas-2", now)
    out = run("approvals").out
    assert out.index("BBBB-3333") < out.index("AAAA-2222")
    assert "Delete a tenant: “Aozora”" in out
    assert "14 min left" in out
    assert "SaaS saas-2" in out
    assert "saasus-mcp approve CODE" in out


def test_what_waits_is_listed_in_japanese(state: Path) -> None:
    asked(state)
    assert "テナントの削除: 「Aozora」\n           承認待ち (残り15分)" in run("approvals", "--lang", "ja").out


def test_what_was_decided_on_is_listed_only_with_all(state: Path) -> None:
    asked(state)
    run("reject", "ABCD-2345", "--reason", "still in use")
    assert run("approvals").out == "Nothing waits for approval.\n"
    assert "rejected: “still in use”" in run("approvals", "--all").out


def test_what_has_expired_waits_no_more(state: Path) -> None:
    asked(state, at=time.time() - 901)
    assert run("approvals").out == "Nothing waits for approval.\n"
    assert "expired" in run("approvals", "--all").out


def test_programs_get_json_with_the_previews_and_no_digests(state: Path) -> None:
    asked(state)
    (found,) = json.loads(run("approvals", "--json").out)
    assert (found["code"], found["status"], found["name"]) == ("ABCD-2345", "pending", "Aozora")
    assert set(found["preview"]) == {"en", "ja"}
    assert not {"binding", "bound"} & set(found)


def test_an_operation_of_another_version_is_listed_by_its_key(state: Path) -> None:
    asked(state, operation="auth.Renamed")
    assert "auth.Renamed: “Aozora”" in run("approvals").out


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "another person must approve"), ("ja", "依頼者以外の人の承認が必要")]
)
def test_what_takes_two_people_says_so(state: Path, lang: str, said: str) -> None:
    asked(state, two_person=True)
    assert said in run("approvals", "--lang", lang).out
    (found,) = json.loads(run("approvals", "--json").out)
    assert found["two_person"] is True


def test_no_name_looks_like_another_approval(state: Path) -> None:
    asked(state, name="X”\n\nBBBB-3333  Delete a tenant: “Y", principal="local:a\nb", operation="auth.X\nY")
    out = run("approvals").out
    assert "BBBB-3333" in out
    assert not any(line.startswith("BBBB") for line in out.splitlines())
    assert "“auth.X↵Y”: “X'↵↵BBBB-3333  Delete a tenant: 'Y”" in out
    assert "asked by “local:a↵b”" in out


def test_who_approves_is_not_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    me = compose.local_user()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    assert compose.local_user() == me
    assert me.id.startswith("local:")


def test_rejecting_needs_no_terminal(state: Path) -> None:
    asked(state)
    ran = run("reject", "abcd2345", "--reason", "still in use")
    assert (ran.status, status(state)) == (0, ("rejected", "still in use"))
    assert "in 10 minutes" in ran.out


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "There is no pending approval with the code 'ZZZZ'"), ("ja", "承認待ちはありません")]
)
def test_an_unknown_code_is_an_error_in_one_line(lang: str, said: str) -> None:
    ran = run("reject", "ZZZZ", "--lang", lang)
    assert ran.status == 1
    assert said in ran.err


@pytest.mark.parametrize(
    "command", [("approve", "ABCD-2345"), ("reveal", "0" * 24), ("approver", "set"), ("approver", "clear")]
)
def test_what_only_a_person_may_do_insists_on_a_terminal(state: Path, command: tuple[str, ...]) -> None:
    asked(state)
    ran = run(*command)
    assert (ran.status, ran.out) == (1, "")
    assert "in a terminal" in ran.err
    assert status(state)[0] == "pending"


def test_the_terminal_is_insisted_on_in_japanese() -> None:
    assert "端末" in run("approve", "ABCD-2345", "--lang", "ja").err
