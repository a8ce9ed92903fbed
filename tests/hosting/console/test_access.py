"""The page Session, and the way back after signing in: sessions, tokens, and return addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import pytest

from saasus_mcp.common.messages import message
from saasus_mcp.hosting.console.rendering import return_path, safe_return
from saasus_mcp.hosting.console.signin_sessions import ConsoleSessions, browser_name
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_value
from saasus_mcp.store.tokens import Token
from tests.support.approvals import NOW
from tests.support.console import TOKEN, ConsoleSession, csrf_token


def token_of(name: str = "hanako", group: str = "operators") -> Token:
    return Token(name, "caller", frozenset({group}), "local:me", NOW, NOW + 60)


async def test_one_of_several_sessions_is_ended(stage: ConsoleSession) -> None:
    async with stage.signed_in() as one, stage.signed_in() as other:
        page = await one.get("/console/session")
        assert page.text.count('action="/console/end-session"') == 1
        identifier = page.text.partition('name="session" value="')[2].partition('"')[0]
        fields = {"csrf": csrf_token(page), "session": identifier}
        assert (await one.post("/console/end-session", data=fields)).headers["location"] == "/console/session"
        assert (await other.get("/console")).status_code == 303
        assert (await one.get("/console")).status_code == 200
        assert 'action="/console/end-session"' not in (await one.get("/console/session")).text


async def test_the_list_of_sessions_names_each_browser(stage: ConsoleSession) -> None:
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile/15E148 Safari/604.1"
    async with stage.signed_in(**{"user-agent": phone}), stage.signed_in(**{"user-agent": "<b>"}) as one:
        page = (await one.get("/console/session")).text
    assert "Safari, iPhone" in page
    assert "Unknown browser" in page


async def test_the_last_activity_is_that_of_the_last_ten_minutes(stage: ConsoleSession) -> None:
    saved: list[float] = []
    sessions = stage.console.signin.sessions
    stage.serve(sessions=Watched(sessions, saved))
    async with stage.signed_in() as one, stage.signed_in():
        for seconds in (0, 599, 600, 601, 1300):
            stage.now = NOW + seconds
            await one.get("/console")
        page = (await one.get("/console/session")).text
    assert saved == [NOW + 600, NOW + 1300]
    assert message("console_access.session_used").text("en") in page
    assert format_value(Timestamp(NOW + 1300), Reader.of("en")) in re.sub(r"<[^>]*>", "", page)


@dataclass
class Watched:
    """Sessions whose saved activity is noted."""

    inner: ConsoleSessions
    saved: list[float]

    def save_use(self, cookie: str, now: float) -> None:
        self.saved.append(now)
        self.inner.save_use(cookie, now)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", "Chrome, Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/140.0.0.0", "Edge, Windows"),
        (f"Mozilla/5.0 (Linux; Android 16; SM-S911B) {CHROME} Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15.0; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox, macOS"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/19.0 Safari/605.1.15", "Safari, macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) CriOS/140.0 Safari/604.1", "Chrome, iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64) something new", "Linux"),
        ("curl/8.0", ""),
    ],
)
def test_a_browser_is_named_with_its_system(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name


async def test_a_form_without_the_token_of_the_session_ends_none(stage: ConsoleSession) -> None:
    async with stage.signed_in() as one, stage.signed_in() as other:
        page = await one.get("/console/session")
        identifier = page.text.partition('name="session" value="')[2].partition('"')[0]
        assert (await one.post("/console/end-session", data={"csrf": "x", "session": identifier})).status_code == 403
        assert (await other.get("/console")).status_code == 200


async def test_the_tokens_of_the_persons_groups_are_listed_and_no_others(stage: ConsoleSession) -> None:
    known = [token_of(), token_of("mallory", "testers"), replace(token_of("old"), revoked_at=NOW)]
    stage.console = replace(stage.console, service=replace(stage.console.service, read_tokens=lambda: known))
    stage.serve()
    async with stage.signed_in() as client:
        page = (await client.get("/console/session")).text
    assert "hanako" in page
    assert "revoked" in page
    assert "mallory" not in page


async def test_a_page_with_its_filters_is_returned_to(stage: ConsoleSession) -> None:
    async with stage.browser() as client:
        await client.get("/console/audit?q=%E6%A5%AD&from=2026-09-01")
        answer = await client.post("/console/sign-in", data={"token": TOKEN})
    assert answer.headers["location"] == "/console/audit?q=%E6%A5%AD&from=2026-09-01"


async def test_a_decision_after_the_session_leads_back_to_the_approval(stage: ConsoleSession) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        page = await client.get("/console/approvals/ABCD-2345")
        stage.now += 9 * 3600
        fields = {"csrf": csrf_token(page), "code": "ABCD-2345", "name": "株式会社青空"}
        referer = {"referer": "http://127.0.0.1:8000/console/approvals/ABCD-2345"}
        refused = await client.post("/console/approve", data=fields, headers=referer)
        assert refused.headers["location"] == "/console/sign-in?why=form"
        assert "nothing was changed" in (await client.get("/console/sign-in?why=form")).text
        answer = await client.post("/console/sign-in", data={"token": TOKEN})
    assert answer.headers["location"] == "/console/approvals/ABCD-2345"


@pytest.mark.parametrize(
    "referer", ["https://evil.example/console/approvals/ABCD-2345", "http://127.0.0.1:8000/mcp", "x", ""]
)
async def test_the_page_of_another_site_is_not_returned_to(stage: ConsoleSession, referer: str) -> None:
    async with stage.browser() as client:
        await client.post("/console/approve", data={}, headers={"referer": referer})
        answer = await client.post("/console/sign-in", data={"token": TOKEN})
    assert answer.headers["location"] == "/console"


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/a//b",
        "/../mcp",
        "/audit\r\nx: y",
        "@evil.example",
    ],
)
async def test_no_cookie_leads_out_of_the_console(stage: ConsoleSession, wanted: str) -> None:
    assert safe_return(wanted) == ""
    assert safe_return(f"{wanted}?q=1") == ""
    async with stage.browser() as client:
        client.cookies.set("saasus_return", quote(wanted))
        answer = await client.post("/console/sign-in", data={"token": TOKEN})
    assert answer.headers["location"] == "/console"


def test_a_strange_query_is_left_out() -> None:
    assert return_path("/audit", "q=a\r\nSet-Cookie: x") == "/audit"
    assert return_path("/audit", "q=" + "a" * 2000) == "/audit"
    assert return_path("/audit", "q=a%0Ab&from=2026-01-01") == "/audit?q=a%0Ab&from=2026-01-01"


@pytest.mark.parametrize("why", ["ended", "form", "nonsense", ""])
async def test_a_made_up_reason_says_nothing(stage: ConsoleSession, why: str) -> None:
    async with stage.browser() as client:
        page = await client.get("/console/sign-in", params={"why": why})
    assert page.status_code == 200
    assert ("Your session" in page.text) == (why in ("ended", "form"))
