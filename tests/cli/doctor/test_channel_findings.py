"""`doctor` checks the channels of notices: their settings and secrets always, and their receivers on request, without sending."""

from __future__ import annotations

import base64
from contextlib import closing
from pathlib import Path

import pytest

from saasus_mcp.cli.doctor.channel_checks import check_channels
from saasus_mcp.cli.terminal import render
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.store.notice_records import NoticeEvent
from tests.support.approvals import NOW
from tests.support.commands import run_command
from tests.support.doctor import findings, list_findings
from tests.support.notices import http_receiver, mail_receiver
from tests.support.saas_store import open_saas_store

CONFIG = """
version = 1
[notices.slack.approvals]
url = {{ env = "NOTICES_HOOK" }}
[notices.email.operators]
host = "127.0.0.1"
port = {port}
security = "none"
from = "mcp@example.com"
to = ["ops@example.jp"]
"""


def configure(tmp_path: Path, port: int = 9) -> None:
    (tmp_path / "config.toml").write_text(CONFIG.format(port=port), encoding="utf-8")


def test_without_channels_nothing_is_wrong() -> None:
    assert findings("--sandbox")["notices"]["status"] == "ok"


def test_a_missing_secret_is_a_problem_that_names_the_variable(tmp_path: Path) -> None:
    configure(tmp_path)
    found = findings("--sandbox")["notices"]
    assert found["status"] == "problem"
    assert "NOTICES_HOOK" in found["said"] + found["hint"]


def test_channels_are_named_without_their_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path)
    monkeypatch.setenv("NOTICES_HOOK", "https://hooks.example.com/T/B/key")
    found = findings("--sandbox")["notices"]
    assert found["status"] == "ok"
    assert "approvals (slack)" in found["said"]
    assert "/T/B/key" not in str(found)


@pytest.mark.parametrize("given_up", [True, False])
def test_a_channel_with_an_undelivered_notice_is_noted_and_the_list_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_up: bool
) -> None:
    configure(tmp_path)
    monkeypatch.setenv("NOTICES_HOOK", "https://hooks.example.com/T/B/key")
    with closing(open_saas_store(tmp_path / "state", "sandbox")) as store:
        store.notices.add(NoticeEvent("one", "frozen", "sandbox", NOW, {}))
        store.notices.route(["sandbox"], lambda _: ["approvals"], NOW)
        delivery = store.notices.claim("approvals", NOW, 30)
        assert delivery is not None
        assert findings("--sandbox")["notices"]["status"] == "ok", "it is on its way"
        if given_up:
            store.notices.finish(delivery, "failed", NOW, "redirect")
        else:
            store.notices.postpone(delivery, NOW, "redirect")
    found = findings("--sandbox")["notices"]
    assert (found["status"], found["said"].endswith(": approvals")) == ("note", True)
    assert "redirect" in run_command("notify", "list").out


@pytest.mark.parametrize("shared", [True, False])
def test_the_sender_of_the_notices_of_a_shared_database_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    configure(tmp_path)
    monkeypatch.setenv("NOTICES_HOOK", "https://hooks.example.com/T/B/key")
    if shared:
        monkeypatch.setenv("SAASUS_MCP_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none?sslmode=disable")
        monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", base64.b64encode(b"k" * 32).decode())
    found = check_channels(read_settings())
    assert found.status == "ok"
    assert ("over HTTP alone" in render(found.hint)) is shared


def test_receivers_are_reached_on_request_and_get_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as http, mail_receiver() as mail:
        configure(tmp_path, mail.port)
        monkeypatch.setenv("NOTICES_HOOK", http.url)
        found = [one for one in list_findings("--sandbox", "--connect") if one["check"] == "notices"]
        assert [one["status"] for one in found] == ["ok", "ok", "ok"]
        assert (http.requests, mail.messages) == ([], [])


def test_a_receiver_that_cannot_be_reached_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path)
    monkeypatch.setenv("NOTICES_HOOK", "http://127.0.0.1:9/T/B/key")
    found = [one for one in list_findings("--sandbox", "--connect") if one["check"] == "notices"]
    assert [one["status"] for one in found] == ["ok", "problem", "problem"]
    assert "/T/B/key" not in str(found)
