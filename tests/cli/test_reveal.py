"""A secret is revealed to a person at a terminal, once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from saasus_mcp.cli.state import KEY_FILE
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretCollector, SecretVault
from tests.support.commands import Terminal
from tests.support.saas_store import open_saas_store

pytest.importorskip("pty", reason="no pseudo-terminals on this system")

PASSPHRASE = "correct horse"


@pytest.fixture
def secret(state: Path) -> str:
    """Store the secret `hidden-pass-word` and return its handle."""
    return hidden(state, "hidden-pass-word")


def hidden(state: Path, secret: str) -> str:
    """Hide a secret as an answer's would be; its handle."""
    store = open_saas_store(state, "saas-1")
    hiding = SecretCollector()
    handle = hiding.add(secret)
    SecretVault(store, Encryptor.from_file(state / KEY_FILE), time.time).store_secrets(
        hiding, "local:somebody", "production"
    )
    store.close()
    return handle


def test_a_secret_is_revealed_once_whatever_its_profile(secret: str) -> None:
    with Terminal("reveal", secret) as terminal:
        assert terminal.wait() == 0
    assert "\nhidden-pass-word\n" in terminal.output
    assert "cannot be revealed again" in terminal.output
    with Terminal("reveal", secret) as terminal:
        assert terminal.wait() == 1
    assert "hidden-pass-word" not in terminal.output
    assert "was revealed before" in terminal.output


def test_a_secret_cannot_command_the_terminal(state: Path) -> None:
    with Terminal("reveal", hidden(state, "pass\x1b[2Jword")) as terminal:
        assert terminal.wait() == 0
    assert "\x1b[2J" not in terminal.output
    assert '"pass\\u001b[2Jword"' in terminal.output


def test_revealing_asks_the_passphrase_and_keeps_the_secret_without_it(state: Path, secret: str) -> None:
    passphrase.save_passphrase(state, PASSPHRASE)
    with Terminal("reveal", secret) as terminal:
        for _ in range(3):
            terminal.wait_for("Approver passphrase")
            terminal.type("a wrong one")
        assert terminal.wait() == 1
    with Terminal("reveal", secret) as terminal:
        terminal.wait_for("Approver passphrase")
        terminal.type(PASSPHRASE)
        terminal.wait_for("hidden-pass-word")
        assert terminal.wait() == 0
