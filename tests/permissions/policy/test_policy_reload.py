"""A policy file read again while it is in force."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy.errors import PolicyError
from saasus_mcp.permissions.policy.file import ReloadablePolicy, ReloadResult
from saasus_mcp.permissions.policy.model import PolicyInput
from saasus_mcp.permissions.policy.reload import ReloadListener, request_reload
from tests.support.faulty_policies import VALID_POLICY
from tests.support.policies import PRINCIPAL


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desk.yaml"


def test_a_sound_file_is_taken_and_a_faulty_one_leaves_the_old_in_force(file: Path, catalogue: Catalogue) -> None:
    operation = catalogue.find("auth_delete_tenant")
    case = PolicyInput(operation, {}, PRINCIPAL, "default")
    file.write_text(VALID_POLICY)
    policy = ReloadablePolicy(file, catalogue)
    assert policy.decide(case).outcome == "deny"
    file.write_text(
        VALID_POLICY.replace("deny", "confirm") + "    when: impact.users > 3\nname: second\ntwo_person: true\n"
    )
    assert policy.reload() == ReloadResult(accepted=True, message=message("policy.in_force", name="second").both())
    assert (policy.generation, policy.name, policy.two_person, policy.ceilings) == (1, "second", True, {})
    assert policy.required_state(operation, PRINCIPAL, "default") == {"impact"}
    file.write_text("version: 1\nrulez: []\n")
    kept = policy.reload()
    assert not kept.accepted
    assert "'second' stays in force" in kept.message.en
    assert f"{file}: line 2: unknown key 'rulez'" in kept.message.en
    file.unlink()
    assert "cannot be read" in policy.reload().message.en
    assert (policy.generation, policy.decide(case).outcome) == (1, "deny")
    assert policy.could_allow(operation, PRINCIPAL)
    assert policy.explain(case)[0].error


def test_a_reload_to_everything_is_loud(file: Path) -> None:
    file.write_text(VALID_POLICY)
    policy = ReloadablePolicy(file)
    file.write_text("version: 1\nunsafe-allow-everything: true\n")
    assert "UNSAFE" in policy.reload().message.en
    assert "UNSAFE" in policy.announcement


def test_a_faulty_file_does_not_begin(file: Path) -> None:
    file.write_text("version: 1\n")
    with pytest.raises(PolicyError):
        ReloadablePolicy(file)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_hangup_reads_the_file_again(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = signal.getsignal(signal.SIGHUP)
    file.write_text(VALID_POLICY)
    policy, heard = ReloadablePolicy(file), list[ReloadResult]()
    try:
        assert policy_file.reload_on_sighup(policy, heard.append)
        file.write_text(VALID_POLICY + "name: second\n")
        os.kill(os.getpid(), signal.SIGHUP)
        assert [ended.accepted for ended in heard] == [True]
        assert policy_file.reload_on_sighup(policy)
        file.write_text("")
        os.kill(os.getpid(), signal.SIGHUP)
        assert "stays in force" in caplog.text
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_is_closed_reloads_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(VALID_POLICY)
    monkeypatch.setattr(policy_file, "in_terminal", lambda: True)
    assert not policy_file.reload_on_sighup(ReloadablePolicy(file))


def test_where_there_is_no_hangup_nothing_is_listened_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(VALID_POLICY)
    monkeypatch.delattr(signal, "SIGHUP", raising=False)
    assert not policy_file.reload_on_sighup(ReloadablePolicy(file))


def test_that_groups_are_closed_is_said_at_the_start_and_at_each_reload(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(VALID_POLICY + "groups: {owners: [local:alice]}\n", encoding="utf-8")
    with caplog.at_level(logging.INFO):
        policy = ReloadablePolicy(file)
    assert "Membership of these groups is set by the policy file alone: owners." in caplog.text
    assert "policy file alone: owners." in policy.reload().message.en


def test_a_running_server_reloads_on_request_and_reports_it(file: Path, tmp_path: Path, catalogue: Catalogue) -> None:
    file.write_text(VALID_POLICY)
    policy, said = ReloadablePolicy(file, catalogue), list[ReloadResult]()
    listener = ReloadListener(tmp_path, policy, said.append)
    listener.poll()
    assert said == [], "nobody asked"
    file.write_text(f"{VALID_POLICY}\nname: second\n")
    replies = request_reload(tmp_path, file, listener.poll)
    assert (len(replies.replied), replies.silent) == (1, ())
    assert (policy.name, [each.accepted for each in said]) == ("second", [True])
