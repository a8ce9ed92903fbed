"""`notify`: a channel is proven, listed without its secrets, and silenced by a person alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from saasus_mcp.store.folder_stores import FolderStores
from saasus_mcp.store.notice_records import Mute
from tests.support.commands import Terminal, run_command
from tests.support.notices import HttpReceiver, http_receiver
from tests.support.saas_store import open_saas_store

CONFIG = """
version = 1
[notices.slack.ops]
url = { env = "NOTICES_HOOK" }
topics = ["approval"]
profiles = ["production"]
groups = ["support"]
[notices.teams.office]
url = { env = "NOTICES_HOOK" }
"""


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpReceiver]:
    with http_receiver() as each:
        monkeypatch.setenv("NOTICES_HOOK", each.url)
        (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
        yield each


def mutes(tmp_path: Path) -> list[Mute]:
    stores = FolderStores(tmp_path / "state", lambda: (b"k" * 32,))
    with closing(stores.open_decisions()) as store:
        return store.notices.active_mutes(time.time())


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_test_proves_every_channel(receiver: HttpReceiver, language: str) -> None:
    result = run_command("notify", "test", "--lang", language)
    assert result.status == 0, result.out + result.err
    assert len(receiver.requests) == 2
    assert "ops" in result.out
    assert "office" in result.out
    assert b"saasus-mcp" in receiver.requests[0][2]


def test_a_channel_that_fails_is_named_with_the_cause_and_without_its_address(receiver: HttpReceiver) -> None:
    receiver.answers.append((404, {}, b"no_service"))
    result = run_command("notify", "test", "ops", "--lang", "en")
    assert result.status == 1
    assert "HTTP 404" in result.out
    assert "/T/B/key" not in result.out + result.err
    assert len(receiver.requests) == 1, "only the named channel"


def test_the_list_shows_what_each_channel_gets_and_no_address(receiver: HttpReceiver) -> None:
    shown = run_command("notify", "list", "--lang", "en")
    assert shown.status == 0
    assert "ops  slack" in shown.out
    assert "support" in shown.out
    as_json = run_command("notify", "list", "--json")
    assert [each["name"] for each in json.loads(as_json.out)] == ["ops", "office"]
    assert receiver.url not in shown.out + as_json.out
    assert "/T/B/key" not in shown.out + as_json.out


@pytest.mark.usefixtures("receiver")
def test_an_unknown_channel_is_an_error_that_names_the_nearest() -> None:
    result = run_command("notify", "test", "opps", "--lang", "en")
    assert result.status == 1
    assert "ops" in result.err


def test_without_channels_the_way_to_add_one_is_named() -> None:
    assert "docs/notices" in run_command("notify", "list", "--lang", "en").out
    assert run_command("notify", "test", "--lang", "en").status == 1


@pytest.mark.usefixtures("receiver")
def test_only_a_person_at_a_terminal_silences_a_channel(tmp_path: Path) -> None:
    refused = run_command("notify", "mute", "ops", "--until", "2h", "--lang", "en")
    assert refused.status == 1
    assert mutes(tmp_path) == []
    with Terminal("notify", "mute", "ops", "--until", "2h", "--profile", "production", "--lang", "en") as terminal:
        assert terminal.wait() == 0
    [mute] = mutes(tmp_path)
    assert (mute.channel, mute.profile) == ("ops", "production")
    assert 7000 < mute.until - time.time() < 7300
    assert "silent for the profile production" in run_command("notify", "list", "--lang", "en").out
    found = run_command("audit", "search", "--event", "decided", "--lang", "en").out
    assert "mute" in found, "who silenced it is in the audit log"


@pytest.mark.usefixtures("receiver")
def test_anyone_ends_the_silence(tmp_path: Path) -> None:
    stores = FolderStores(tmp_path / "state", lambda: (b"k" * 32,))
    with closing(stores.open_decisions()) as store:
        store.notices.mute(Mute("ops", "", time.time() + 60, "local:me"))
    assert run_command("notify", "unmute", "ops", "--lang", "en").status == 0
    assert mutes(tmp_path) == []


@pytest.mark.usefixtures("receiver")
@pytest.mark.parametrize("until", ["yesterday", "2020-01-01", "-1h"])
def test_a_time_that_is_past_or_no_time_is_refused(until: str) -> None:
    assert run_command("notify", "mute", "ops", "--until", until, "--lang", "en").status != 0


def test_a_broken_audit_log_is_an_event_once(tmp_path: Path) -> None:
    """`audit verify`, which a timer can run, finds the fault; the next server with channels tells people."""
    with closing(open_saas_store(tmp_path / "state", "saas")) as store:
        for number in range(3):
            store.record_refusal(f"call-{number}", {"refused": "denied"}, time.time())
        with store._database.transaction() as connection:
            connection.exec_driver_sql("UPDATE audit SET record = '{}' WHERE number = 2")
        for _ in range(2):
            assert store.verify_audit_log([], time.time()).breaks
        store.notices.route(["default"], lambda event: [event.kind], time.time())
        assert store.notices.channel_states()[0].channel == "audit_broken"
        assert store.notices.channel_states()[0].counts == {"pending": 1}
