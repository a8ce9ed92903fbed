"""What another site, or who is no longer signed in, has a browser send: it decides nothing."""

from __future__ import annotations

import pytest

from saasus_mcp.store.signin_sessions import SESSION_SECONDS
from tests.support.approvals import NOW
from tests.support.console import ALICE, REQUESTED_AT, TOKEN, ConsoleSession, csrf_token, decide

FORGED: list[dict[str, str]] = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://["},
    {"origin": "http://127.0.0.1:8001"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("headers", FORGED, ids=range(len(FORGED)))
@pytest.mark.parametrize("action", ["approve", "reject", "freeze", "reveal", "sign-out"])
async def test_a_form_of_another_site_does_nothing(stage: ConsoleSession, headers: dict[str, str], action: str) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        token = csrf_token(await client.get("/console"))
        fields = {"csrf": token, "code": REQUESTED_AT.code, "name": "株式会社青空"}
        answer = await client.post(f"/console/{action}", data=fields, headers=headers)
        assert answer.status_code == 403
        assert (await client.get("/console")).status_code == 200
    assert stage.approval_status() == "pending"
    assert stage.store.active_freeze() is None


@pytest.mark.parametrize("token", ["", "x", "another session's"])
async def test_a_form_without_the_sessions_own_token_does_nothing(stage: ConsoleSession, token: str) -> None:
    stage.create_approval()
    if token == "another session's":
        async with stage.signed_in() as other:
            token = csrf_token(await other.get("/console"))
    async with stage.signed_in() as client:
        fields = {"csrf": token, "code": REQUESTED_AT.code, "name": "株式会社青空"}
        answer = await client.post("/console/approve", data=fields)
    assert answer.status_code == 403
    assert stage.approval_status() == "pending"


UNSIGNED = ("/sign-in", "/enter/{ticket}", "/language")
"""Forms that nobody is signed in for. The last one only changes the language."""


async def test_every_form_is_refused_from_another_site_and_without_the_sessions_token(stage: ConsoleSession) -> None:
    routes = [each.path for each in stage.console.routes() if "POST" in (each.methods or ())]
    paths = [each for each in routes if not each.endswith(("/language", "{path:path}"))]
    assert len(paths) > 10
    async with stage.signed_in() as client:
        token = csrf_token(await client.get("/console"))
        for path in paths:
            crossed = await client.post(path, data={"csrf": token}, headers={"sec-fetch-site": "same-site"})
            assert crossed.status_code == 403, path
            if not path.endswith(UNSIGNED):
                assert (await client.post(path, data={"csrf": token[::-1]})).status_code == 403, path
        assert (await client.get("/console")).status_code == 200


async def test_a_form_too_large_is_refused(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        assert (await decide(client, "reject", reason="x" * 80_000)).status_code == 403


async def test_a_form_of_who_is_not_signed_in_any_more_does_nothing(stage: ConsoleSession) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        token = csrf_token(await client.get("/console"))
        stage.now = NOW + SESSION_SECONDS + 1
        for action in ("approve", "reveal"):
            answer = await client.post(f"/console/{action}", data={"csrf": token, "code": REQUESTED_AT.code})
            assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in?why=form")


async def test_an_invalid_address_from_a_browser_is_no_address(stage: ConsoleSession) -> None:
    async with stage.browser(referer="http://[") as client:
        answer = await client.post("/console/approve", data={"code": "ABCD-2345"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")
        answer = await client.post("/console/language", data={"back": "//["})
        assert answer.status_code in (303, 403)


async def test_a_link_of_another_site_is_followed_once_more_from_here(stage: ConsoleSession) -> None:
    stage.create_approval()
    async with stage.browser() as client:
        path = "/console/approvals/ABCD-2345"
        crossed = await client.get(path, headers={"sec-fetch-site": "cross-site"})
        assert (crossed.status_code, f'content="0;url={path}"' in crossed.text) == (200, True)
        assert "青空" not in crossed.text
        assert (await client.get(path, headers={"sec-fetch-site": "same-origin"})).status_code == 303


async def test_a_form_of_another_site_signs_nobody_in(stage: ConsoleSession) -> None:
    ticket = stage.console.signin.links.issue(ALICE)
    async with stage.browser(**{"sec-fetch-site": "cross-site"}) as client:
        for path, fields in (("sign-in", {"token": TOKEN}), (f"enter/{ticket}", {})):
            answer = await client.post(f"/console/{path}", data=fields)
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
