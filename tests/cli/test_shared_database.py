"""Every command that opens stores works on a shared database from a computer without local state."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from saasus_mcp.cli.approvals import list_command
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretCollector, SecretVault
from saasus_mcp.store.records import Commitment, UndoEntry
from saasus_mcp.store.store import Store
from tests.support.approvals import pending_approval
from tests.support.commands import Terminal, run_command
from tests.support.databases import POSTGRESQL, open_stores
from tests.support.replicas import KEYS

pytestmark = [pytest.mark.parametrize("where", [POSTGRESQL], indirect=True), pytest.mark.usefixtures("asked")]
SEALER = Encryptor(bytes(32))


@pytest.fixture
def asked(where: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Create the store of a SaaS with a pending approval and one change, which the commands find."""
    monkeypatch.setenv("SAASUS_MCP_DATABASE_URL", where)
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", KEYS[0])
    now = time.time()
    with closing(open_stores(where, SEALER.derive_keys("audit"))) as kept, closing(kept.open_saas("saas-1")) as store:
        store.request_approval(pending_approval(bound="d" * 64, requested_at=now, expires_at=now + 900), 5)
        entry = UndoEntry(
            "c" * 32, now, "auth.UpdateRole", "local:me", "default", {"role_name": "a"}, {"display_name": "b"}
        )
        store.commit("c" * 32, {"operation": "auth.UpdateRole"}, now, commitment=Commitment(undo_entry=entry))
        yield store


def status(store: Store) -> str:
    return store.list_approvals(time.time())[0].status


def test_approvals_are_listed_and_rejected(asked: Store) -> None:
    assert [found["code"] for found in json.loads(run_command("approvals", "--json").out)] == ["ABCD-2345"]
    assert run_command("reject", "ABCD-2345", "--reason", "no").status == 0
    assert status(asked) == "rejected"


def test_a_person_approves_at_a_terminal(asked: Store) -> None:
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.wait_for("Harbor Lights Inc.")
        terminal.type("Harbor Lights Inc.")
        assert terminal.wait() == 0
    assert status(asked) == "approved"


def test_approvals_are_watched(asked: Store, where: str) -> None:
    seen: list[str] = []

    def pause() -> None:
        if len(seen) > 1:
            raise KeyboardInterrupt
        asked.decide_approval("ABCD-2345", "rejected", by="local:x", at=time.time(), expires_at=time.time() + 600)

    with closing(open_stores(where)) as kept, suppress(KeyboardInterrupt):
        for news in list_command.watch_approvals(kept, pause):
            seen.append(news.kind)  # noqa: PERF401 - kept also where it is interrupted
    assert seen == ["pending", "rejected"]


def test_the_audit_is_searched_verified_and_exported() -> None:
    assert "auth_update_role" in run_command("audit", "search").out
    assert "Records verified: 1. No tampering found." in run_command("audit", "verify").out
    assert [head["number"] for head in json.loads(run_command("audit", "heads").out)] == [1]
    assert len(run_command("audit", "export").out.splitlines()) == 1


def test_changed_settings_are_listed() -> None:
    assert [entry["call"] for entry in json.loads(run_command("undo", "--json").out)] == ["c" * 32]


def test_a_freeze_is_made_and_lifted(asked: Store) -> None:
    assert "every server that shares the database" in run_command("freeze", "--reason", "an incident").out
    assert asked.active_freeze() is not None
    with Terminal("unfreeze") as terminal:
        assert terminal.wait() == 0, terminal.output
    assert asked.active_freeze() is None


def test_a_secret_is_revealed_once(asked: Store) -> None:
    hiding = SecretCollector()
    handle = hiding.add("s3cret-of-the-answer")
    SecretVault(asked, SEALER, time.time).store_secrets(hiding, "local:somebody", "production")
    with Terminal("reveal", handle) as terminal:
        terminal.wait_for("s3cret-of-the-answer")
        assert terminal.wait() == 0
    with Terminal("reveal", handle) as terminal:
        assert terminal.wait() == 1


def test_tokens_are_made_listed_and_ended() -> None:
    with Terminal("token", "new", "hanako", "--group", "support") as terminal:
        terminal.wait_for("smcp_")
        assert terminal.wait() == 0
    assert [token["name"] for token in json.loads(run_command("token", "list", "--json").out)] == ["hanako"]
    with Terminal("token", "revoke", "hanako") as terminal:
        assert terminal.wait() == 0
    assert not json.loads(run_command("token", "list", "--json").out)[0]["live"]


def test_a_policy_is_tried_on_the_audit_and_the_doctor_looks() -> None:
    assert run_command("policy", "replay", "--json").status == 0
    assert str(message("cli_doctor.approvals_some", count=1)) in run_command("doctor", "--sandbox").out


def test_nothing_is_kept_in_the_state_folder(tmp_path: Path) -> None:
    run_command("freeze")
    run_command("audit", "verify")
    assert not (tmp_path / "state").exists()
