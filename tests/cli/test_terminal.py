"""What a person does in a terminal: approving, revealing, keeping a passphrase, answering a call's question."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from saasus_mcp.cli import compose
from saasus_mcp.cli.keeping import KEY_FILE
from saasus_mcp.permissions import passphrase
from saasus_mcp.permissions.handles import Handles, Hiding
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.store import Store
from tests.cli.running import Terminal, asked, run, status
from tests.sample_questions import deletion, letter

pytest.importorskip("pty", reason="no pseudo-terminals on this system")

PASSPHRASE = "correct horse"


@pytest.fixture
def secret(state: Path) -> str:
    """The handle of a hidden secret, `hidden-pass-word`."""
    return hidden(state, "hidden-pass-word")


def hidden(state: Path, secret: str) -> str:
    """Hide a secret as an answer's would be; its handle."""
    store = Store.at(state, "saas-1")
    hiding = Hiding()
    handle = hiding.hide(secret)
    Handles(store, Sealer.at(state / KEY_FILE), time.time).keep(hiding, "local:somebody", "production")
    store.close()
    return handle


def test_a_person_approves_by_typing_the_targets_name(state: Path) -> None:
    asked(state)
    with Terminal("approve", "abcd-2345") as terminal:
        terminal.until("type “Aozora” without the quotation marks")
        terminal.types("Aozora")
        assert terminal.ends() == 0
    assert status(state) == ("approved", None)
    assert "Delete the tenant “Aozora”" in terminal.shown
    assert "Requested by local:somebody" in terminal.shown
    assert "any program that runs under your user account" in terminal.shown
    assert "can now run once, within 15 minutes" in terminal.shown


def test_approving_speaks_japanese(state: Path) -> None:
    asked(state)
    with Terminal("approve", "ABCD-2345", "--lang", "ja") as terminal:
        terminal.until("承認する場合は「Aozora」と入力してください")
        terminal.types("Aozora")
        assert terminal.ends() == 0
    assert "テナント「Aozora」を削除します\n" in terminal.shown


def test_without_a_code_the_pending_approvals_are_offered(state: Path) -> None:
    asked(state, at=time.time() - 60)
    asked(state, "BBBB-3333", name="Midori")
    with Terminal("approve") as terminal:
        terminal.until("Which one? (1-2")
        terminal.types("3")
        terminal.until("That is none of them.")
        terminal.types("1")
        terminal.until("type “Midori”")
        terminal.types("Midori")
        assert terminal.ends() == 0
    assert (status(state, "BBBB-3333"), status(state)) == (("approved", None), ("pending", None))


def test_without_a_code_the_only_pending_approval_is_shown(state: Path) -> None:
    asked(state)
    with Terminal("approve") as terminal:
        terminal.until("Delete the tenant “Aozora”")
        terminal.until("To approve, type")
        terminal.types("Aozora")
        assert terminal.ends() == 0
    assert status(state) == ("approved", None)


def test_without_a_code_and_nothing_pending_that_is_said() -> None:
    with Terminal("approve") as terminal:
        assert terminal.ends() == 0
    assert "No pending approvals." in terminal.shown


def test_the_exact_request_is_shown_on_demand_and_where_something_is_cut(state: Path) -> None:
    id_ = deletion().details[-1].value
    asked(state)
    for flags, there in (((), False), (("--details",), True)):
        with Terminal("approve", "ABCD-2345", *flags) as terminal:
            terminal.until("To approve, type")
            terminal.hangs_up()
            terminal.ends()
        assert (id_ in terminal.shown) is there
    asked(state, "BBBB-3333", preview=letter().kept())
    with Terminal("approve", "BBBB-3333") as terminal:
        terminal.until("To approve, type")
        terminal.hangs_up()
        terminal.ends()
    assert letter().details[-1].value[-60:].replace("\n", "") in "".join(
        line.strip() for line in terminal.shown.splitlines()
    )


def test_what_cannot_be_shown_cannot_be_approved(state: Path) -> None:
    asked(state, preview="{}")
    with Terminal("approve", "ABCD-2345") as terminal:
        assert terminal.ends() == 1
    assert "this version cannot show the question" in " ".join(terminal.shown.split())
    assert "To approve, type" not in terminal.shown
    assert status(state) == ("pending", None)


@pytest.mark.parametrize(
    ("env", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_what_cannot_be_undone_is_red_unless_nobody_wants_colours(
    state: Path, env: dict[str, str], coloured: bool
) -> None:
    asked(state)
    with Terminal("approve", "ABCD-2345", env=env) as terminal:
        terminal.until("To approve, type")
        terminal.hangs_up()
        terminal.ends()
    assert ("\x1b[31m\x1b[1m⚠ This cannot be undone." in terminal.shown) is coloured
    assert ("\x1b[" in terminal.shown) is coloured


def test_after_three_wrong_names_nothing_is_approved(state: Path) -> None:
    asked(state)
    with Terminal("approve", "ABCD-2345") as terminal:
        for wrong in ("aozora", "", "yes"):
            terminal.until("To approve, type")
            terminal.types(wrong)
        assert terminal.ends() == 1
    assert "Stopped after three wrong answers" in terminal.shown
    assert status(state) == ("pending", None)


def test_a_person_may_mistype_once(state: Path) -> None:
    asked(state)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.until("To approve, type")
        terminal.types("Aozorra")
        terminal.until("Nothing was approved")
        terminal.types("  Aozora ")
        assert terminal.ends() == 0
    assert status(state) == ("approved", None)


def test_approving_can_be_left_undecided(state: Path) -> None:
    asked(state)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.until("To approve, type")
        terminal.hangs_up()
        assert terminal.ends() == 1
    assert status(state) == ("pending", None)


@pytest.mark.parametrize(
    ("lang", "said", "mend"),
    [("en", "You requested this yourself", "Have someone else approve it"), ("ja", "あなた自身", "別の人に承認を")],
)
def test_where_two_people_are_wanted_whoever_asked_is_told_before_any_question(
    state: Path, lang: str, said: str, mend: str
) -> None:
    asked(state, principal=compose.local_user().id, two_person=True)
    passphrase.keep(state, PASSPHRASE)
    with Terminal("approve", "ABCD-2345", "--lang", lang) as terminal:
        assert terminal.ends() == 1
    assert said in terminal.shown
    assert mend in terminal.shown
    assert "passphrase" not in terminal.shown
    assert "without the quotation marks" not in terminal.shown
    assert status(state) == ("pending", None)


def test_where_two_people_are_wanted_the_other_one_is_told_so_and_approves(state: Path) -> None:
    asked(state, two_person=True)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.until("The policy requires approval by someone other than the requester")
        terminal.until("To approve, type")
        terminal.types("Aozora")
        assert terminal.ends() == 0
    assert status(state) == ("approved", None)


def test_a_name_with_quotation_marks_is_typed_as_it_is_or_as_it_is_shown(state: Path) -> None:
    for code, typed in (("ABCD-2345", 'Bob "the" Co'), ("ABCD-2346", "Bob 'the' Co")):
        asked(state, code, name='Bob "the" Co')
        with Terminal("approve", code) as terminal:
            terminal.until("type “Bob 'the' Co” without")
            terminal.types(typed)
            assert terminal.ends() == 0
        assert status(state, code) == ("approved", None)


def test_what_was_decided_meanwhile_cannot_be_approved(state: Path) -> None:
    asked(state)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.until("To approve, type")
        run("reject", "ABCD-2345")
        terminal.types("Aozora")
        assert terminal.ends() == 1
    assert "It is pending no more" in terminal.shown


def test_an_unknown_code_cannot_be_approved() -> None:
    with Terminal("approve", "ZZZZ-2222") as terminal:
        assert terminal.ends() == 1
    assert "There is no pending approval with the code 'ZZZZ-2222'" in terminal.shown


def test_the_passphrase_is_asked_before_the_name_and_never_shown(state: Path) -> None:
    asked(state)
    passphrase.keep(state, PASSPHRASE)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.until("Approver passphrase")
        terminal.types("a wrong one")
        terminal.until("Wrong passphrase")
        terminal.until("Approver passphrase")
        terminal.types(PASSPHRASE)
        terminal.until("To approve, type")
        terminal.types("Aozora")
        assert terminal.ends() == 0
    assert PASSPHRASE not in terminal.shown
    assert status(state) == ("approved", None)


def test_without_the_passphrase_nothing_is_approved(state: Path) -> None:
    asked(state)
    passphrase.keep(state, PASSPHRASE)
    with Terminal("approve", "ABCD-2345") as terminal:
        for _ in range(3):
            terminal.until("Approver passphrase")
            terminal.types("Aozora")
        assert terminal.ends() == 1
    assert status(state) == ("pending", None)


def test_a_secret_is_revealed_once_whatever_its_profile(secret: str) -> None:
    with Terminal("reveal", secret) as terminal:
        assert terminal.ends() == 0
    assert "\nhidden-pass-word\n" in terminal.shown
    assert "cannot be revealed again" in terminal.shown
    with Terminal("reveal", secret) as terminal:
        assert terminal.ends() == 1
    assert "hidden-pass-word" not in terminal.shown
    assert "was revealed before" in terminal.shown


def test_a_secret_cannot_command_the_terminal(state: Path) -> None:
    with Terminal("reveal", hidden(state, "pass\x1b[2Jword")) as terminal:
        assert terminal.ends() == 0
    assert "\x1b[2J" not in terminal.shown
    assert '"pass\\u001b[2Jword"' in terminal.shown


def test_revealing_asks_the_passphrase_and_keeps_the_secret_without_it(state: Path, secret: str) -> None:
    passphrase.keep(state, PASSPHRASE)
    with Terminal("reveal", secret) as terminal:
        for _ in range(3):
            terminal.until("Approver passphrase")
            terminal.types("a wrong one")
        assert terminal.ends() == 1
    with Terminal("reveal", secret) as terminal:
        terminal.until("Approver passphrase")
        terminal.types(PASSPHRASE)
        terminal.until("hidden-pass-word")
        assert terminal.ends() == 0


def test_a_passphrase_is_set_changed_with_the_old_one_and_cleared_with_the_new(state: Path) -> None:
    with Terminal("approver", "set") as terminal:
        _answers(terminal, ("New passphrase", PASSPHRASE), ("Repeat the new passphrase", PASSPHRASE))
        assert terminal.ends() == 0
    assert passphrase.verify(state, PASSPHRASE)
    with Terminal("approver", "set", "--lang", "ja") as terminal:
        _answers(
            terminal,
            ("現在のパスフレーズ", PASSPHRASE),
            ("新しい", "合言葉は青い空の下"),
            ("もう一度", "合言葉は青い空の下"),
        )
        assert terminal.ends() == 0
    assert passphrase.verify(state, "合言葉は青い空の下")
    with Terminal("approver", "clear") as terminal:
        _answers(terminal, ("Current passphrase", "合言葉は青い空の下"))
        assert terminal.ends() == 0
    assert not passphrase.is_set(state)


def test_the_passphrase_stays_as_it_is_without_the_old_one(state: Path) -> None:
    passphrase.keep(state, PASSPHRASE)
    for command in ("set", "clear"):
        with Terminal("approver", command) as terminal:
            _answers(terminal, *[("Current passphrase", "a wrong one")] * 3)
            assert terminal.ends() == 1
    assert passphrase.verify(state, PASSPHRASE)


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
        _answers(terminal, *answers)
        terminal.until(said)
        assert terminal.ends() == 1
    assert not passphrase.is_set(state)


def test_there_may_be_no_passphrase_to_clear() -> None:
    with Terminal("approver", "clear") as terminal:
        assert terminal.ends() == 0
    assert "No passphrase is set" in terminal.shown


def test_a_call_asks_the_person_at_the_terminal_to_type_the_name() -> None:
    wanted, email = _a_tenant_user()
    with Terminal("call", "--sandbox", "auth_delete_tenant_user", wanted) as terminal:
        terminal.until(f"type “{email}” without the quotation marks")
        terminal.types(email)
        terminal.until('{"applied":true}')
        assert terminal.ends() == 0


@pytest.mark.parametrize(
    ("typed", "said"), [("somebody@example.com", "does not match the target's name"), ("", "chose to decline")]
)
def test_a_call_is_refused_where_the_person_does_not_agree(typed: str, said: str) -> None:
    wanted, _ = _a_tenant_user()
    with Terminal("call", "--sandbox", "auth_delete_tenant_user", wanted) as terminal:
        terminal.until("To go ahead, type")
        terminal.types(typed)
        terminal.until(said)
        assert terminal.ends() == 1


@pytest.mark.parametrize(("typed", "status_"), [("y", 0), ("はい", 0), ("", 1)])
def test_a_call_asks_for_a_plain_yes(typed: str, status_: int) -> None:
    user = json.loads(run("call", "--sandbox", "auth_get_saas_users").out)["users"][0]["id"]
    wanted = json.dumps({"user_id": user})
    with Terminal("call", "--sandbox", "auth_reset_saas_user_password", wanted) as terminal:
        terminal.until("Go ahead?")
        terminal.until("[y/N]")
        terminal.types(typed)
        assert terminal.ends() == status_
    assert ("secret://r/" in terminal.shown) is (status_ == 0)


def test_a_call_is_taken_back_by_hanging_up() -> None:
    wanted, _ = _a_tenant_user()
    with Terminal("call", "--sandbox", "auth_delete_tenant_user", wanted) as terminal:
        terminal.until("To go ahead, type")
        terminal.hangs_up()
        terminal.until("chose to cancel")
        assert terminal.ends() == 1


def _answers(terminal: Terminal, *pairs: tuple[str, str]) -> None:
    for asked_for, typed in pairs:
        terminal.until(asked_for)
        terminal.types(typed)


def _a_tenant_user() -> tuple[str, str]:
    """The arguments that take a seeded user out of their tenant, and the user's name to type."""
    user = next(
        user for user in json.loads(run("call", "--sandbox", "auth_get_all_tenant_users").out)["users"] if user["email"]
    )
    return json.dumps({"tenant_id": user["tenant_id"], "user_id": user["id"]}), str(user["email"])
