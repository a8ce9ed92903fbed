"""The console: a person decides in a browser, in their language, and nothing else can decide through it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.console.desk import Desk, Room, Written
from saasus_mcp.hosting.console.doors import Doors
from saasus_mcp.hosting.console.pages import Console
from saasus_mcp.hosting.console.sessions import LIFETIME, Admitted, Approver, LocalSessions, Session, Tickets
from saasus_mcp.hosting.console.throttle import Throttle
from saasus_mcp.hosting.console.wording import WORDS
from saasus_mcp.permissions.approvals import WAIT_AFTER_REJECTION
from saasus_mcp.permissions.handles import Handles, Hiding
from saasus_mcp.permissions.policy import PRESETS
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.store import Approval, Store, StoreError

NOW = 1_790_000_000.0
ORIGIN = "http://127.0.0.1:8000"
ALICE = Approver("alice", frozenset({"operators"}))
TOKEN = "smcp_made-up"
NAME = "<b>株式会社青空</b>\u202e"
ASKED = Approval(
    code="ABCD-2345",
    binding="0" * 64,
    operation="auth.DeleteTenant",
    principal="bob",
    profile="production",
    saas_id="saas",
    name="株式会社青空",
    preview='{"en": "Deletes “<b>株式会社青空</b>”\u202e.", "ja": "「<b>株式会社青空</b>」を削除します。"}',
    bound="{}",
    status="pending",
    requested_at=NOW,
    expires_at=NOW + 900,
)


@dataclass
class Stage:
    """A console over one profile, with its clock and store."""

    store: Store
    console: Console
    app: Starlette
    now: float = NOW

    @asynccontextmanager
    async def browser(self, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        given = {"origin": ORIGIN, "accept-language": "en", **headers}
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers=given) as client:
            yield client

    @asynccontextmanager
    async def signed_in(self, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        async with self.browser(**headers) as client:
            answer = await client.post("/console/sign-in", data={"token": TOKEN})
            assert answer.status_code == 303
            yield client

    def serve(self, **doors: Any) -> None:
        """Serve it, with other doors where they are given."""
        self.console = replace(self.console, doors=replace(self.console.doors, **doors))
        self.app = Starlette(routes=list(self.console.routes()))

    def asked(self, **given: str | bool | float) -> None:
        assert self.store.request_approval(replace(ASKED, **given), 5)  # type: ignore[arg-type]

    def status(self) -> str:
        return self.store.approvals(self.now)[0].status


@pytest.fixture
def stage(store: Store, catalogue: Catalogue) -> Stage:
    sealer = Sealer.ephemeral()

    async def sign_in(token: str) -> Admitted | None:
        return Admitted(ALICE) if token == TOKEN else None

    def clock() -> float:
        return made.now

    rooms = [Room("production", frozenset({"operators"}), lambda: store, "production", "saas")]
    written = Written("version: 1\n# <script>")
    desk = Desk(lambda: rooms, catalogue, PRESETS["guarded"], lambda: written, sealer, clock)
    doors = Doors(LocalSessions(), Tickets(clock), sealer, clock, Throttle(clock), "en", secure=False, sign_in=sign_in)
    made = Stage(store, Console(desk, doors, "en"), Starlette())
    made.serve()
    return made


def csrf(page: httpx2.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    return found[1]


async def decide(client: httpx2.AsyncClient, deed: str, **fields: str) -> httpx2.Response:
    token = csrf(await client.get("/console"))
    return await client.post(f"/console/{deed}", data={"csrf": token, "code": ASKED.code, **fields})


PAGES = ["", "/approvals/ABCD-2345", "/audit", "/tools", "/policy", "/limits", "/secrets", "/session"]


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_shown_to_who_is_not_signed_in(stage: Stage, path: str) -> None:
    stage.asked()
    async with stage.browser() as client:
        answer = await client.get("/console" + path)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/sign-in"
    assert "青空" not in answer.text


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("lang", ["en", "ja"])
async def test_every_page_is_there_in_both_languages_and_escapes_what_it_shows(
    stage: Stage, path: str, lang: str
) -> None:
    stage.asked(name=NAME)
    async with stage.signed_in(**{"accept-language": lang}) as client:
        answer = await client.get("/console" + path)
    assert answer.status_code == 200
    assert f'<html lang="{lang}">' in answer.text
    assert "<b>" not in answer.text
    assert "<script" not in answer.text
    assert "\u202e" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_an_approval_is_given_by_typing_the_name(stage: Stage) -> None:
    stage.asked()
    async with stage.signed_in() as client:
        answer = await decide(client, "approve", name="株式会社青空")
    assert answer.headers["location"] == "/console/approvals/ABCD-2345"
    [approval] = stage.store.approvals(NOW)
    assert (approval.status, approval.decided_by) == ("approved", "alice")


@pytest.mark.parametrize("typed", ["", "株式会社", "ABCD-2345", "yes"])
async def test_another_name_approves_nothing(stage: Stage, typed: str) -> None:
    stage.asked()
    async with stage.signed_in() as client:
        answer = await decide(client, "approve", name=typed)
    assert answer.status_code == 422
    assert "That is not the name of the target." in answer.text
    assert stage.status() == "pending"


async def test_a_rejection_keeps_its_reason(stage: Stage) -> None:
    stage.asked()
    async with stage.signed_in() as client:
        await decide(client, "reject", reason="契約確認中")
    [approval] = stage.store.approvals(NOW)
    assert (approval.status, approval.reason) == ("rejected", "契約確認中")
    assert approval.expires_at == NOW + WAIT_AFTER_REJECTION


async def test_what_has_expired_is_approved_no_more(stage: Stage) -> None:
    stage.asked()
    async with stage.signed_in() as client:
        stage.now = NOW + 901
        answer = await decide(client, "approve", name="株式会社青空")
    assert answer.status_code == 409
    assert "It is no longer pending" in answer.text
    assert stage.status() == "stale"


async def test_where_two_people_are_wanted_the_one_who_asked_is_not_shown_the_form(stage: Stage) -> None:
    stage.asked(principal="alice", two_person=True)
    async with stage.signed_in() as client:
        page = await client.get("/console/approvals/ABCD-2345")
        answer = await decide(client, "approve", name="株式会社青空")
    assert "another person than alice" in page.text
    assert 'action="/console/approve"' not in page.text
    assert answer.status_code == 422
    assert stage.status() == "pending"


FORGED: list[dict[str, str]] = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:8001"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("headers", FORGED, ids=range(len(FORGED)))
@pytest.mark.parametrize("deed", ["approve", "reject", "freeze", "reveal", "sign-out"])
async def test_a_form_of_another_site_does_nothing(stage: Stage, headers: dict[str, str], deed: str) -> None:
    stage.asked()
    async with stage.signed_in() as client:
        token = csrf(await client.get("/console"))
        fields = {"csrf": token, "code": ASKED.code, "name": "株式会社青空"}
        answer = await client.post(f"/console/{deed}", data=fields, headers=headers)
        assert answer.status_code == 403
        assert (await client.get("/console")).status_code == 200
    assert stage.status() == "pending"
    assert stage.store.frozen() is None


@pytest.mark.parametrize("token", ["", "x", "another session's"])
async def test_a_form_without_the_sessions_own_token_does_nothing(stage: Stage, token: str) -> None:
    stage.asked()
    if token == "another session's":
        async with stage.signed_in() as other:
            token = csrf(await other.get("/console"))
    async with stage.signed_in() as client:
        fields = {"csrf": token, "code": ASKED.code, "name": "株式会社青空"}
        answer = await client.post("/console/approve", data=fields)
    assert answer.status_code == 403
    assert stage.status() == "pending"


async def test_a_form_too_large_is_refused(stage: Stage) -> None:
    async with stage.signed_in() as client:
        assert (await decide(client, "reject", reason="x" * 40_000)).status_code == 403


async def test_a_wrong_token_signs_nobody_in(stage: Stage) -> None:
    async with stage.browser() as client:
        answer = await client.post("/console/sign-in", data={"token": TOKEN + "x"})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


async def test_signing_out_ends_the_session_and_not_only_the_cookie(stage: Stage) -> None:
    async with stage.signed_in() as client:
        kept = dict(client.cookies)
        await decide(client, "sign-out")
        client.cookies.update(kept)
        assert (await client.get("/console")).status_code == 303


async def test_a_session_ends_by_itself(stage: Stage) -> None:
    async with stage.signed_in() as client:
        stage.now = NOW + LIFETIME + 1
        assert (await client.get("/console")).status_code == 303


async def test_a_one_time_link_asks_first_and_works_once(stage: Stage) -> None:
    ticket = stage.console.doors.tickets.issue(Approver("local:me", everywhere=True))
    async with stage.browser() as client:
        for _ in range(2):  # fetching it uses nothing up
            assert (await client.get(f"/console/enter/{ticket}")).status_code == 200
        assert (await client.post(f"/console/enter/{ticket}")).status_code == 303
        assert "local:me" in (await client.get("/console")).text
    async with stage.browser() as client:
        assert (await client.post(f"/console/enter/{ticket}")).status_code == 403


async def test_a_one_time_link_expires(stage: Stage) -> None:
    ticket = stage.console.doors.tickets.issue(ALICE)
    stage.now = NOW + 301
    async with stage.browser() as client:
        assert (await client.post(f"/console/enter/{ticket}")).status_code == 403


async def test_a_cookie_is_kept_from_scripts_and_other_sites(stage: Stage) -> None:
    stage.serve(secure=True)
    async with stage.browser() as client:
        cookie = (await client.post("/console/sign-in", data={"token": TOKEN})).headers["set-cookie"].lower()
    for word in ("__host-", "httponly", "samesite=strict", "secure", "path=/"):
        assert word in cookie


async def test_a_profile_that_is_not_theirs_is_not_there(stage: Stage) -> None:
    stage.asked()
    room = replace(stage.console.desk.rooms()[0], groups=frozenset({"others"}))
    stage.console = replace(stage.console, desk=replace(stage.console.desk, rooms=lambda: [room]))
    stage.serve()
    async with stage.signed_in() as client:
        assert "ABCD-2345" not in (await client.get("/console")).text
        assert (await client.get("/console/approvals/ABCD-2345")).status_code == 404
        assert (await decide(client, "approve", name="株式会社青空")).status_code == 409
    assert stage.status() == "pending"


async def test_freezing_holds_writes_until_it_is_lifted(stage: Stage) -> None:
    async with stage.signed_in() as client:
        await decide(client, "freeze", reason="調査中", profile="production")
        frozen = stage.store.frozen()
        assert frozen is not None
        assert (frozen.by, frozen.reason) == ("alice", "調査中")
        assert "調査中" in (await client.get("/console/limits")).text
        await decide(client, "unfreeze", profile="production")
    assert stage.store.frozen() is None


async def test_a_secret_is_revealed_once(stage: Stage) -> None:
    hiding = Hiding()
    handle = hiding.hide("hush-hush & <more>")
    Handles(stage.store, stage.console.desk.sealer, lambda: NOW).keep(hiding, "bob", "production")
    async with stage.signed_in() as client:
        first = await decide(client, "reveal", handle=handle)
        assert "hush-hush &amp; &lt;more&gt;" in first.text
        assert (await decide(client, "reveal", handle=handle)).status_code == 422


async def test_the_audit_is_filtered_and_its_chain_judged(stage: Stage) -> None:
    for number, operation in enumerate(["auth.GetTenant", "auth.DeleteTenant"]):
        stage.store.refuse(f"call-{number}", {"operation": operation, "principal": "bob", "profile": "production"}, NOW)
    async with stage.signed_in() as client:
        page = await client.get("/console/audit", params={"operation": "Delete", "verify": "1"})
    assert "auth.DeleteTenant" in page.text
    assert "auth.GetTenant" not in page.text
    assert "The chain holds: 2 records" in page.text


async def test_decisions_are_those_of_the_chosen_person(stage: Stage) -> None:
    async with stage.signed_in() as client:
        page = await client.get("/console/tools", params={"who": "carol"})
    row = next(line for line in page.text.splitlines() if ">auth_delete_tenant<" in line)
    assert '<span class="tag approve">approve</span>' in row
    assert "cannot be undone" in row
    assert 'value="carol"' in page.text


async def test_the_reader_can_change_the_language(stage: Stage) -> None:
    async with stage.signed_in() as client:
        assert "Approvals" in (await client.get("/console")).text
        await client.post("/console/language")
        assert "承認" in (await client.get("/console")).text


@pytest.mark.parametrize("days", ["", "x", "nan", "inf", "-5", "1e999"])
async def test_a_strange_filter_is_no_failure(stage: Stage, days: str) -> None:
    async with stage.signed_in() as client:
        assert (await client.get("/console/audit", params={"days": days, "profile": "nosuch"})).status_code == 200


def test_both_languages_have_the_same_words() -> None:
    assert set(WORDS["en"]) == set(WORDS["ja"])


async def test_a_form_of_who_is_not_signed_in_any_more_does_nothing(stage: Stage) -> None:
    stage.asked()
    async with stage.signed_in() as client:
        token = csrf(await client.get("/console"))
        stage.now = NOW + LIFETIME + 1
        for deed in ("approve", "reveal"):
            answer = await client.post(f"/console/{deed}", data={"csrf": token, "code": ASKED.code})
            assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")


async def test_a_link_of_another_site_is_followed_once_more_from_here(stage: Stage) -> None:
    stage.asked()
    async with stage.browser() as client:
        path = "/console/approvals/ABCD-2345"
        crossed = await client.get(path, headers={"sec-fetch-site": "cross-site"})
        assert (crossed.status_code, f'content="0;url={path}"' in crossed.text) == (200, True)
        assert "青空" not in crossed.text
        assert (await client.get(path, headers={"sec-fetch-site": "same-origin"})).status_code == 303


async def test_what_is_not_there_is_said_to_be_so(stage: Stage) -> None:
    async with stage.signed_in() as client:
        for path in ("/console/nothing", "/console/approvals/ZZZZ-ZZZZ", "/console/a/b/c"):
            answer = await client.get(path)
            assert (answer.status_code, "There is no such page." in answer.text) == (404, True)


async def test_a_store_that_cannot_be_read_is_no_blank_page(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> list[Approval]:
        raise StoreError("The store cannot be used: disk I/O error.")

    async with stage.signed_in() as client:
        token = csrf(await client.get("/console"))
        monkeypatch.setattr(stage.store, "approvals", broken)
        monkeypatch.setattr(stage.store, "secret", broken)
        for answer in (
            await client.get("/console"),
            await client.post("/console/approve", data={"csrf": token, "code": ASKED.code}),
            await client.post("/console/reveal", data={"csrf": token, "handle": "x"}),
        ):
            assert answer.status_code == 503
            assert "cannot be read just now" in answer.text
            assert "disk I/O" not in answer.text


async def test_sessions_that_cannot_be_read_are_no_blank_page(stage: Stage) -> None:
    class Away(LocalSessions):
        def find(self, cookie: str, now: float) -> Session | None:
            raise StoreError("The store cannot be used: the database does not do it.")

    async with stage.signed_in() as client:
        known = client.cookies
    stage.serve(sessions=Away())
    async with stage.browser() as client:
        client.cookies = known
        for path in ("/console", "/console/nowhere", "/console/session"):
            answer = await client.get(path)
            assert (answer.status_code, "cannot be read just now" in answer.text) == (503, True), path


async def test_a_profile_that_is_not_theirs_is_not_frozen(stage: Stage) -> None:
    async with stage.signed_in() as client:
        for profile in ("", "staging"):
            assert (await decide(client, "freeze", profile=profile, code="")).status_code == 409
    assert stage.store.frozen() is None


async def test_a_secret_of_a_profile_that_is_not_theirs_is_not_revealed(stage: Stage) -> None:
    hiding = Hiding()
    handle = hiding.hide("hush-hush")
    Handles(stage.store, stage.console.desk.sealer, lambda: NOW).keep(hiding, "bob", "staging")
    async with stage.signed_in() as client:
        assert (await decide(client, "reveal", handle=handle)).status_code == 422
    assert Handles(stage.store, stage.console.desk.sealer, lambda: NOW).reveal(handle) == "hush-hush"


async def test_the_audit_of_a_profile_that_is_not_theirs_is_not_shown(stage: Stage) -> None:
    stage.store.refuse("call-1", {"operation": "auth.GetTenant", "principal": "bob", "profile": "staging"}, NOW)
    async with stage.signed_in() as client:
        assert "auth.GetTenant" not in (await client.get("/console/audit")).text


async def test_where_there_is_no_single_sign_on_its_addresses_lead_to_the_door(stage: Stage) -> None:
    async with stage.browser() as client:
        for path in ("/console/sso", "/console/sso/callback?code=c&state=s"):
            assert (await client.get(path)).headers["location"] == "/console/sign-in"


async def test_a_form_of_another_site_signs_nobody_in(stage: Stage) -> None:
    ticket = stage.console.doors.tickets.issue(ALICE)
    async with stage.browser(**{"sec-fetch-site": "cross-site"}) as client:
        for path, fields in (("sign-in", {"token": TOKEN}), (f"enter/{ticket}", {})):
            answer = await client.post(f"/console/{path}", data=fields)
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


async def test_signing_out_everywhere_ends_every_session_of_that_person(stage: Stage) -> None:
    async with stage.signed_in() as one, stage.signed_in() as other:
        await decide(one, "sign-out", everywhere="1")
        assert (await other.get("/console")).status_code == 303


async def test_a_policy_that_was_edited_since_is_said_to_be_so(stage: Stage) -> None:
    written = Written("version: 1", outdated=True)
    stage.console = replace(stage.console, desk=replace(stage.console.desk, written=lambda: written))
    stage.serve()
    async with stage.signed_in() as client:
        assert "not yet in force" in (await client.get("/console/policy")).text


async def test_a_page_to_come_back_to_is_one_of_the_consoles(stage: Stage) -> None:
    async with stage.browser() as client:
        for back, led in (
            ("/audit", "/console/audit"),
            ("//evil.example.com", "/console"),
            ("https://evil", "/console"),
        ):
            answer = await client.post("/console/language", data={"back": back})
            assert answer.headers["location"] == led
