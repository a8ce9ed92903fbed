"""Who comes into the console, by what, and for how long."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from saasus_mcp.common.messages import message
from saasus_mcp.hosting.console.signin_sessions import MAX_FAILURES, WINDOW_SECONDS
from saasus_mcp.store.signin_sessions import SESSION_SECONDS, Approver
from tests.support.approvals import NOW
from tests.support.console import ALICE, TOKEN, ConsoleSession, decide


async def test_a_wrong_token_signs_nobody_in(stage: ConsoleSession) -> None:
    async with stage.browser() as client:
        answer = await client.post("/console/sign-in", data={"token": TOKEN + "x"})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


async def test_signing_out_ends_the_session_and_not_only_the_cookie(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        kept = dict(client.cookies)
        await decide(client, "sign-out")
        client.cookies.update(kept)
        assert (await client.get("/console")).status_code == 303


async def test_a_session_ends_by_itself(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        stage.now = NOW + SESSION_SECONDS + 1
        assert (await client.get("/console")).status_code == 303


async def test_a_one_time_link_asks_first_and_works_once(stage: ConsoleSession) -> None:
    ticket = stage.console.signin.links.issue(Approver("local:me", is_owner=True))
    async with stage.browser() as client:
        for _ in range(2):  # fetching it uses nothing up
            assert (await client.get(f"/console/enter/{ticket}")).status_code == 200
        assert (await client.post(f"/console/enter/{ticket}")).status_code == 303
        assert "local:me" in (await client.get("/console")).text
    await require_refused(stage, ticket)


async def test_a_one_time_link_expires(stage: ConsoleSession) -> None:
    ticket = stage.console.signin.links.issue(ALICE)
    stage.now = NOW + 301
    await require_refused(stage, ticket)


async def test_a_link_that_was_never_issued_is_refused_when_it_is_opened(stage: ConsoleSession) -> None:
    await require_refused(stage, "made-up")


async def test_guesses_of_others_lock_nobody_out_of_a_one_time_link(stage: ConsoleSession) -> None:
    ticket = stage.console.signin.links.issue(ALICE)
    async with stage.browser() as stranger:
        tries = [(await stranger.post("/console/enter/made-up")).status_code for _ in range(MAX_FAILURES + 1)]
        assert tries == [403] * MAX_FAILURES + [429]
        assert (await stranger.post("/console/sign-in", data={"token": "made-up"})).status_code == 429
    async with stage.browser() as client:
        assert (await client.post(f"/console/enter/{ticket}")).status_code == 303


async def test_the_passphrase_of_a_one_time_link_cannot_be_guessed(stage: ConsoleSession) -> None:
    stage.console = replace(
        stage.console, signin=replace(stage.console.signin, passphrase_check=lambda: "sesame".__eq__)
    )
    stage.serve()
    ticket = stage.console.signin.links.issue(ALICE)
    async with stage.browser() as client:
        for _ in range(MAX_FAILURES):
            assert (await client.post(f"/console/enter/{ticket}", data={"passphrase": "x"})).status_code == 403
        held = await client.post(f"/console/enter/{ticket}", data={"passphrase": "sesame"})
        assert (held.status_code, held.headers["retry-after"]) == (429, "60")
        stage.now += WINDOW_SECONDS
        assert (await client.post(f"/console/enter/{ticket}", data={"passphrase": "sesame"})).status_code == 303


async def require_refused(stage: ConsoleSession, ticket: str) -> None:
    """Check that a link is refused, also as soon as it is opened, and that this counts as no guess."""
    async with stage.browser() as client:
        for _ in range(MAX_FAILURES + 1):
            opened = await client.get(f"/console/enter/{ticket}")
            assert (opened.status_code, "<form" in opened.text.partition("<main")[2]) == (403, False)
            assert str(message("console.bad_ticket")) in opened.text
        assert (await client.post(f"/console/enter/{ticket}")).status_code == 403


@pytest.mark.parametrize("path", ["/console/audit?operation=auth_*&from=2026-09-20", "/console/sign-in?why=ended"])
async def test_a_change_of_language_keeps_the_page_and_its_search(stage: ConsoleSession, path: str) -> None:
    async with stage.signed_in() as client:
        page = await client.get(path)
        [back] = re.findall(r'name="back" value="([^"]+)"', page.text)
        answer = await client.post("/console/language", data={"back": html.unescape(back)})
    assert answer.headers["location"] == (path if "audit" in path else "/console/sign-in")


async def test_a_cookie_is_kept_from_scripts_and_other_sites(stage: ConsoleSession) -> None:
    stage.serve(secure=True)
    async with stage.browser() as client:
        cookie = (await client.post("/console/sign-in", data={"token": TOKEN})).headers["set-cookie"].lower()
    for word in ("__host-", "httponly", "samesite=strict", "secure", "path=/"):
        assert word in cookie


async def test_where_there_is_no_single_sign_on_its_addresses_lead_to_the_door(stage: ConsoleSession) -> None:
    async with stage.browser() as client:
        for path in ("/console/sso", "/console/sso/callback?code=c&state=s"):
            assert (await client.get(path)).headers["location"] == "/console/sign-in"


async def test_signing_out_everywhere_ends_every_session_of_that_person(stage: ConsoleSession) -> None:
    async with stage.signed_in() as one, stage.signed_in() as other:
        await decide(one, "sign-out", everywhere="1")
        assert (await other.get("/console")).status_code == 303


async def test_a_page_to_come_back_to_is_one_of_the_consoles(stage: ConsoleSession) -> None:
    async with stage.browser() as client:
        for back, led in (
            ("/audit", "/console/audit"),
            ("//evil.example.com", "/console"),
            ("https://evil", "/console"),
        ):
            answer = await client.post("/console/language", data={"back": back})
            assert answer.headers["location"] == led
