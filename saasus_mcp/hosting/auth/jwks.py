"""The keys of an identity provider, fetched over HTTP and kept: new ones are found without a restart."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import anyio
import httpx2
import jwt

from saasus_mcp.hosting.auth.authentication import AuthUnavailable
from saasus_mcp.hosting.documents import Unreadable, fetched
from saasus_mcp.saasus.network_errors import UNUSABLE

log = logging.getLogger(__name__)

FRESH_SECONDS = 10 * 60.0
"""Seconds for which keys are used without asking anew. A key that the provider withdraws holds so much longer."""
STALE_SECONDS = 4 * 3600.0
"""Seconds for which keys are used while the provider cannot be reached."""
RETRY_SECONDS = 10.0
"""Seconds between two attempts: tokens with made-up keys must not make this server attack the provider."""
TIMEOUT_SECONDS = 5.0
MAX_KEYS = 100

KeyId = tuple[str, str]
"""A key's id and an algorithm."""


class JwksCache:
    """The signing keys of one provider.

    Args:
        url: of its JWKS document.
        algorithms: those that a key may be used with.
        transport: in place of the network.
        clock: seconds that only go forward.
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
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._failing = True
        self._fetching = anyio.Lock()

    async def find_key(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        """Return the key of this id, or without an id the only one; None where the provider has none for this algorithm.

        Raises:
            Unavailable: it is not among the known keys, and the provider could not be asked.
        """
        known = self._known(kid, algorithm)
        if known is not None and (self._age() < FRESH_SECONDS or self._fetching.locked()):
            return known  # while one request asks anew, the others need not wait
        async with self._fetching:
            known = self._known(kid, algorithm)
            if self._clock() - self._tried >= RETRY_SECONDS and (known is None or self._age() >= FRESH_SECONDS):
                await self._fetch()
                known = self._known(kid, algorithm)
        if known is None and self._failing:
            raise AuthUnavailable(
                "The token cannot be checked: the identity provider's keys are unavailable.",
                "Keep the token and try again shortly.",
            )
        return known

    async def has_usable_keys(self) -> bool:
        """Whether there are keys to check tokens with. The provider is asked only where there are none, and not more often than by calls."""
        if self._age() >= STALE_SECONDS:
            async with self._fetching:
                if self._age() >= STALE_SECONDS and self._clock() - self._tried >= RETRY_SECONDS:
                    await self._fetch()
        return self._age() < STALE_SECONDS

    def _age(self) -> float:
        return self._clock() - self._fetched

    def _known(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        if self._age() >= STALE_SECONDS:
            return None
        if kid:
            return self._keys.get((kid, algorithm))
        fitting = [key for (_, usable), key in self._keys.items() if usable == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    async def _fetch(self) -> None:
        """Ask the provider; what is known stays where it does not answer."""
        self._tried, self._failing = self._clock(), True
        try:
            # Whoever asks may give up sooner (readiness does). What the provider then says counts all the same: the next
            # attempt is a pause away.
            with anyio.CancelScope(shield=True):
                found = _usable(await fetched(self._url, TIMEOUT_SECONDS, self._transport), self._algorithms)
        except (
            httpx2.HTTPError,
            *UNUSABLE,
        ) as error:  # also no more open files, out of time, or an unreadable document
            log.warning("the identity provider's keys cannot be read: %s", type(error).__name__)
            return
        self._keys, self._fetched, self._failing = found, self._clock(), False


def _usable(document: bytes, algorithms: Iterable[str]) -> dict[KeyId, jwt.PyJWK]:
    """The public keys of a document that verify signatures, under each algorithm that fits them.

    Raises:
        Unreadable: it is no set of keys, or none of them is of use.
    """
    try:
        listed = json.loads(document)["keys"]
        given = [each for each in listed if _verifies(each)][:MAX_KEYS]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable from None
    found: dict[KeyId, jwt.PyJWK] = {}
    for each in given:
        for algorithm in algorithms:
            if each.get("alg", algorithm) != algorithm:
                continue
            try:
                found[str(each.get("kid", "")), algorithm] = jwt.PyJWK(each, algorithm)
            except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
                continue  # a key for other algorithms, or a broken one
    if not found:
        raise Unreadable
    return found


def _verifies(key: Any) -> bool:
    """Whether it is a public key for signatures: a shared secret is never one."""
    return isinstance(key, dict) and key.get("kty") in {"RSA", "EC", "OKP"} and key.get("use", "sig") == "sig"
