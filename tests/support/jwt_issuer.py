"""An identity provider that serves its keys and signs the tokens of a test."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from saasus_mcp.hosting.auth.jwks import JwksCache
from saasus_mcp.hosting.auth.jwt_auth import JwtAuthenticator
from saasus_mcp.settings.hosting import JwtTable

ISSUER = "https://login.example.com/realms/main"
RESOURCE = "https://mcp.example.com/mcp"
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:  # noqa: ARG001 - tells keys apart
    """Return a key by number. Each is created once, since that takes long."""
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Private) -> bytes:
    """Return the public key as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Clock:
    """A clock that only the test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class JwtIssuer:
    """An identity provider that counts the requests for its keys."""

    keys: dict[str, Private] = field(default_factory=lambda: {"one": rsa_key()})
    asked: int = 0
    answer: httpx2.Response | None = None
    """What it answers instead of its keys."""
    down: bool = False
    clock: Clock = field(default_factory=Clock)

    def document(self) -> dict[str, Any]:
        return {"keys": [{**_public(key), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]}

    def transport(self) -> httpx2.MockTransport:
        def answer(request: httpx2.Request) -> httpx2.Response:
            self.asked += 1
            if self.down:
                raise httpx2.ConnectError("down", request=request)
            return self.answer or httpx2.Response(200, json=self.document())

        return httpx2.MockTransport(answer)

    def callers(self, audiences: dict[str, frozenset[str] | None] | None = None, **settings: Any) -> JwtAuthenticator:
        """Return an authenticator that trusts this provider."""
        table = JwtTable(issuer=ISSUER, jwks_url=f"{ISSUER}/keys", **settings)
        return JwtAuthenticator(table, audiences or {RESOURCE: None}, self._keys)

    def _keys(self, algorithms: Sequence[str]) -> JwksCache:
        return JwksCache(f"{ISSUER}/keys", algorithms, self.transport(), self.clock)

    def token(
        self,
        kid: str | None = "one",
        algorithm: str = "RS256",
        key: Any = None,
        headers: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Sign a token. Claims that are None are left out."""
        said = {"iss": ISSUER, "aud": RESOURCE, "sub": "hanako", "exp": time.time() + 600, "azp": "desktop", **claims}
        given = {name: value for name, value in said.items() if value is not None}
        header = {**({} if kid is None else {"kid": kid}), **(headers or {})}
        chosen: Any = self.keys[kid or "one"] if key is None else key
        return jwt.encode(given, chosen, algorithm, header)


def _public(key: Private) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
