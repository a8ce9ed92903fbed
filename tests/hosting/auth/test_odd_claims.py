"""Signed tokens with odd claims, and texts in place of tokens: each is refused, with a reason in the log and without the token."""

from __future__ import annotations

import base64
import json
import logging
import time
from typing import Any

import jwt
import pytest

from saasus_mcp.hosting.auth.jwt_auth import MAX_TOKEN_LENGTH
from tests.support.jwt_issuer import RESOURCE, JwtIssuer, rsa_key

LATER = int(time.time()) + 86_400
TIMES: dict[str, Any] = {
    "text": str(LATER),
    "true": True,
    "huge": 1e308,
    "beyond every calendar": 10**18,
    "negative": -1,
    "nan": float("nan"),
    "infinite": float("inf"),
    "a list": [LATER],
    "an object": {"at": LATER},
}
ODD: dict[str, dict[str, Any]] = {
    **{f"{claim}: {name}": {claim: value} for claim in ("exp", "nbf", "iat") for name, value in TIMES.items()},
    "aud: numbers": {"aud": [RESOURCE, 7]},
    "aud: nested": {"aud": [[RESOURCE]]},
    "aud: an object": {"aud": {RESOURCE: True}},
    "aud: true": {"aud": True},
    "sub: NUL": {"sub": "hana\0ko"},
    "sub: a control character": {"sub": "hana\x1bko"},
    "sub: written backwards": {"sub": "\u202ehanako"},
    "sub: an isolate": {"sub": "\u2066hanako\u2069"},
    "sub: a line separator": {"sub": "hanako\u2028local:root"},
    "sub: a surrogate": {"sub": "hana\ud800ko"},
    "sub: empty": {"sub": ""},
    "sub: of ten kilobytes": {"sub": "x" * 10_000},
    "sub: a list": {"sub": ["hanako"]},
    "kid: a path": {"kid": "../../etc/passwd", "key": rsa_key()},
    "kid: an address": {"kid": "https://evil.example.com/key", "key": rsa_key()},
    "kid: empty": {"kid": "", "key": rsa_key(1)},
    "kid: none, and another key": {"kid": None, "key": rsa_key(1)},
    "crit": {"headers": {"crit": ["exp"]}},
    "crit: empty": {"headers": {"crit": []}},
    "b64": {"headers": {"crit": ["b64"], "b64": False}},
}


@pytest.mark.parametrize("claims", ODD.values(), ids=ODD)
async def test_a_token_with_an_odd_claim_is_refused_and_the_log_says_why(
    claims: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    provider = JwtIssuer()
    token = provider.token(**claims)
    assert await provider.callers().authenticate(token) is None
    [line] = [record.getMessage() for record in caplog.records if record.name.startswith("saasus_mcp")]
    assert line.startswith("token rejected: ")
    assert len(line) < 200
    assert not any(part in line for part in token.split(".") if part), "nothing of the token"


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", [float, int], ids=["with fractions", "whole"])
async def test_a_time_may_have_fractions(claim: str, value: type[float]) -> None:
    provider = JwtIssuer()
    at = time.time() + (600 if claim == "exp" else -600)
    times: dict[str, Any] = {claim: value(at)}
    assert await provider.callers().authenticate(provider.token(**times)) is not None


def doubled(name: str, first: str, second: str) -> str:
    """Return a signed token whose header has a field twice."""
    header = f'{{"alg": "RS256", "{name}": "{first}", "{name}": "{second}"}}'.encode()
    claims = JwtIssuer().token().split(".")[1]
    signed = f"{base64.urlsafe_b64encode(header).rstrip(b'=').decode()}.{claims}"
    signature = jwt.get_algorithm_by_name("RS256").sign(signed.encode(), rsa_key(1))
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


TEXTS = {
    "no parts": "hello",
    "two parts": JwtIssuer().token().rpartition(".")[0],
    "six parts": ".".join([JwtIssuer().token()] * 2),
    "five parts, as an encrypted one": ".".join(["e30"] * 5),
    "dots alone": "." * 8_000,
    "longer than any token": "x." * MAX_TOKEN_LENGTH,
    "the name of a key twice": doubled("kid", "one", "one"),
    "an algorithm twice": doubled("alg", "RS256", "none"),
    "claims that are a list": ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "RS256"}, [1], 1)
    ),
}


@pytest.mark.parametrize("token", TEXTS.values(), ids=TEXTS)
async def test_a_text_that_is_no_token_is_refused_and_the_log_says_why(
    token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert await JwtIssuer().callers().authenticate(token) is None
    [line] = [record.getMessage() for record in caplog.records if record.name.startswith("saasus_mcp")]
    assert line.startswith("token rejected: ")
    assert len(line) < 200


async def test_a_token_of_the_server_itself_is_left_to_it_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert await JwtIssuer().callers().authenticate("smcp_" + "A" * 43) is None
    assert caplog.records == []
