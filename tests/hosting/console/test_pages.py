"""What every page of the console has in common: to whom it is shown, in both languages, and what a failure shows."""

from __future__ import annotations

import re

import pytest

from saasus_mcp.hosting.console.signin_sessions import LocalSessions
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.records import Approval, Freeze
from saasus_mcp.store.signin_sessions import ConsoleSession as SignedIn
from tests.support.approvals import NOW
from tests.support.console import CALL, JOB, REQUESTED_AT, ConsoleSession, csrf_token

NAME = "<b>株式会社青空</b>\u202e"
PAGES = ["", "/approvals/ABCD-2345", "/audit", "/tools", "/policy", "/limits", "/secrets", "/session"]


def script_of(page: str) -> str:
    """Return the tag of the console's own script, the only one of a page."""
    found = re.search(r'<script src="/console/console\.js\?v=[0-9a-f]{12}" defer>', page)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_shown_to_who_is_not_signed_in(stage: ConsoleSession, path: str) -> None:
    stage.create_approval()
    async with stage.browser() as client:
        answer = await client.get("/console" + path)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/sign-in"
    assert "青空" not in answer.text


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("lang", ["en", "ja"])
async def test_every_page_is_there_in_both_languages_and_escapes_what_it_shows(
    stage: ConsoleSession, path: str, lang: str
) -> None:
    stage.create_approval(name=NAME)
    async with stage.signed_in(**{"accept-language": lang}) as client:
        answer = await client.get("/console" + path)
    assert answer.status_code == 200
    assert f'<html lang="{lang}">' in answer.text
    assert "<b>" not in answer.text
    assert re.findall("<script[^>]*>", answer.text) == [script_of(answer.text)]
    assert "\u202e" not in answer.text
    assert "default-src 'none'; script-src 'self'; connect-src 'self';" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", [*PAGES, "/jobs", "/changes", "/nothing", "/jobs/gone"])
async def test_every_page_says_that_writes_are_frozen(stage: ConsoleSession, path: str) -> None:
    stage.create_approval()
    stage.store.freeze(Freeze(NOW, "local:me", "an incident", "production"))
    async with stage.signed_in() as client:
        frozen = await client.get("/console" + path)
        stage.store.unfreeze("production")
        lifted = await client.get("/console" + path)
    assert ('class="frozen"' in frozen.text, 'class="frozen"' in lifted.text) == (True, False)
    assert "All writes on the profile production are frozen" in frozen.text
    assert frozen.text.count("an incident") == 1


async def test_an_answer_to_a_form_says_that_writes_are_frozen(stage: ConsoleSession) -> None:
    stage.store.freeze(Freeze(NOW, "local:me", "", "production"))
    async with stage.signed_in() as client:
        fields = {"csrf": csrf_token(await client.get("/console/secrets")), "handle": "secret://r/nosuch"}
        assert 'class="frozen"' in (await client.post("/console/reveal", data=fields)).text
        unknown = {"csrf": fields["csrf"], "profile": "nowhere"}
        assert 'class="frozen"' in (await client.post("/console/freeze", data=unknown)).text


async def test_a_command_in_a_text_is_set_as_code(stage: ConsoleSession) -> None:
    async with stage.browser() as client:
        page = (await client.get("/console/sign-in")).text
    assert ">saasus-mcp token new NAME --role approver</code>" in page


async def test_a_missing_page_is_reported(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        for path in ("/console/nothing", "/console/approvals/ZZZZ-ZZZZ", "/console/a/b/c"):
            answer = await client.get(path)
            assert (answer.status_code, "<h1>Page not found</h1>" in answer.text) == (404, True)


async def test_a_store_that_cannot_be_read_is_no_blank_page(
    stage: ConsoleSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> list[Approval]:
        raise StoreError.of("store.unusable", reason="disk I/O error")

    async with stage.signed_in() as client:
        token = csrf_token(await client.get("/console"))
        monkeypatch.setattr(stage.store, "list_approvals", broken)
        monkeypatch.setattr(stage.store, "get_secret", broken)
        for answer in (
            await client.get("/console"),
            await client.post("/console/approve", data={"csrf": token, "code": REQUESTED_AT.code}),
            await client.post("/console/reveal", data={"csrf": token, "handle": "x"}),
        ):
            assert answer.status_code == 503
            assert "This page cannot be shown now" in answer.text
            assert "disk I/O" not in answer.text


async def test_sessions_that_cannot_be_read_are_no_blank_page(stage: ConsoleSession) -> None:
    class Away(LocalSessions):
        def find(self, cookie: str, now: float) -> SignedIn | None:
            raise StoreError.of("store.unusable", reason="The database rejected the operation")

    async with stage.signed_in() as client:
        known = client.cookies
    stage.serve(sessions=Away())
    async with stage.browser() as client:
        client.cookies = known
        for path in ("/console", "/console/nowhere", "/console/session"):
            answer = await client.get(path)
            assert (answer.status_code, "This page cannot be shown now" in answer.text) == (503, True), path


async def test_a_wrong_secret_handle_can_be_corrected(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        fields = {"csrf": csrf_token(await client.get("/console/secrets")), "handle": "secret://r/nosuch"}
        page = await client.post("/console/reveal", data=fields)
    assert page.status_code == 422
    assert 'value="secret://r/nosuch"' in page.text


async def test_people_have_their_name_beside_the_id(stage: ConsoleSession) -> None:
    hanako = {"principal_name": "佐藤花子", "principal_email": "hanako@example.jp"}
    record = {"operation": "auth.GetRoles", "principal": "bob", "profile": "production", **hanako}
    stage.store.commit("c9" * 16, record, NOW)
    stage.create_approval()
    stage.start_job()
    stage.change_role()
    async with stage.signed_in() as client:
        for path in ("", "/approvals/ABCD-2345", "/jobs", f"/jobs/{JOB}", "/changes", f"/changes/{CALL}", "/audit"):
            page = (await client.get(f"/console{path}")).text
            assert "佐藤花子 (hanako@example.jp)" in page, path
            assert re.search(r'class="id" title="bob">bob<', page), path
        for path in ("", "/jobs", "/changes", "/audit"):
            assert "hanako@example.jp" in (await client.get(f"/console{path}?q=佐藤花子")).text, path
