"""From a model's call to a person's decision: the notice arrives within seconds, by webhook and by e-mail, and delays no call."""

from __future__ import annotations

import json
import re
from email import message_from_string, policy
from pathlib import Path
from typing import Any

import httpx2
import pytest

from saasus_mcp.cli import notice_delivery
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.store.errors import StoreError
from tests.support.commands import Terminal, run_command
from tests.support.notices import CHANNELS, HttpReceiver, MailReceiver, http_receiver, mail_receiver
from tests.support.replicas import KEYS
from tests.support.stdio_server import OPENING, build_request, read_answers, send_messages, start_stdio_server

TENANT = "bc725811-66d9-5ed0-b358-2087b58f8c2a"
"""Of the demonstration data."""

READ = build_request(9, "tools/call", name="auth_get_tenants", arguments={})


def configure(tmp_path: Path, http: HttpReceiver, mail: MailReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTICES_HOOK", http.url)
    (tmp_path / "config.toml").write_text("version = 1\n" + CHANNELS.format(mail=mail.port), encoding="utf-8")


def call(id: int) -> dict[str, Any]:
    return build_request(id, "tools/call", name="auth_delete_tenant", arguments={"tenant_id": TENANT})


def kinds_of(http: HttpReceiver) -> list[str]:
    return [json.loads(body)["text"] for _, _, body in http.requests]


def test_a_call_is_reported_decided_and_its_outcome_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as http, mail_receiver() as mail:
        configure(tmp_path, http, mail, monkeypatch)
        with start_stdio_server(preloaded="product") as server:
            send_messages(server, *OPENING, call(2))
            asked = read_answers(server, 1, 2)[2]["result"]
            assert asked["isError"]
            http.wait_for(1)
            mail.wait_for(1)
            [text] = kinds_of(http)
            assert "承認が必要です" in text
            assert "株式会社青空商事" in text, "the target by its name"
            [code] = re.findall(r"saasus-mcp approve (\S{9})", json.dumps(json.loads(http.requests[0][2])))
            assert code in asked["content"][0]["text"]
            [written] = [message_from_string(each, policy=policy.default) for each in mail.messages]
            assert "Approval needed" in written["Subject"], "each channel in the language of its readers"
            with Terminal("approve", code, "--lang", "en") as terminal:
                terminal.wait_for("株式会社青空商事")
                terminal.type("株式会社青空商事")
                assert terminal.wait() == 0, terminal.output
            http.wait_for(2)
            assert "承認されました" in kinds_of(http)[1]
            send_messages(server, call(3))
            assert not read_answers(server, 3)[3]["result"].get("isError")


def test_a_receiver_that_never_answers_delays_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as http, mail_receiver() as mail:
        configure(tmp_path, http, mail, monkeypatch)
        http.holds = mail.silent = True
        with start_stdio_server(preloaded="product") as server:
            send_messages(server, *OPENING, call(2))
            read_answers(server, 1, 2)
            http.wait_for(1)
            numbers = range(10, 20)
            send_messages(server, *(READ | {"id": number} for number in numbers))
            answers = read_answers(server, *numbers)
            assert (len(http.requests), http.given_up) == (1, 0), "all were answered during the first attempt"
            assert not any(each["result"].get("isError") for each in answers.values())


def test_the_next_server_sends_what_a_killed_one_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as http, mail_receiver() as mail:
        configure(tmp_path, http, mail, monkeypatch)
        with start_stdio_server(preloaded="product") as server:
            send_messages(server, *OPENING, call(2))
            read_answers(server, 1, 2)
            server.kill()  # before its first look into the outbox
        with start_stdio_server(preloaded="product") as server:
            send_messages(server, *OPENING, READ)
            read_answers(server, 1, READ["id"])
            http.wait_for(1)
        [text] = kinds_of(http)
        assert "承認が必要です" in text


@pytest.mark.exhaustive  # the next server sends it above
def test_the_console_sends_what_no_server_sends_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server that asked has ended. The console reports the request with its own address, and the decision made on it."""
    with http_receiver() as http, mail_receiver() as mail:
        configure(tmp_path, http, mail, monkeypatch)
        with start_stdio_server(preloaded="product") as server:
            send_messages(server, *OPENING, call(2))
            read_answers(server, 1, 2)
            server.kill()
        with Terminal("console") as console:
            console.wait_for("/console/enter/")
            http.wait_for(1)
            [address] = re.findall(r"(http://127\.0\.0\.1:\d+/console)/enter/", console.output)
            asked = json.loads(http.requests[0][2])
            link = asked["blocks"][-1]["elements"][0]["url"]
            assert link.startswith(f"{address}/approvals/")
            code = link.rpartition("/")[2]
            assert run_command("reject", code, "--reason", "not now").status == 0
            http.wait_for(2)
            assert "却下されました" in kinds_of(http)[1]


def test_a_fault_of_a_channel_keeps_nobody_from_the_console(tmp_path: Path) -> None:
    """A secret of a channel is often known to the server alone."""
    (tmp_path / "config.toml").write_text(
        'version = 1\n[notices.slack.approvals]\nurl = { env = "MISSING_HOOK" }\n', encoding="utf-8"
    )
    with Terminal("console") as console:
        console.wait_for("/console/enter/")
        console.wait_for("MISSING_HOOK")


def test_a_damaged_store_of_decisions_keeps_nobody_from_the_console(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.mkdir(mode=0o700)
    damaged = state / "decisions.db"
    damaged.write_bytes(b"this is no database" * 100)
    damaged.chmod(0o600)
    with http_receiver() as http, mail_receiver() as mail:
        configure(tmp_path, http, mail, monkeypatch)
        with Terminal("console") as console:
            console.wait_for("Notices are not sent by this console")
            [link] = re.findall(r"http://127\.0\.0\.1:\d+/console/enter/\S+", console.output)
            assert httpx2.get(link).status_code == 200


@pytest.fixture
def with_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure channels, and a shared database that nobody serves: any use of it fails."""
    (tmp_path / "config.toml").write_text(
        'version = 1\n[notices.slack.approvals]\nurl = { env = "NOTICES_HOOK" }\n', encoding="utf-8"
    )
    monkeypatch.setenv("NOTICES_HOOK", "https://hooks.example.com/T/B/key")
    monkeypatch.setenv("SAASUS_MCP_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none?sslmode=disable")
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", KEYS[0])


@pytest.mark.usefixtures("with_database")
async def test_the_console_leaves_the_notices_of_a_shared_database_to_its_servers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It has other channels than they, and a link that only this computer can open."""
    async with notice_delivery.deliver_local_notices(read_settings(), list, "http://127.0.0.1:1/console"):
        assert "servers over HTTP send those of the shared database" in capsys.readouterr().err


@pytest.mark.usefixtures("with_database")
async def test_a_server_on_stdio_leaves_the_notices_of_a_shared_database_to_those_over_http(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with notice_delivery.deliver_notices(read_settings(), {}, str):
        assert "servers over HTTP send those of the shared database" in caplog.text
    with pytest.raises(StoreError):
        async with notice_delivery.deliver_notices(read_settings(transport="http"), {}, str):
            pytest.fail("a server over HTTP did not open the database")
