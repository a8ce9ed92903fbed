"""What a provider's documents and tokens say besides: where its keys are not looked for, and which scopes a token has."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from saasus_mcp.hosting.auth.authentication import AuthUnavailable
from saasus_mcp.hosting.auth.jwks import JwksCache
from tests.support.jwt_issuer import ISSUER, JwtIssuer


async def test_keys_are_not_fetched_from_where_a_redirect_leads() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/keys"):
            return httpx2.Response(302, headers={"Location": "https://login.example.com/elsewhere"})
        return httpx2.Response(200, json=JwtIssuer().document())

    keys = JwksCache(f"{ISSUER}/keys", ["RS256"], httpx2.MockTransport(answer))
    with pytest.raises(AuthUnavailable):
        await keys.find_key("one", "RS256")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("claims", "lacks"),
    [
        ({"scope": "saasus other"}, ()),
        ({"scp": ["saasus"]}, ()),
        ({}, ("saasus",)),
        ({"scope": "saasus-admin"}, ("saasus",)),
        ({"scope": "", "scp": ["saasus"]}, ("saasus",)),
    ],
    ids=["a text", "a list", "none", "another", "none, and a list besides"],
)
async def test_the_scopes_of_a_token_are_those_that_it_says(claims: dict[str, Any], lacks: tuple[str, ...]) -> None:
    provider = JwtIssuer()
    caller = await provider.callers(scopes=["saasus"]).authenticate(provider.token(**claims))
    assert caller is not None
    assert caller.missing_scopes == lacks
