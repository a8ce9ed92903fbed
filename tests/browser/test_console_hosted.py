"""The console as `serve` puts it together: who comes in by a token or through the provider, and for how long."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from saasus_mcp.cli.serve import console_composition
from saasus_mcp.hosting.console.service import freeze_mark
from saasus_mcp.hosting.console.signin_sessions import MAX_FAILURES
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.settings.config import load_http_settings
from saasus_mcp.settings.environment import read_settings
from tests.support.browser_server import BrowserServer
from tests.support.commands import run_command
from tests.support.console import csrf_token


def visitor(stage: BrowserServer) -> httpx2.Client:
    return httpx2.Client(base_url=stage.url, headers={"Origin": stage.url, "Accept-Language": "en"})


@contextmanager
def signed_in(stage: BrowserServer, name: str = "boss") -> Iterator[httpx2.Client]:
    with visitor(stage) as client:
        answer = client.post("/console/sign-in", data={"token": stage.token(name)})
        assert answer.status_code == 303, answer.text
        yield client


def through_the_provider(client: httpx2.Client, stage: BrowserServer, person: str) -> httpx2.Response:
    begun = client.get("/console/sso")
    with httpx2.Client() as elsewhere:
        query = urlsplit(begun.headers["location"]).query
        back = elsewhere.get(f"{stage.openid.issuer}/as/{person}?{query}").headers["location"]
    return client.get(back)


def test_an_approver_token_opens_the_console(stage: BrowserServer) -> None:
    with signed_in(stage) as client:
        assert "token:boss" in client.get("/console").text


def test_a_callers_token_or_a_bearer_header_opens_nothing(stage: BrowserServer) -> None:
    with visitor(stage) as client:
        assert client.post("/console/sign-in", data={"token": stage.token("bob", "caller")}).status_code == 403
        for token in (stage.token("bob", "caller"), stage.token("boss")):
            answer = client.get("/console", headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")


def test_a_session_ends_with_the_token_that_opened_it(stage: BrowserServer) -> None:
    with signed_in(stage) as client:
        assert stage.accounts.revoke("boss", time.time())
        assert client.get("/console").status_code == 303


def test_an_operator_ends_every_session_of_someone(stage: BrowserServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saasus_mcp.cli.terminal.require_person", lambda *_: None)
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", str(stage.folder / "state"))
    with signed_in(stage) as one, signed_in(stage) as two, signed_in(stage, "deputy") as other:
        assert run_command("token", "sign-out", "token:boss").out == "Console sessions of token:boss ended: 2.\n"
        assert [client.get("/console").status_code for client in (one, two, other)] == [303, 303, 200]


def test_a_session_is_known_to_another_replica(stage: BrowserServer) -> None:
    settings = read_settings(sandbox=True, state_dir=stage.folder / "state", config=stage.folder / "config.toml")
    wanted = load_http_settings(settings)
    other = console_composition.build_hosted_console(settings, wanted, stage.served, stage.until)
    assert other is not None
    with signed_in(stage) as client:
        [cookie] = client.cookies.jar
        assert other.signin.sessions.find(str(cookie.value), time.time()) is not None
        other.signin.sessions.close(str(cookie.value))
        assert client.get("/console").status_code == 303


def test_the_store_keeps_no_cookie(stage: BrowserServer) -> None:
    with signed_in(stage) as client:
        [cookie] = client.cookies.jar
    files = (stage.folder / "state").glob("accounts.db*")
    assert not any(str(cookie.value).encode() in file.read_bytes() for file in files)


def test_the_provider_lets_an_approver_in(stage: BrowserServer) -> None:
    with visitor(stage) as client:
        assert through_the_provider(client, stage, "hanako").headers["location"] == "/console"
        assert f"oidc:{stage.openid.issuer}|hanako" in client.get("/console/session").text


@pytest.mark.parametrize(
    ("person", "why"),
    [("taro", "not in the approvers&#39; group (approvers)"), ("nobody", "provider cancelled the sign-in")],
)
def test_the_provider_lets_nobody_else_in(stage: BrowserServer, person: str, why: str) -> None:
    with visitor(stage) as client:
        answer = through_the_provider(client, stage, person)
        assert answer.status_code == 403
        assert why in answer.text
        assert client.get("/console").status_code == 303


def test_an_answer_of_the_provider_counts_in_the_browser_that_asked_and_once(stage: BrowserServer) -> None:
    with visitor(stage) as client, visitor(stage) as other:
        query = urlsplit(client.get("/console/sso").headers["location"]).query
        back = httpx2.get(f"{stage.openid.issuer}/as/hanako?{query}").headers["location"]
        assert "started in another browser" in other.get(back).text
        other.get("/console/sso")
        assert "started in another browser" in other.get(back).text, "nor where another sign-in is under way"
        assert client.get(back).status_code == 303
        assert client.get(back).status_code == 403
    assert parse_qs(query)["redirect_uri"] == [f"{stage.url}/console/sso/callback"]


def test_where_the_provider_says_it_is_another_that_is_said(stage: BrowserServer) -> None:
    stage.openid.discovery = {"issuer": "https://other.example.com"}
    with visitor(stage) as client:
        answer = client.get("/console/sso")
        again = client.get("/console/sso")
    assert answer.status_code == again.status_code == 403
    assert "answer is not valid" in answer.text


def test_wrong_tokens_are_held_off_and_a_good_one_is_not(stage: BrowserServer) -> None:
    with visitor(stage) as client:
        tries = [
            client.post("/console/sign-in", data={"token": f"smcp_{n}"}).status_code for n in range(MAX_FAILURES + 2)
        ]
        assert tries == [403] * MAX_FAILURES + [429, 429]
        assert client.post("/console/sign-in", data={"token": stage.token("boss")}).status_code == 303


def test_guessing_at_a_passphrase_is_held_off(private: BrowserServer) -> None:
    passphrase.save_passphrase(private.folder / "state", "correct horse")
    path = urlsplit(private.link()).path
    with visitor(private) as client:
        assert "Approver passphrase" in client.get(path).text
        assert client.post(path).status_code == 403
        tries = [client.post(path, data={"passphrase": f"guess-{n}"}).status_code for n in range(MAX_FAILURES)]
        assert tries == [403] * (MAX_FAILURES - 1) + [429]
        assert client.post(path, data={"passphrase": "correct horse"}).status_code == 429
        assert client.get("/console").status_code == 303


def test_guessing_at_a_one_time_link_is_held_off(private: BrowserServer) -> None:
    path = urlsplit(private.link()).path
    with visitor(private) as client:
        tries = [client.post(f"/console/enter/guess-{n}").status_code for n in range(MAX_FAILURES + 1)]
        assert tries == [403] * MAX_FAILURES + [429]
        assert client.get("/console").status_code == 303
        assert client.post(path).status_code == 303, "the owner of a valid link is not kept out"
        assert client.get("/console").status_code == 200


def test_a_form_without_the_sessions_own_token_signs_nobody_out(stage: BrowserServer) -> None:
    with signed_in(stage) as client:
        for fields in ({}, {"csrf": "another"}, {"everywhere": "1"}):
            assert client.post("/console/sign-out", data=fields).status_code == 403
        assert client.get("/console").status_code == 200


def test_a_form_that_says_nothing_of_where_it_comes_from_does_nothing(stage: BrowserServer) -> None:
    with httpx2.Client(base_url=stage.url) as client:
        assert client.post("/console/sign-in", data={"token": stage.token("boss")}).status_code == 403
        assert client.get("/console").status_code == 303


def test_with_the_passphrase_a_link_lets_its_owner_in(private: BrowserServer) -> None:
    passphrase.save_passphrase(private.folder / "state", "correct horse")
    path = urlsplit(private.link()).path
    with visitor(private) as client:
        assert client.post(path, data={"passphrase": "wrong horse"}).status_code == 403
        assert client.post(path, data={"passphrase": "correct horse"}).status_code == 303
        assert client.get("/console").status_code == 200


def test_actions_of_a_person_are_in_the_audit(stage: BrowserServer, monkeypatch: pytest.MonkeyPatch) -> None:
    approval = stage.asks_to_delete(stage.names()[0])
    with signed_in(stage) as client:
        token = csrf_token(client.get("/console"))
        client.post("/console/freeze", data={"csrf": token, "profile": "sandbox", "reason": "調査中"})
        seen = freeze_mark(stage.pipeline.store.active_freezes())
        client.post("/console/unfreeze", data={"csrf": token, "profile": "sandbox", "sure": "yes", "seen": seen})
        client.post("/console/approve", data={"csrf": token, "code": approval.code, "name": approval.name})
        page = client.get("/console/audit?event=decided")
    decided = [record for record in stage.pipeline.store.audit_log.list_records() if record["event"] == "decided"]
    assert [(each["action"], each["principal"]) for each in decided] == [
        ("freeze", "token:boss"),
        ("unfreeze", "token:boss"),
        ("approve", "token:boss"),
    ]
    assert "調査中" in page.text
    assert stage.pipeline.store.audit_log.find_breaks() == []
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", str(stage.folder / "state"))
    found = json.loads(run_command("audit", "search", "--event", "decided", "--json").out)
    assert [each["action"] for each in found] == ["approve", "unfreeze", "freeze"]


def test_a_long_audit_is_read_page_by_page(stage: BrowserServer) -> None:
    for number in range(130):
        told = {"operation": "auth.GetRoles", "principal": f"caller-{number}", "profile": "sandbox"}
        stage.pipeline.store.record_refusal(f"call-{number}", told, time.time())
    found: list[str] = []
    with signed_in(stage) as client:
        path = "/console/audit?operation=GetRoles"
        for _ in range(3):
            page = client.get(path)
            found += re.findall(r">(caller-\d+)</bdi>", page.text)
            older = re.search(r'rel="next" href="([^"]+)"', page.text)
            path = older[1].replace("&amp;", "&") if older else ""
    assert found == [f"caller-{number}" for number in reversed(range(130))]
    assert not path


def test_without_a_way_in_there_is_no_console(stage: BrowserServer, tmp_path: Path) -> None:
    for text in ("[auth]\ntokens = false", "[console]\nenabled = false"):
        file = tmp_path / f"{len(text)}.toml"
        file.write_text(f"version = 1\n{text}\n", encoding="utf-8")
        chosen = read_settings(sandbox=True, config=file, public_url="https://mcp.example.com")
        assert (
            console_composition.build_hosted_console(chosen, load_http_settings(chosen), stage.served, stage.until)
            is None
        )
