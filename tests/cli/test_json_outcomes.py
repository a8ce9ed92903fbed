"""With `--json`, standard output has the outcome of a command and nothing else. A person still answers, on the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Terminal, approval_status, create_approval, run_command

pytest.importorskip("pty", reason="no pseudo-terminals on this system")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "outcome.json"


def outcome(file: Path, *args: str) -> Any:
    """Run a command that asks nothing, with its output in a file."""
    with Terminal(*args, "--json", redirected=file) as terminal:
        assert terminal.wait() == 0, terminal.output
    return json.loads(file.read_text(encoding="utf-8"))


def test_a_person_approves_at_the_terminal_and_a_program_reads_the_outcome(state: Path, file: Path) -> None:
    create_approval(state)
    with Terminal("approve", "--json", redirected=file) as terminal:
        terminal.wait_for("type “Aozora”")
        terminal.type("Aozora")
        assert terminal.wait() == 0
    decided = json.loads(file.read_text(encoding="utf-8"))
    assert (decided["code"], decided["status"]) == ("ABCD-2345", "approved")
    assert approval_status(state) == ("approved", None)


def test_an_approval_is_not_given_where_the_question_cannot_be_seen(state: Path) -> None:
    create_approval(state)
    result = run_command("approve", "ABCD-2345", "--json")
    assert (result.status, result.out) == (1, "")
    assert approval_status(state) == ("pending", None)


def test_nothing_to_approve_is_null(file: Path) -> None:
    assert outcome(file, "approve") is None


def test_a_rejection_tells_its_reason(state: Path) -> None:
    create_approval(state)
    decided = json.loads(run_command("reject", "abcd2345", "--reason", "not today", "--json").out)
    assert (decided["status"], decided["reason"]) == ("rejected", "not today")


def test_a_token_is_read_by_a_program_and_revoked(file: Path) -> None:
    made = outcome(file, "token", "new", "hanako", "--group", "support")
    assert made["token"].startswith("smcp_")
    assert (made["name"], made["groups"], made["live"]) == ("hanako", ["support"], True)
    assert outcome(file, "token", "revoke", "hanako") == {"name": "hanako", "revoked": True}
    assert outcome(file, "token", "sign-out", "token:hanako") == {"principal": "token:hanako", "sessions": 0}


def test_a_freeze_and_its_end_tell_what_stays_frozen(file: Path) -> None:
    frozen = json.loads(run_command("freeze", "--reason", "an incident", "--json").out)
    assert (frozen["frozen"], frozen["reason"]) == (True, "an incident")
    run_command("freeze", "--profile", "sandbox")
    lifted = outcome(file, "unfreeze")
    assert (lifted["frozen"], lifted["was_frozen"]) == (False, True)
    assert outcome(file, "unfreeze")["was_frozen"] is False
    assert [each["profile"] for each in lifted["still_frozen"]] == ["sandbox"]


def test_a_passphrase_is_set_on_the_terminal_alone(file: Path) -> None:
    with Terminal("approver", "set", "--json", redirected=file) as terminal:
        for asked in ("New passphrase", "Repeat the new passphrase"):
            terminal.wait_for(asked)
            terminal.type("correct horse")
        assert terminal.wait() == 0, terminal.output
    assert json.loads(file.read_text(encoding="utf-8")) == {"passphrase": True}


def test_a_failed_call_is_json_with_the_reason() -> None:
    result = run_command("call", "--sandbox", "auth_get_tenant", '{"tenant_id": "no-such-tenant"}', "--json")
    failed = json.loads(result.out)
    assert (failed["ok"], failed["outcome"], failed["status"]) == (False, "not_applied", 404)
    assert result.status == 1


def test_wrong_arguments_of_a_job_are_json_too() -> None:
    result = run_command("job", "export_users", '{"colour": 1}', "--sandbox", "--json")
    failed = json.loads(result.out)
    assert (result.status, failed["ok"], failed["outcome"]) == (1, False, "not_applied")
    assert "colour" in failed["text"]


def test_a_call_that_waits_for_an_approval_says_so_in_json() -> None:
    tenants = json.loads(run_command("call", "--sandbox", "auth_get_tenants").out)["tenants"]
    given = json.dumps({"tenant_id": tenants[0]["id"]})
    result = run_command("call", "--sandbox", "auth_delete_tenant", given, "--json")
    failed = json.loads(result.out)
    assert (result.status, failed["reason"], failed["outcome"]) == (4, "approval", "not_applied")
    [pending] = json.loads(run_command("approvals", "--json").out)
    assert pending["code"] in failed["text"]


def test_a_purge_counts_what_it_removed(file: Path) -> None:
    run_command("call", "--sandbox", "auth_get_roles")
    assert outcome(file, "audit", "purge") == {"audit_records": 0, "undo_entries": 0}
