"""Listing and rejecting approvals needs no terminal."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from saasus_mcp.cli.local_user import local_user
from tests.support.commands import approval_status, create_approval, run_command
from tests.support.questions import deletion, described_calls, invitation_question, long_list, plan_change, price_change


def test_nothing_waits_where_there_is_no_state_yet(state: Path) -> None:
    none = f"No approvals: no server has stored any data in {state} yet.\n"
    assert run_command("approvals").out == run_command("approvals", "--all").out == none
    assert not state.exists()
    create_approval(state)
    run_command("reject", "ABCD-2345")
    assert run_command("approvals").out == "No pending approvals.\n"


@pytest.mark.parametrize("command", [("approvals",), ("approvals", "--all"), ("undo", "--list")])
def test_no_list_is_called_empty_while_a_store_cannot_be_read(state: Path, command: tuple[str, ...]) -> None:
    state.mkdir(mode=0o700)
    damaged = state / "damaged.sqlite3"
    damaged.write_bytes(b"this is no database" * 100)
    damaged.chmod(0o600)
    said = run_command(*command)
    assert (said.status, said.out) == (1, "")
    assert "damaged" in said.err


def test_pending_approvals_of_every_saas_are_listed_newest_first(state: Path) -> None:
    now = time.time()
    create_approval(state, "AAAA-2222", "saas-1", now - 60)
    create_approval(state, "BBBB-3333", "saas-2", now)
    out = run_command("approvals").out
    assert out.index("BBBB-3333") < out.index("AAAA-2222")
    assert "Delete the tenant “Aozora”" in out
    assert "14 min left" in out
    assert "SaaS saas-2" in out
    assert "saasus-mcp approve CODE" in out


def test_pending_approvals_are_listed_in_japanese(state: Path) -> None:
    create_approval(state)
    assert (
        "テナント「Aozora」を削除します\n           承認待ち(残り15分)、"
        in run_command("approvals", "--lang", "ja").out
    )


def test_decided_approvals_are_listed_only_with_all(state: Path) -> None:
    create_approval(state)
    run_command("reject", "ABCD-2345", "--reason", "still in use")
    assert run_command("approvals").out == "No pending approvals.\n"
    assert re.search(r"rejected by local:\S+: “still in use”", run_command("approvals", "--all").out)


def test_an_expired_approval_no_longer_waits(state: Path) -> None:
    create_approval(state, at=time.time() - 901)
    assert run_command("approvals").out == "No pending approvals.\n"
    assert "expired" in run_command("approvals", "--all").out


def test_programs_get_json_with_the_questions_and_no_digests(state: Path) -> None:
    create_approval(state)
    (found,) = json.loads(run_command("approvals", "--json").out)
    assert (found["code"], found["status"], found["name"]) == ("ABCD-2345", "pending", "Aozora")
    assert found["question"]["headline"] == {"en": "Delete the tenant “Aozora”", "ja": "テナント「Aozora」を削除します"}
    assert not {"binding", "bound", "preview"} & set(found)


def test_an_approval_of_another_version_is_listed_by_operation_and_name(state: Path) -> None:
    create_approval(state, operation="auth.Renamed", preview='{"version": 99}')
    assert "auth.Renamed: “Aozora”" in run_command("approvals").out


@pytest.mark.parametrize(
    ("lang", "said", "alone"),
    [
        ("en", "another person must approve", "by someone other than the requester"),
        ("ja", "依頼者以外の人の承認が必要", "依頼者以外の人の承認が必要です。"),
    ],
)
def test_a_call_that_needs_two_people_says_so(state: Path, lang: str, said: str, alone: str) -> None:
    create_approval(state, two_person=True)
    assert said in run_command("approvals", "--lang", lang).out
    assert alone in run_command("approvals", "ABCD-2345", "--lang", lang).out
    (found,) = json.loads(run_command("approvals", "--json").out)
    assert found["two_person"] is True


def test_no_name_looks_like_another_approval(state: Path) -> None:
    name = "X”\n\nBBBB-3333  Delete a tenant: “Y"
    create_approval(state, name=name, principal="local:a\nb", operation="auth.X\nY", preview="{}")
    create_approval(state, "CCCC-4444", name=name, preview=deletion(name).to_json())
    out = run_command("approvals").out
    assert "BBBB-3333" in out
    assert not any(line.startswith("BBBB") for line in out.splitlines())
    assert "“auth.X↵Y”: “X'↵↵BBBB-3333  Delete a tenant: 'Y”" in out
    assert "Delete the tenant “X'↵↵BBBB-3333" in out
    assert "requested by “local:a↵b”" in out


def test_the_approver_is_not_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    me = local_user()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    assert local_user() == me
    assert me.id.startswith("local:")


def test_rejecting_needs_no_terminal(state: Path) -> None:
    create_approval(state)
    ran = run_command("reject", "abcd2345", "--reason", "still in use")
    assert (ran.status, approval_status(state)) == (0, ("rejected", "still in use"))
    assert "in 10 minutes" in ran.out


@pytest.mark.parametrize(
    ("lang", "said"), [("en", 'There is no pending approval with the code "ZZZZ"'), ("ja", "承認待ちはありません")]
)
def test_an_unknown_code_is_an_error_in_one_line(lang: str, said: str) -> None:
    ran = run_command("reject", "ZZZZ", "--lang", lang)
    assert ran.status == 1
    assert said in ran.err


@pytest.mark.parametrize(
    "command", [("approve", "ABCD-2345"), ("reveal", "0" * 24), ("approver", "set"), ("approver", "clear")]
)
def test_actions_for_people_require_a_terminal(state: Path, command: tuple[str, ...]) -> None:
    create_approval(state)
    ran = run_command(*command)
    assert (ran.status, ran.out) == (1, "")
    assert "in a terminal" in ran.err
    assert approval_status(state)[0] == "pending"


def test_the_terminal_is_insisted_on_in_japanese() -> None:
    assert "ターミナル" in run_command("approve", "ABCD-2345", "--lang", "ja").err


def test_one_approval_is_shown_whole_with_its_exact_request(state: Path) -> None:
    create_approval(state, preview=plan_change().to_json())
    out = run_command("approvals", "abcd2345").out
    assert "[SANDBOX] Change the plan of “株式会社青空商事”" in out
    assert "Takes effect: Tue 1 Dec 2026, 00:00 UTC" in out
    assert "tenant_id: da8d500a-6679-4dd5-a3f1-6b5f6a0b6d2e" in out
    assert "saasus-mcp approve ABCD-2345" in out
    assert out.lower().count("requested by") == 1


def test_times_are_shown_in_the_readers_zone(state: Path) -> None:
    create_approval(state, preview=plan_change().to_json())
    assert "2026年12月1日(火) 09:00 JST" in run_command("approvals", "ABCD-2345", "--lang", "ja").out
    assert "Mon 30 Nov 2026, 19:00 EST" in run_command("approvals", "ABCD-2345", "--time-zone", "America/New_York").out


def test_the_outcome_of_an_approval_is_shown_with_it(state: Path) -> None:
    create_approval(state)
    run_command("reject", "ABCD-2345", "--reason", "still in use")
    out = run_command("approvals", "ABCD-2345").out
    assert "rejected" in out
    assert "“still in use”" in out
    assert "saasus-mcp approve" not in out


def test_the_prices_of_a_row_are_those_of_the_same_quantities(state: Path) -> None:
    create_approval(state, preview=price_change().to_json())
    out = run_command("approvals", "ABCD-2345", "--lang", "ja").out
    rows = [line.split() for line in out.splitlines() if line.startswith("      ")][:4]
    assert rows == [
        ["数量", "現在", "変更後"],
        ["〜100", "0円", "0円"],
        ["101〜1,000", "500円+20円/単位", "15円/単位"],
        ["1,001以上", "10円/単位", "15円/単位"],
    ]


def test_nothing_of_a_long_text_or_list_is_left_out(state: Path) -> None:
    create_approval(state, preview=invitation_question().to_json())
    out = "".join(line.strip() for line in run_command("approvals", "ABCD-2345").out.splitlines())
    assert invitation_question().details[-1].value.replace("\n", "") in out
    create_approval(state, "BBBB-3333", preview=long_list(40).to_json())
    out = run_command("approvals", "BBBB-3333").out
    assert "40 in all" in out
    assert all(f"person{number:02}@example.jp" in out for number in range(40))


def test_each_call_of_a_list_has_lines_of_its_own(state: Path) -> None:
    create_approval(state, preview=described_calls("Aozora", "Midori").to_json())
    lines = [line.strip() for line in run_command("approvals", "ABCD-2345").out.splitlines()]
    assert [line.partition(" (")[0] for line in lines if line.startswith("- ")] == ["- Aozora", "- Midori"]


def test_a_question_that_cannot_be_read_is_said_to_be_so(state: Path) -> None:
    create_approval(state, preview="{}")
    assert "Another version of saasus-mcp asked for this" in " ".join(run_command("approvals", "ABCD-2345").out.split())


def test_an_approval_that_is_not_there_is_an_error(state: Path) -> None:
    create_approval(state)
    ran = run_command("approvals", "ZZZZ-ZZZZ")
    assert (ran.status, 'There is no approval with the code "ZZZZ-ZZZZ"' in ran.err) == (1, True)
