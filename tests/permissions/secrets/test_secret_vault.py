"""Handles: what stands for a secret opens it once for a person, and on the wire for who it was given to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import HANDLE_PREFIX, SECRET_LIFETIME, SecretCollector, SecretVault
from saasus_mcp.saasus.arguments import Arguments
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.store import Store

NOW = 1_790_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def handles(store: Store, clock: Clock) -> SecretVault:
    return SecretVault(store, Encryptor.ephemeral(), clock)


def given(handles: SecretVault, *secrets: str, principal: str = "local:me", profile: str = "default") -> list[str]:
    hiding = SecretCollector()
    shown = [hiding.add(secret) for secret in secrets]
    handles.store_secrets(hiding, principal, profile)
    return shown


def test_a_handle_tells_nothing_and_each_is_another(handles: SecretVault) -> None:
    shown = given(handles, *["hush-hush"] * 50)
    assert len(set(shown)) == 50
    for handle in shown:
        assert handle.startswith(HANDLE_PREFIX)
        assert "hush" not in handle
        assert len(handle.removeprefix(HANDLE_PREFIX)) == 24


def test_a_person_reveals_it_once(handles: SecretVault) -> None:
    [handle] = given(handles, "hush-hush 株式会社")
    assert handles.reveal(f" {handle}\n".strip(), by="local:me", via="terminal") == "hush-hush 株式会社"
    with pytest.raises(CallRefused, match="already used"):
        handles.reveal(handle, by="local:me", via="terminal")


def test_of_two_people_who_reveal_it_at_once_one_sees_it(
    handles: SecretVault, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    [handle] = given(handles, "hush-hush")
    take = store.take_secrets

    def a_moment_late(told: Mapping[str, Mapping[str, Any]], now: float) -> list[str]:
        assert take(told, now), "the other one, who was faster"
        return take(told, now)

    monkeypatch.setattr(store, "take_secrets", a_moment_late)
    with pytest.raises(CallRefused, match="moments ago"):
        handles.reveal(handle, by="local:me", via="terminal")


def test_a_secret_is_not_shown_where_that_cannot_be_recorded(
    handles: SecretVault, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = given(handles, "hush-1", "hush-2")

    def full(*_: object, **__: object) -> None:
        raise StoreError.of("store.unusable", reason="The disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(store.audit_log, "append", full)
        with pytest.raises(StoreError):
            handles.reveal(shown[0], by="local:me", via="terminal")
        with pytest.raises(StoreError):
            handles.reveal_all(shown, by="local:me", via="terminal")
    assert handles.reveal_all([*shown, shown[0]], by="local:me", via="terminal") == dict(
        zip(shown, ["hush-1", "hush-2"], strict=True)
    )
    assert [record["handle"] for record in store.audit_log.list_records()] == [
        handle.removeprefix(HANDLE_PREFIX) for handle in shown
    ]
    assert handles.reveal_all(shown, by="local:me", via="terminal") == {}


def test_a_person_may_give_the_id_alone(handles: SecretVault) -> None:
    [handle] = given(handles, "hush-hush")
    assert handles.reveal(handle.removeprefix(HANDLE_PREFIX), by="local:me", via="terminal") == "hush-hush"


@pytest.mark.parametrize("seconds", [SECRET_LIFETIME, SECRET_LIFETIME * 100])
def test_it_ends(handles: SecretVault, clock: Clock, seconds: int) -> None:
    [handle] = given(handles, "hush-hush")
    clock.now = NOW + seconds
    with pytest.raises(CallRefused):
        handles.reveal(handle, by="local:me", via="terminal")
    with pytest.raises(CallRefused):
        handles.resolve(Arguments({"password": handle}), "local:me", "default")


def test_it_is_resolved_wherever_it_stands_and_as_often_as_needed(handles: SecretVault) -> None:
    one, two = given(handles, "hush-1", "hush-2")
    arguments = Arguments({"a": one, "b": {"c": [two, "plain", one]}, "n": 1})
    for _ in range(2):
        resolved = handles.resolve(arguments, "local:me", "default")
        assert resolved == {"a": "hush-1", "b": {"c": ["hush-2", "plain", "hush-1"]}, "n": 1}
    assert arguments["a"] == one, "what was bound and audited stays as it was"


def test_arguments_without_handles_are_the_very_same(handles: SecretVault) -> None:
    arguments = Arguments({"a": "plain", "b": ["https://secret.example", "a secret://r/x inside"]})
    assert handles.resolve(arguments, "local:me", "default") is arguments


@pytest.mark.parametrize(("principal", "profile"), [("local:you", "default"), ("local:me", "production"), ("", "")])
def test_it_opens_for_nobody_else(handles: SecretVault, principal: str, profile: str) -> None:
    [handle] = given(handles, "hush-hush")
    with pytest.raises(CallRefused) as caught:
        handles.resolve(Arguments({"password": handle}), principal, profile)
    assert "hush" not in str(caught.value)
    assert handles.resolve(Arguments({"password": handle}), "local:me", "default") == {"password": "hush-hush"}


@pytest.mark.parametrize("handle", ["secret://", "secret://r/", "secret://r/unknown", "secret://name", "secret://r/%"])
def test_a_handle_that_was_never_given_opens_nothing(handles: SecretVault, handle: str) -> None:
    given(handles, "hush-hush")
    with pytest.raises(CallRefused):
        handles.resolve(Arguments({"password": handle}), "local:me", "default")
    with pytest.raises(CallRefused):
        handles.reveal(handle, by="local:me", via="terminal")


def test_one_secret_cannot_be_passed_off_as_another(store: Store, clock: Clock) -> None:
    sealer = Encryptor.ephemeral()
    handles = SecretVault(store, sealer, clock)
    one, two = given(handles, "hush-1", "hush-2")
    ids = [handle.removeprefix(HANDLE_PREFIX) for handle in (one, two)]
    [first, second] = [store.get_secret(identifier, NOW) for identifier in ids]
    assert first is not None
    assert second is not None
    store.take_secrets({identifier: {} for identifier in ids}, NOW)
    store.add_secrets([replace(first, sealed=second.sealed)], NOW)
    with pytest.raises(CallRefused):
        handles.reveal(one, by="local:me", via="terminal")


def test_another_key_opens_nothing(store: Store, clock: Clock) -> None:
    [handle] = given(SecretVault(store, Encryptor.ephemeral(), clock), "hush-hush")
    with pytest.raises(CallRefused):
        SecretVault(store, Encryptor.ephemeral(), clock).reveal(handle, by="local:me", via="terminal")


def test_nothing_hidden_keeps_nothing(handles: SecretVault, store: Store) -> None:
    store.close()
    handles.store_secrets(SecretCollector(), "local:me", "default")
