"""Commands that need a person at a terminal: approving, setting a passphrase, answering a question."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from saasus_mcp.cli.local_user import local_user
from saasus_mcp.permissions.secrets import passphrase
from tests.support.commands import Terminal, approval_status, create_approval, run_command
from tests.support.questions import deletion, invitation_question

pytest.importorskip("pty", reason="no pseudo-terminals on this system")

PASSPHRASE = "correct horse"


def test_a_person_approves_by_typing_the_targets_name(state: Path) -> None:
    create_approval(state)
    with Terminal("approve", "abcd-2345") as terminal:
        terminal.wait_for("type “Aozora” without the quotation marks")
        terminal.type("Aozora")
        assert terminal.wait() == 0
    assert approval_status(state) == ("approved", None)
    assert "Delete the tenant “Aozora”" in terminal.output
    assert "Requested by local:somebody" in terminal.output
    assert "any program that runs under your user account" in terminal.output
    assert "can now run once" in terminal.output


def test_approving_speaks_japanese(state: Path) -> None:
    create_approval(state)
    with Terminal("approve", "ABCD-2345", "--lang", "ja") as terminal:
        terminal.wait_for("承認する場合は「Aozora」と入力してください")
        terminal.type("Aozora")
        assert terminal.wait() == 0
    assert "テナント「Aozora」を削除します\n" in terminal.output


def test_without_a_code_the_pending_approvals_are_offered(state: Path) -> None:
    create_approval(state, at=time.time() - 60)
    create_approval(state, "BBBB-3333", name="Midori")
    with Terminal("approve") as terminal:
        terminal.wait_for("Which one? (1-2")
        terminal.type("3")
        terminal.wait_for("That is not in the list.")
        terminal.type("1")
        terminal.wait_for("type “Midori”")
        terminal.type("Midori")
        assert terminal.wait() == 0
    assert (approval_status(state, "BBBB-3333"), approval_status(state)) == (("approved", None), ("pending", None))


def test_without_a_code_the_only_pending_approval_is_shown(state: Path) -> None:
    create_approval(state)
    with Terminal("approve") as terminal:
        terminal.wait_for("Delete the tenant “Aozora”")
        terminal.wait_for("To approve, type")
        terminal.type("Aozora")
        assert terminal.wait() == 0
    assert approval_status(state) == ("approved", None)


def test_without_a_code_and_nothing_pending_that_is_said() -> None:
    with Terminal("approve") as terminal:
        assert terminal.wait() == 0
    assert "No approvals: no server has stored any data" in terminal.output


def test_the_exact_request_is_shown_on_demand_and_where_something_is_cut(state: Path) -> None:
    id_ = deletion().details[-1].value
    create_approval(state)
    for flags, there in (((), False), (("--details",), True)):
        with Terminal("approve", "ABCD-2345", *flags) as terminal:
            terminal.wait_for("To approve, type")
            terminal.hang_up()
            terminal.wait()
        assert (id_ in terminal.output) is there
    create_approval(state, "BBBB-3333", preview=invitation_question().to_json())
    with Terminal("approve", "BBBB-3333") as terminal:
        terminal.wait_for("To approve, type")
        terminal.hang_up()
        terminal.wait()
    assert invitation_question().details[-1].value[-60:].replace("\n", "") in "".join(
        line.strip() for line in terminal.output.splitlines()
    )


def test_a_question_that_cannot_be_shown_cannot_be_approved(state: Path) -> None:
    create_approval(state, preview="{}")
    with Terminal("approve", "ABCD-2345") as terminal:
        assert terminal.wait() == 1
    assert "this version cannot show the question" in " ".join(terminal.output.split())
    assert "To approve, type" not in terminal.output
    assert approval_status(state) == ("pending", None)


@pytest.mark.parametrize(
    ("env", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_an_irreversible_call_is_red_unless_colours_are_off(state: Path, env: dict[str, str], coloured: bool) -> None:
    create_approval(state)
    with Terminal("approve", "ABCD-2345", env=env) as terminal:
        terminal.wait_for("To approve, type")
        terminal.hang_up()
        terminal.wait()
    assert ("\x1b[31m\x1b[1m⚠ This cannot be undone." in terminal.output) is coloured
    assert ("\x1b[" in terminal.output) is coloured


def test_after_three_wrong_names_nothing_is_approved(state: Path) -> None:
    create_approval(state)
    with Terminal("approve", "ABCD-2345") as terminal:
        for wrong in ("aozora", "", "yes"):
            terminal.wait_for("To approve, type")
            terminal.type(wrong)
        assert terminal.wait() == 1
    assert "Stopped after three wrong answers" in terminal.output
    assert approval_status(state) == ("pending", None)


def test_a_person_may_mistype_once(state: Path) -> None:
    create_approval(state)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.wait_for("To approve, type")
        terminal.type("Aozorra")
        terminal.wait_for("Nothing was approved")
        terminal.type("  Aozora ")
        assert terminal.wait() == 0
    assert approval_status(state) == ("approved", None)


def test_approving_can_be_left_undecided(state: Path) -> None:
    create_approval(state)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.wait_for("To approve, type")
        terminal.hang_up()
        assert terminal.wait() == 1
    assert approval_status(state) == ("pending", None)


@pytest.mark.parametrize(
    ("lang", "error", "hint"),
    [("en", "You requested this yourself", "Have someone else approve it"), ("ja", "あなた自身", "別の人に承認を")],
)
def test_with_two_people_required_the_requester_is_informed_before_any_question(
    state: Path, lang: str, error: str, hint: str
) -> None:
    create_approval(state, principal=local_user().id, two_person=True)
    passphrase.save_passphrase(state, PASSPHRASE)
    with Terminal("approve", "ABCD-2345", "--lang", lang) as terminal:
        assert terminal.wait() == 1
    assert error in terminal.output
    assert hint in terminal.output
    assert "passphrase" not in terminal.output
    assert "without the quotation marks" not in terminal.output
    assert approval_status(state) == ("pending", None)


def test_with_two_people_required_the_second_one_is_named_and_approves(state: Path) -> None:
    create_approval(state, two_person=True)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.wait_for("The policy requires approval by someone other than the requester")
        terminal.wait_for("To approve, type")
        terminal.type("Aozora")
        assert terminal.wait() == 0
    assert approval_status(state) == ("approved", None)


def test_a_name_with_quotation_marks_is_typed_as_it_is_or_as_it_is_shown(state: Path) -> None:
    for code, typed in (("ABCD-2345", 'Bob "the" Co'), ("ABCD-2346", "Bob 'the' Co")):
        create_approval(state, code, name='Bob "the" Co')
        with Terminal("approve", code) as terminal:
            terminal.wait_for("type “Bob 'the' Co” without")
            terminal.type(typed)
            assert terminal.wait() == 0
        assert approval_status(state, code) == ("approved", None)


def test_an_approval_decided_meanwhile_cannot_be_approved(state: Path) -> None:
    create_approval(state)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.wait_for("To approve, type")
        run_command("reject", "ABCD-2345")
        terminal.type("Aozora")
        assert terminal.wait() == 1
    assert "This approval is no longer pending" in terminal.output


def test_an_unknown_code_cannot_be_approved() -> None:
    with Terminal("approve", "ZZZZ-2222") as terminal:
        assert terminal.wait() == 1
    assert 'There is no pending approval with the code "ZZZZ-2222"' in terminal.output


def test_the_passphrase_is_asked_before_the_name_and_never_shown(state: Path) -> None:
    create_approval(state)
    passphrase.save_passphrase(state, PASSPHRASE)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.wait_for("Approver passphrase")
        terminal.type("a wrong one")
        terminal.wait_for("Wrong passphrase")
        terminal.wait_for("Approver passphrase")
        terminal.type(PASSPHRASE)
        terminal.wait_for("To approve, type")
        terminal.type("Aozora")
        assert terminal.wait() == 0
    assert PASSPHRASE not in terminal.output
    assert approval_status(state) == ("approved", None)


def test_without_the_passphrase_nothing_is_approved(state: Path) -> None:
    create_approval(state)
    passphrase.save_passphrase(state, PASSPHRASE)
    with Terminal("approve", "ABCD-2345") as terminal:
        for _ in range(3):
            terminal.wait_for("Approver passphrase")
            terminal.type("Aozora")
        assert terminal.wait() == 1
    assert approval_status(state) == ("pending", None)


def test_a_passphrase_is_set_changed_with_the_old_one_and_cleared_with_the_new(state: Path) -> None:
    with Terminal("approver", "set") as terminal:
        terminal.answer(("New passphrase", PASSPHRASE), ("Repeat the new passphrase", PASSPHRASE))
        assert terminal.wait() == 0
    assert passphrase.verify_passphrase(state, PASSPHRASE)
    with Terminal("approver", "set", "--lang", "ja") as terminal:
        terminal.answer(
            ("現在のパスフレーズ", PASSPHRASE),
            ("新しい", "合言葉は青い空の下"),
            ("もう一度", "合言葉は青い空の下"),
        )
        assert terminal.wait() == 0
    assert passphrase.verify_passphrase(state, "合言葉は青い空の下")
    with Terminal("approver", "clear") as terminal:
        terminal.answer(("Current passphrase", "合言葉は青い空の下"))
        assert terminal.wait() == 0
    assert not passphrase.is_passphrase_set(state)


def test_the_passphrase_stays_as_it_is_without_the_old_one(state: Path) -> None:
    passphrase.save_passphrase(state, PASSPHRASE)
    for command in ("set", "clear"):
        with Terminal("approver", command) as terminal:
            terminal.answer(*[("Current passphrase", "a wrong one")] * 3)
            assert terminal.wait() == 1
    assert passphrase.verify_passphrase(state, PASSPHRASE)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([("New passphrase", "short")], "at least 8 characters"),
        (
            [("New passphrase", PASSPHRASE), ("Repeat the new passphrase", "correct hose")],
            "The passphrases do not match",
        ),
    ],
)
def test_a_short_or_mistyped_passphrase_is_not_set(state: Path, answers: list[tuple[str, str]], said: str) -> None:
    with Terminal("approver", "set") as terminal:
        terminal.answer(*answers)
        terminal.wait_for(said)
        assert terminal.wait() == 1
    assert not passphrase.is_passphrase_set(state)


def test_there_may_be_no_passphrase_to_clear() -> None:
    with Terminal("approver", "clear") as terminal:
        assert terminal.wait() == 0
    assert "No passphrase is set" in terminal.output


def test_a_call_asks_the_person_at_the_terminal_to_type_the_name() -> None:
    wanted, email = _a_tenant_user()
    with Terminal("call", "--sandbox", "auth_delete_tenant_user", wanted) as terminal:
        terminal.wait_for(f"type “{email}” without the quotation marks")
        terminal.type(email)
        terminal.wait_for('"applied": true')
        assert terminal.wait() == 0


@pytest.mark.parametrize(
    ("typed", "said"), [("somebody@example.com", "does not match the target's name"), ("", "you did not confirm it")]
)
def test_a_call_is_refused_where_the_person_does_not_agree(typed: str, said: str) -> None:
    wanted, _ = _a_tenant_user()
    with Terminal("call", "--sandbox", "auth_delete_tenant_user", wanted) as terminal:
        terminal.wait_for("To go ahead, type")
        terminal.type(typed)
        terminal.wait_for(said)
        assert terminal.wait() == 4


def test_a_wrong_text_for_a_job_is_answered_to_the_person_who_typed_it(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    rows = "".join(f"u{number}@example.com,株式会社青空商事,3,viewer\n" for number in range(30))
    file.write_text(f"email,tenant_name,env_id,role_name\n{rows}", encoding="utf-8")
    with Terminal("job", "--sandbox", "import_users", "--csv", str(file)) as terminal:
        terminal.wait_for("To go ahead, type")
        terminal.type("all of them")
        terminal.wait_for("to enter it once more")
        assert terminal.wait() == 4


@pytest.mark.parametrize(("typed", "status_"), [("y", 0), ("はい", 0), ("", 4)])
def test_a_call_asks_for_a_plain_yes(typed: str, status_: int) -> None:
    user = json.loads(run_command("call", "--sandbox", "auth_get_saas_users").out)["users"][0]["id"]
    wanted = json.dumps({"user_id": user})
    with Terminal("call", "--sandbox", "auth_reset_saas_user_password", wanted) as terminal:
        terminal.wait_for("Go ahead?")
        terminal.wait_for("[y/N]")
        terminal.type(typed)
        assert terminal.wait() == status_
    assert ("secret://r/" in terminal.output) is (status_ == 0)


def test_a_call_is_taken_back_by_hanging_up() -> None:
    wanted, _ = _a_tenant_user()
    with Terminal("call", "--sandbox", "auth_delete_tenant_user", wanted) as terminal:
        terminal.wait_for("To go ahead, type")
        terminal.hang_up()
        terminal.wait_for("you did not confirm it")
        assert terminal.wait() == 4


def _a_tenant_user() -> tuple[str, str]:
    """Return the arguments that remove a seeded user from their tenant, and the name to type."""
    user = next(
        user
        for user in json.loads(run_command("call", "--sandbox", "auth_get_all_tenant_users").out)["users"]
        if user["email"]
    )
    return json.dumps({"tenant_id": user["tenant_id"], "user_id": user["id"]}), str(user["email"])


def test_ctrl_c_in_answer_to_a_question_cancels_the_call() -> None:
    wanted, _ = _a_tenant_user()
    with Terminal("call", "--sandbox", "auth_delete_tenant_user", wanted) as terminal:
        terminal.wait_for("To go ahead, type")
        assert terminal.interrupt_question() == 130
    found = json.loads(run_command("audit", "search", "--tool", "auth_delete_tenant_user", "--json").out)
    assert [(entry["result"], entry["refused"]) for entry in found] == [
        ("refused", "declined"),
        ("asked", "confirmation"),
    ]


def test_an_approval_is_left_pending_with_ctrl_c(state: Path) -> None:
    create_approval(state)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.wait_for("To approve, type")
        assert terminal.interrupt_question() == 130
    assert approval_status(state) == ("pending", None)
