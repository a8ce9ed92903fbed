"""What all workers of a server have: the configuration and the policy that were accepted, whatever the files say later."""

from __future__ import annotations

import os
import pickle
import tempfile
from functools import partial
from pathlib import Path

import pytest

from saasus_mcp.cli.policy_in_force import resolve_policy
from saasus_mcp.cli.serve import workers
from saasus_mcp.cli.serve.worker_files import Accepted, WorkerFiles
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.policy.file import ReloadablePolicy
from saasus_mcp.permissions.policy.presets import unwrap_policy
from saasus_mcp.settings.config import load_http_settings
from saasus_mcp.settings.environment import Settings, read_settings
from saasus_mcp.settings.profiles import load_profiles
from saasus_mcp.settings.validation import SettingsError

PUBLIC = """version = 1
[http]
host = "0.0.0.0"
public_url = "https://mcp.example.com"
[auth]
tokens = true
"""
PRIVATE = """version = 1
[http]
host = "127.0.0.1"
[auth]
tokens = true
"""
READS = "version: 1\nrules:\n  - name: look\n    levels: [read]\n    then: allow\n"
WRITES = READS.replace("[read]", "[read, write]")
PROFILE = """
[profiles.{name}]
saas_id = "saas"
api_key = {{ env = "SAASUS_API_KEY" }}
secret_key = {{ env = "SAASUS_SECRET_KEY" }}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAASUS_MCP_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SAASUS_API_KEY", "key-of-the-test")
    monkeypatch.setenv("SAASUS_SECRET_KEY", "secret-of-the-test")
    write(tmp_path, PRIVATE + PROFILE.format(name="one"), READS)
    return tmp_path


def write(folder: Path, config: str, policy: str) -> None:
    (folder / "config.toml").write_text(config, encoding="utf-8")
    (folder / "policy.yaml").write_text(policy, encoding="utf-8")


def open_files(folder: Path) -> WorkerFiles:
    settings = read_settings(policy=folder / "policy.yaml")
    return WorkerFiles(settings, load_http_settings(settings))


def note(replaced: list[Accepted], new: Accepted) -> bool:
    """Replace all workers."""
    replaced.append(new)
    return True


def policy_of(settings: Settings) -> ReloadablePolicy:
    policy = unwrap_policy(resolve_policy(settings))
    assert isinstance(policy, ReloadablePolicy)
    return policy


@pytest.mark.parametrize(
    ("started", "edited", "field"),
    [
        (PUBLIC, 'version = 1\n[http]\nhost = "127.0.0.1"\n', "host"),
        (PUBLIC, PUBLIC.replace("[http]", "[http]\nport = 9000"), "port"),
        (PUBLIC, PUBLIC.replace("mcp.example.com", "other.example.com"), "public_url"),
        (PRIVATE, PRIVATE.replace("true", "false"), "authenticated"),
        (PUBLIC, PUBLIC.replace("[http]", "[http]\nworkers = 3"), "workers"),
    ],
)
def test_settings_under_which_the_port_was_bound_change_with_a_restart_only(
    folder: Path, started: str, edited: str, field: str
) -> None:
    write(folder, started, READS)
    files, settings = open_files(folder), read_settings()
    before = files.accepted
    write(folder, edited, READS)
    files.reload_all()
    assert f"`{field}` was changed" in files.last_result.message.en
    assert files.accepted is before
    with pytest.raises(SettingsError, match=f"`{field}` was changed"):
        WorkerFiles(settings, load_http_settings(before.settings))


def test_a_worker_that_starts_later_has_what_was_accepted_and_not_what_the_files_say(folder: Path) -> None:
    files = open_files(folder)
    write(folder, "half of a conf", WRITES)
    settings = pickle.loads(pickle.dumps(files.accepted.settings))  # noqa: S301 - as a worker process gets it
    assert list(load_profiles(settings)) == ["one"]
    policy = policy_of(settings)
    assert (policy.content, policy.is_current()) == (READS.encode(), False)


def test_files_with_a_fault_leave_the_workers_as_they_are(folder: Path) -> None:
    files, replaced = open_files(folder), list[Accepted]()
    files.replace_workers = partial(note, replaced)
    before = files.accepted
    for config, policy in ((PRIVATE, "version: 1\nrul"), ("version = ", READS)):
        write(folder, config, policy)
        files.reload_all()
        assert not files.last_result.accepted
    assert (replaced, files.accepted) == ([], before)


def test_all_workers_are_replaced_with_the_contents_that_were_accepted(folder: Path) -> None:
    files, replaced = open_files(folder), list[Accepted]()
    files.replace_workers = partial(note, replaced)
    write(folder, PRIVATE + PROFILE.format(name="two"), WRITES)
    files.reload_all()
    assert replaced == [files.accepted]
    assert list(load_profiles(files.accepted.settings)) == ["two"]
    assert policy_of(files.accepted.settings).content == WRITES.encode()


def test_a_reload_of_the_policy_warns_of_profiles_that_do_not_exist(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = open_files(folder)
    write(folder, PRIVATE + PROFILE.format(name="one"), READS.replace("then:", "profile: prodution\n    then:"))
    assert files.reload().accepted
    assert "prodution" in caplog.text


def test_a_reload_of_the_policy_does_not_take_the_configuration_that_is_being_edited(folder: Path) -> None:
    files, given = open_files(folder), list[Accepted]()
    files.give_policy = given.append
    write(folder, "half of a conf", WRITES)
    assert files.reload().accepted
    assert list(load_profiles(files.accepted.settings)) == ["one"]
    assert policy_of(files.accepted.settings).content == WRITES.encode()
    assert given == [files.accepted]


def test_contents_with_which_no_worker_starts_are_not_accepted(folder: Path) -> None:
    files = open_files(folder)
    files.replace_workers = lambda _: False
    before = files.accepted
    write(folder, PRIVATE, WRITES)
    files.reload_all()
    assert not files.last_result.accepted
    assert files.accepted is before


def test_a_server_with_a_faulty_policy_does_not_start(folder: Path) -> None:
    write(folder, PRIVATE, "version: 1\nrules: 5\n")
    with pytest.raises(SaasusMcpError):
        open_files(folder)


def test_the_folders_of_killed_servers_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed, new, foreign = (tmp_path / name for name in ("saasus-mcp-metrics-a", "saasus-mcp-metrics-b", "other-c"))
    for folder in (killed, new, foreign):
        folder.mkdir()
        (folder / "counter_1.db").touch()
    with workers.own_folder() as running:
        for folder in (killed, foreign, running):
            os.utime(folder, (0, 0))
        with workers.own_folder():
            assert not killed.exists()
            assert new.exists(), "its owner may be about to lock it"
            assert foreign.exists()
            assert running.exists()
    assert not running.exists()
