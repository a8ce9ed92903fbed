"""A small OpenID provider. People choose by a link who they are."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.support.jwt_issuer import rsa_key

CLIENT, SECRET = "console", "made-up client secret"
PEOPLE: dict[str, list[str]] = {"hanako": ["approvers", "operators"], "taro": ["operators"]}


@dataclass
class OpenIdProvider:
    """The provider.

    Attributes:
        says: claims of the next ID tokens, over what is true; None leaves one out.
        discovery: fields of the discovery document, over what is true.
        asked: what the console sent to the token endpoint.
    """

    issuer: str
    says: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    key: Any = None
    algorithm: str = "RS256"
    codes: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discover),
                Route("/authorize", self._authorize),
                Route("/as/{person}", self._choose),
                Route("/token", self._token, methods=["POST"]),
                Route("/moved", self._moved, methods=["POST"]),
                Route("/keys", self._keys),
                Route("/trap", self._trap),
            ]
        )

    async def _discover(self, _: Request) -> Response:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        said = {"issuer": self.issuer, **{name: f"{self.issuer}/{path}" for name, path in names.items()}}
        return JSONResponse(said | self.discovery)

    async def _authorize(self, request: Request) -> Response:
        query = urlencode(dict(request.query_params))
        links = "".join(f'<p><a href="/as/{person}?{query}">{person}</a></p>' for person in [*PEOPLE, "nobody"])
        return HTMLResponse(links.replace("&", "&amp;"))

    async def _choose(self, request: Request) -> Response:
        asked, person = dict(request.query_params), request.path_params["person"]
        back: dict[str, str] = {"state": asked["state"]}
        if person == "nobody":
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_urlsafe(16)
            self.codes[back["code"]] = (person, asked)
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 303)

    async def _token(self, request: Request) -> Response:
        """Exchange a code for tokens, once, for a client with its secret and the verifier."""
        fields = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.asked.append(fields)
        known = base64.b64encode(f"{CLIENT}:{SECRET}".replace(" ", "%20").encode()).decode()
        plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        person, asked = self.codes.pop(fields.get("code", ""), ("", {}))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(fields.get("code_verifier", "").encode()).digest())
        if (
            not person
            or asked["code_challenge"] != challenge.decode().rstrip("=")
            or asked["redirect_uri"] != fields.get("redirect_uri")
            or request.headers.get("authorization", "").removeprefix("Basic ") not in (known, plain)
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(
            {"access_token": "access", "token_type": "Bearer", "id_token": self._id_token(person, asked)}
        )

    async def _moved(self, _: Request) -> Response:
        return RedirectResponse(f"{self.issuer}/token", 307)

    def _id_token(self, person: str, asked: dict[str, str]) -> str:
        now = time.time()
        true = {"iss": self.issuer, "aud": CLIENT, "sub": person, "iat": now, "exp": now + 300}
        claims = true | {"nonce": asked["nonce"], "groups": PEOPLE[person]} | self.says
        given = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(given, self.key or rsa_key(), self.algorithm, {"kid": "one"})

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [{**RSAAlgorithm.to_jwk(rsa_key().public_key(), as_dict=True), "kid": "one"}]})

    async def _trap(self, request: Request) -> Response:
        """Serve a page of another site with a link and a form to the console, and the console in a frame."""
        to, fields = request.query_params["to"], [(k, v) for k, v in request.query_params.items() if k != "to"]
        inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields)
        return HTMLResponse(
            f'<a href="{to}">Go</a><form method="post" action="{to}">{inputs}<button>Win</button></form><iframe src="{to}">'
        )
