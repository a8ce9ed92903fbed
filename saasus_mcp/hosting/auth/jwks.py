"""Requests to an identity provider, and a cache of its signing keys (JWKS). New keys are found without a restart."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import anyio
import httpx2
import jwt

from saasus_mcp.common.fetch import read_limited
from saasus_mcp.common.messages import message
from saasus_mcp.hosting.auth.authentication import AuthUnavailable
from saasus_mcp.saasus.network_errors import UNUSABLE

MAX_DOCUMENT_BYTES = 256 * 1024
log = logging.getLogger(__name__)
FRESH_SECONDS = 10 * 60.0
"""How long keys are used before they are fetched again. A key that the provider withdraws stays valid that long."""
STALE_SECONDS = 4 * 3600.0
"""How long keys are used while the provider cannot be reached."""
RETRY_SECONDS = 10.0
"""The pause between two attempts: tokens with made-up keys must not make this server attack the provider."""
TIMEOUT_SECONDS = 5.0
MAX_KEYS = 100
KeyId = tuple[str, str]
"""A key's id and an algorithm."""


class InvalidProviderDocument(ValueError):
    """The provider's answer is not the expected document."""


async def request_document(
    url: str,
    seconds: float,
    transport: httpx2.AsyncBaseTransport | None = None,
    *,
    form: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
) -> bytes:
    """Return the document at a URL, or the answer to a form that is posted there. Redirects are not followed.

    Args:
        seconds: the time limit of the whole request.
        transport: replaces the network in tests.
        auth: user and password for basic authentication.

    Raises:
        httpx2.HTTPError: the provider does not answer, or not with success.
        TimeoutError: the request takes too long.
        ResponseTooLarge: the document is larger than `MAX_DOCUMENT_BYTES`.
    """
    method = "GET" if form is None else "POST"
    with anyio.fail_after(seconds):
        async with (
            httpx2.AsyncClient(transport=transport, timeout=seconds, follow_redirects=False, auth=auth) as http,
            http.stream(method, url, headers={"Accept": "application/json"}, data=form) as answer,
        ):
            answer.raise_for_status()
            return await read_limited(answer, MAX_DOCUMENT_BYTES)


class JwksCache:
    """The signing keys of one provider.

    Args:
        algorithms: the algorithms that a key may be used with.
        transport: replaces the network in tests.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        url: str,
        algorithms: Sequence[str],
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._algorithms = algorithms
        self._transport = transport
        self._clock = clock
        self._keys: dict[KeyId, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._failing = True
        self._lock = anyio.Lock()

    async def find_key(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        """Return the key with this id, or the only key if the id is empty; None if the provider has none for this algorithm.

        Raises:
            AuthUnavailable: the key is not cached, and the provider cannot be reached.
        """
        known = self._known(kid, algorithm)
        if known is not None and (self._age() < FRESH_SECONDS or self._lock.locked()):
            return known  # while one request refreshes the keys, others need not wait
        async with self._lock:
            known = self._known(kid, algorithm)
            if self._clock() - self._tried_at >= RETRY_SECONDS and (known is None or self._age() >= FRESH_SECONDS):
                await self._fetch()
                known = self._known(kid, algorithm)
        if known is None and self._failing:
            raise AuthUnavailable(message("hosting.keys_unavailable"), message("hosting.keep_token"))
        return known

    async def has_usable_keys(self) -> bool:
        """Return True if there are keys to check tokens with. They are fetched only if missing, with the same pause as for calls."""
        if self._age() >= STALE_SECONDS:
            async with self._lock:
                if self._age() >= STALE_SECONDS and self._clock() - self._tried_at >= RETRY_SECONDS:
                    await self._fetch()
        return self._age() < STALE_SECONDS

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _known(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        if self._age() >= STALE_SECONDS:
            return None
        if kid:
            return self._keys.get((kid, algorithm))
        matches = [key for (_, usable), key in self._keys.items() if usable == algorithm]
        return matches[0] if len(matches) == 1 else None

    async def _fetch(self) -> None:
        """Fetch the keys. The cached ones stay if the provider does not answer."""
        self._tried_at, self._failing = self._clock(), True
        try:
            # The caller may give up sooner (readiness does). The answer is still used, because the next attempt has to wait.
            with anyio.CancelScope(shield=True):
                document = await request_document(self._url, TIMEOUT_SECONDS, self._transport)
                keys = parse_keys(document, self._algorithms)
        except (httpx2.HTTPError, *UNUSABLE) as error:  # also: too many open files, a timeout, or an invalid document
            log.warning("the identity provider's keys cannot be read: %s", type(error).__name__)
            return
        self._keys, self._fetched_at, self._failing = keys, self._clock(), False


def parse_keys(document: bytes, algorithms: Iterable[str]) -> dict[KeyId, jwt.PyJWK]:
    """Return the public keys for signatures in a JWKS document, under each algorithm that they fit.

    Raises:
        InvalidProviderDocument: the document is not a JWKS, or contains no usable key.
    """
    try:
        listed = json.loads(document)["keys"]
        candidates = [each for each in listed if _is_signature_key(each)][:MAX_KEYS]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidProviderDocument from None
    keys: dict[KeyId, jwt.PyJWK] = {}
    for each in candidates:
        for algorithm in algorithms:
            if each.get("alg", algorithm) != algorithm:
                continue
            try:
                keys[str(each.get("kid", "")), algorithm] = jwt.PyJWK(each, algorithm)
            except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
                continue  # a key for other algorithms, or a broken one
    if not keys:
        raise InvalidProviderDocument
    return keys


def _is_signature_key(key: Any) -> bool:
    """Return True for a public key for signatures; a shared secret is never accepted."""
    return isinstance(key, dict) and key.get("kty") in {"RSA", "EC", "OKP"} and key.get("use", "sig") == "sig"
