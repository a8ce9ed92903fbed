"""Single sign-on to the console with an OpenID Connect provider."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import httpx2

from saasus_mcp.common.person import read_person
from saasus_mcp.hosting.auth.authentication import (
    ASYMMETRIC_ALGORITHMS,
    AuthUnavailable,
    build_groups,
    read_groups,
    read_principal_id,
)
from saasus_mcp.hosting.auth.jwks import RETRY_SECONDS, JwksCache
from saasus_mcp.hosting.auth.jwt_auth import INVALID_TOKEN, describe_invalid_token
from saasus_mcp.hosting.console.oidc_protocol import (
    PendingSignIn,
    discover,
    exchange_code,
    start_sign_in,
    verify_id_token,
)
from saasus_mcp.hosting.console.signin_sessions import Approver, VerifiedApprover
from saasus_mcp.settings import OidcTable

log = logging.getLogger(__name__)

METADATA_SECONDS = 10 * 60.0
"""How long the provider's metadata is used before it is fetched again."""
SignInFailureReason = Literal["denied", "again", "failed", "no_group", "unavailable"]


class SignInFailed(Exception):
    """The person is not signed in.

    Attributes:
        reason: why; `unavailable` if the provider cannot be reached, and the person's account is not the cause.
        group: the group that the person lacks.
    """

    def __init__(self, reason: SignInFailureReason, group: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.group = group


@dataclass(frozen=True, slots=True)
class _Provider:
    """The metadata of the provider, its keys, and when the metadata was fetched."""

    metadata: Mapping[str, Any]
    keys: JwksCache
    fetched_at: float


class OidcProvider:
    """The identity provider whose users may sign in to the console if they are in the approvers' group.

    Args:
        redirect_uri: the URL that the provider sends people back to.
        transport: replaces the network in tests.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        settings: OidcTable,
        redirect_uri: str,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._transport = transport
        self._clock = clock
        self._known: _Provider | None = None
        self._lock = anyio.Lock()
        self._failed_at, self._failure = float("-inf"), SignInFailed("unavailable")
        self._algorithms = [each for each in settings.algorithms if each in ASYMMETRIC_ALGORITHMS]

    async def begin_sign_in(self) -> PendingSignIn:
        """Return the URL to send a browser to, and the values that its answer must match.

        Raises:
            SignInFailed: the provider cannot be reached.
        """
        provider = await self._provider()
        return start_sign_in(self._settings, provider.metadata, self._redirect_uri)

    async def finish_sign_in(self, answer: Mapping[str, str], pending: PendingSignIn | None) -> VerifiedApprover:
        """Return the approver that the provider's answer signs in.

        Args:
            answer: the query parameters that the browser brought back.
            pending: the sign-in that this browser started; None if it did not start one, or it took too long.

        Raises:
            SignInFailed: the person is not signed in.
        """
        if pending is None or not hmac.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
            raise SignInFailed("again")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:
            log.warning("console sign-in: the answer comes from another issuer")
            raise SignInFailed("failed")
        if "error" in answer or not answer.get("code"):
            log.info("console sign-in: the provider refused")
            raise SignInFailed("denied")
        provider = await self._provider()
        tokens = await self._exchange_code(provider, answer["code"], pending)
        try:
            claims = await verify_id_token(
                self._settings, tokens, pending.nonce, keys=provider.keys, algorithms=self._algorithms
            )
            return self._to_approver(claims)
        except AuthUnavailable as error:
            log.warning("console sign-in: %s", error.message)
            raise SignInFailed("unavailable") from None
        except INVALID_TOKEN as error:
            log.warning("console sign-in: the ID token was rejected: %s", describe_invalid_token(error))
            raise SignInFailed("failed") from None

    async def _exchange_code(self, provider: _Provider, code: str, pending: PendingSignIn) -> Mapping[str, Any]:
        form = {"code": code, "code_verifier": pending.verifier, "redirect_uri": self._redirect_uri}
        try:
            return await exchange_code(self._settings, provider.metadata, form, transport=self._transport)
        except (httpx2.HTTPError, OSError) as error:
            raise _to_failure(error) from None
        except (ValueError, RecursionError) as error:
            log.warning("console sign-in: the code was not exchanged: %s", type(error).__name__)
            raise SignInFailed("failed") from None

    def _to_approver(self, claims: Mapping[str, Any]) -> VerifiedApprover:
        settings = self._settings
        identity = read_principal_id(claims, settings.subject_claim, settings.issuer)
        groups = build_groups(read_groups(claims, settings.groups_claim))
        if settings.approver_group not in groups:
            log.info("console sign-in: the person is not in the approvers' group")
            raise SignInFailed("no_group", settings.approver_group)
        person = read_person(claims, settings.name_claim, settings.email_claim)
        return VerifiedApprover(Approver(identity, groups, person=person))

    async def _provider(self) -> _Provider:
        """Return the provider, with metadata that is fetched again now and then.

        Raises:
            SignInFailed: the provider cannot be reached, or its metadata is not acceptable.
        """
        async with self._lock:
            if self._known is not None and self._clock() - self._known.fetched_at < METADATA_SECONDS:
                return self._known
            if self._clock() - self._failed_at < RETRY_SECONDS:
                raise SignInFailed(self._failure.reason)
            return await self._discover()

    async def _discover(self) -> _Provider:
        # Set before the request: a canceled sign-in must not let the next one try at once.
        self._failed_at, self._failure = self._clock(), SignInFailed("unavailable")
        try:
            metadata = await discover(self._settings.issuer, self._transport)
        except (httpx2.HTTPError, OSError) as error:
            self._failure = _to_failure(error)
        except (ValueError, RecursionError) as error:
            log.warning("console sign-in: the provider's metadata cannot be read: %s", type(error).__name__)
            self._failure = SignInFailed("failed")
        else:
            return self._remember(metadata)
        self._failed_at = self._clock()  # the pause begins now: others have waited, and must not wait as long again
        raise self._failure

    def _remember(self, metadata: Mapping[str, Any]) -> _Provider:
        """Store the metadata. Keep the cached keys if their URL has not changed."""
        self._failed_at = float("-inf")
        previous, url = self._known, metadata["jwks_uri"]
        if previous is not None and previous.metadata["jwks_uri"] == url:
            keys = previous.keys
        else:
            keys = JwksCache(url, self._algorithms, self._transport, self._clock)
        self._known = _Provider(metadata, keys, self._clock())
        return self._known


def _to_failure(error: Exception) -> SignInFailed:
    """Return `failed` if the provider answered with a client error or a redirect, and `unavailable` otherwise."""
    log.warning("console sign-in: the provider cannot be reached: %s", type(error).__name__)
    answered = isinstance(error, httpx2.HTTPStatusError) and not error.response.is_server_error
    return SignInFailed("failed" if answered else "unavailable")
