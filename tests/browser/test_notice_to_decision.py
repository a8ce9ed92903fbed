"""From a model's call to a person's decision with a real server: chat, e-mail and a notification of the desktop report it within seconds.

`pytest -s` prints what arrived, and when.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from email import message_from_string, policy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import httpx2
import pytest

from saasus_mcp.store.tokens import Token, TokenStore
from tests.support.browser_notifications import turn_on_notifications, wait_for_notifications
from tests.support.hosting_process import MODERN
from tests.support.hosting_server import MCP
from tests.support.notices import CHANNELS, HttpReceiver, MailReceiver, http_receiver, mail_receiver
from tests.support.processes import TIMEOUT
from tests.support.replicas import start_replica

if TYPE_CHECKING:
    from playwright.sync_api import Page

TENANT, NAME = "bc725811-66d9-5ed0-b358-2087b58f8c2a", "株式会社青空商事"
"""Of the demonstration data."""
TokenRole = Literal["caller", "approver"]
SECONDS = 10.0
"""In which people are notified, also on a busy machine. It takes one to two seconds on an idle one."""
CONFIG = (
    """
version = 1
[http]
public_url = "http://127.0.0.1:{port}"
[auth]
tokens = true
"""
    + CHANNELS
)


@dataclass
class Story:
    """What a person would see, with seconds since the model's call."""

    begun: float = field(default_factory=time.time)
    lines: list[tuple[float, str]] = field(default_factory=list)

    def add(self, at: float, seen: str) -> None:
        self.lines.append((at - self.begun, seen))

    def print(self) -> None:
        for seconds, seen in sorted(self.lines):
            sys.stdout.write(f"{seconds:6.2f} s  {seen}\n")


@dataclass
class Server:
    url: str
    tokens: dict[TokenRole, str]

    def delete_tenant(self) -> dict[str, Any]:
        """Call the tool as a model's client does that cannot ask a person."""
        name = "auth_delete_tenant"
        params = {"name": name, "arguments": {"tenant_id": TENANT}, "_meta": MODERN}
        headers = {"Authorization": f"Bearer {self.tokens['caller']}", "Mcp-Method": "tools/call", "Mcp-Name": name}
        answer = httpx2.post(
            f"{self.url}/mcp",
            headers={**MCP, "MCP-Protocol-Version": "2026-07-28", **headers},
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
            timeout=TIMEOUT,
        )
        found = re.search(r"\{.*\}", answer.text, re.DOTALL)
        assert found, answer.text
        return dict(json.loads(found[0])["result"])


@pytest.fixture
def http() -> Iterator[HttpReceiver]:
    with http_receiver() as made:
        yield made


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    with mail_receiver() as made:
        yield made


@pytest.fixture
def server(tmp_path: Path, http: HttpReceiver, mail: MailReceiver) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file, state, now = tmp_path / "hosted.toml", tmp_path / "state", time.time()
    file.write_text(CONFIG.format(port=port, mail=mail.port), encoding="utf-8")
    people: tuple[tuple[str, TokenRole], ...] = (("hanako", "caller"), ("sato", "approver"))
    with closing(TokenStore.open(state)) as accounts:
        tokens = {
            role: accounts.add(Token(name, role, frozenset({"support"}), "local:me", now, now + 600))
            for name, role in people
        }
    env = {
        "SAASUS_MCP_CONFIG": str(file),
        "SAASUS_MCP_STATE_DIR": str(state),
        "SAASUS_MCP_SANDBOX": "1",
        "NOTICES_HOOK": http.url,
    }
    with start_replica(env, tmp_path / "server.log", port) as replica:
        wait_until_listening(replica.process, port)
        yield Server(f"http://127.0.0.1:{port}", tokens)


def wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            continue
        return
    raise AssertionError("the server does not listen")


def open_console(server: Server, opened: Callable[..., Page]) -> Page:
    """Sign in as the approver, with notifications of the desktop."""
    page = opened(f"{server.url}/console", scripts=True, locale="ja-JP", permissions=["notifications"])
    page.locator("#token").fill(server.tokens["approver"])
    page.locator("#token").press("Enter")
    page.wait_for_url(f"{server.url}/console")
    turn_on_notifications(page)
    page.locator("#live-sign:not(.lost)").wait_for()
    return page


def test_people_hear_of_a_call_decide_and_the_model_goes_on(
    server: Server, http: HttpReceiver, mail: MailReceiver, opened: Callable[..., Page]
) -> None:
    page, story = open_console(server, opened), Story()
    asked = server.delete_tenant()
    story.add(time.time(), f"model: {asked['content'][0]['text'].splitlines()[0]}")
    assert asked["isError"]

    [desktop] = wait_for_notifications(page, "承認待ちがあります")
    desktop_at = time.time()
    http.wait_for(1)
    mail.wait_for(1)
    chat = json.loads(http.requests[0][2])
    written = message_from_string(mail.messages[0], policy=policy.default)
    story.add(http.times[0], f"chat: {chat['text']}")
    story.add(mail.times[0], f"e-mail: {written['Subject']}")
    story.add(desktop_at, f"desktop: {desktop.title} / {desktop.body}")
    assert NAME in chat["text"]
    assert NAME in written["Subject"]
    assert NAME in desktop.body

    link = chat["blocks"][-1]["elements"][0]["url"]
    assert urlsplit(link).path == desktop.path
    assert link in written.get_body().get_content()  # type: ignore[union-attr]  # a message of text
    page.goto(link)
    page.locator("#name").fill(NAME)
    page.locator("button.grave").click()
    page.locator("#name").wait_for(state="detached")
    story.add(time.time(), "person: approves on the page that the notice links")

    http.wait_for(2)
    mail.wait_for(2)
    story.add(http.times[1], f"chat: {json.loads(http.requests[1][2])['text']}")
    outcome = message_from_string(mail.messages[1], policy=policy.default)
    story.add(mail.times[1], f"e-mail: {outcome['Subject']}")
    assert "sato" in http.requests[1][2].decode()
    done = server.delete_tenant()
    story.add(time.time(), "model: the same call again, applied")
    story.print()
    assert not done.get("isError"), done
    reported = (http.times[0], mail.times[0], desktop_at)
    assert max(reported) - story.begun < SECONDS
