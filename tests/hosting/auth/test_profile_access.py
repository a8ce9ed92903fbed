"""Which profiles a caller may use, by groups and token, and what a path without a profile means."""

from __future__ import annotations

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.auth.profile_access import ProfileUnavailable, resolve_profile
from tests.support.hosting_server import (
    INITIALIZE,
    HostingServer,
    StaticAuthenticator,
    build_caller,
    build_server,
    error_message,
)

TWO = {"production": ("operators",), "staging": ("support", "operators"), "secret": ("nobody",)}


async def ask(made: HostingServer, path: str) -> httpx2.Response:
    async with made.client() as client:
        return await client.post(path, json=INITIALIZE)


@pytest.mark.parametrize(
    ("groups", "opens"),
    [
        (("operators",), {"production", "staging"}),
        (("support",), {"staging"}),
        (("support", "nobody"), {"staging", "secret"}),
        (("*",), set()),
        (("Operators",), set()),
        ((), set()),
    ],
    ids=["operators", "support", "support and nobody", "a star", "another case", "no group"],
)
async def test_a_profile_opens_to_its_groups_only(
    catalogue: Catalogue, groups: tuple[str, ...], opens: set[str]
) -> None:
    known = StaticAuthenticator({"alice-token": build_caller("alice", *groups)})
    async with build_server(catalogue, TWO, known=known).client() as client:
        for name in (*TWO, "nowhere"):
            for kind in ("mcp", "sse", "messages"):
                if kind != "mcp" and name in opens:
                    continue
                path = f"/{kind}/{name}" + ("/" if kind == "messages" else "")
                answer = await client.post(path, json=INITIALIZE)
                assert answer.status_code == (200 if name in opens else 403), path
                if name not in opens:
                    named = {other for other in TWO if f"/mcp/{other}" in error_message(answer)}
                    assert named == opens, "it names those that it may use, and no other"


async def test_without_a_profile_the_only_one_is_meant(catalogue: Catalogue) -> None:
    made = build_server(catalogue, TWO)
    assert (await ask(made, "/mcp")).status_code == 200


async def test_without_a_profile_the_choices_are_named(catalogue: Catalogue) -> None:
    known = StaticAuthenticator({"alice-token": build_caller("alice", "operators")})
    for path in ("/mcp", "/mcp/", "/sse"):
        answer = await ask(build_server(catalogue, TWO, known=known), path)
        assert answer.status_code == 400
        assert "/mcp/production, /mcp/staging" in error_message(answer)
        assert "secret" not in answer.text


async def test_without_any_profile_the_next_step_is_named(catalogue: Catalogue) -> None:
    answer = await ask(build_server(catalogue, {"default": ()}), "/mcp")
    assert answer.status_code == 403
    assert "Ask the operator to add one of your groups" in error_message(answer)


async def test_a_token_for_one_profile_opens_no_other(catalogue: Catalogue) -> None:
    known = StaticAuthenticator({"alice-token": build_caller("alice", "operators", profiles=frozenset({"staging"}))})
    for path, status in {"/mcp": 200, "/mcp/staging": 200, "/mcp/production": 403}.items():
        assert (await ask(build_server(catalogue, TWO, known=known), path)).status_code == status


@pytest.mark.parametrize("is_owner", [True, False])
def test_no_profile_is_open_to_an_approver_whatever_their_groups(catalogue: Catalogue, is_owner: bool) -> None:
    served = build_server(catalogue, {"default": "*"}).served
    boss = build_caller("boss", "operators", role="approver", is_owner=is_owner)
    for wanted in (None, "default"):
        with pytest.raises(ProfileUnavailable):
            resolve_profile(served, boss, wanted)


def test_why_a_profile_cannot_be_used_is_said_in_both_languages(catalogue: Catalogue) -> None:
    served = build_server(catalogue, TWO).served
    with pytest.raises(ProfileUnavailable) as several:
        resolve_profile(served, build_caller("owner", is_owner=True), None)
    assert several.value.message.id == "hosting.profile_ambiguous"
    assert "/mcp/production, /mcp/staging" in str(several.value)
    assert several.value.text("ja").startswith("使えるプロファイルが複数あります。")
    assert "/mcp/production、/mcp/staging" in several.value.text("ja")
