"""Single sign-on to the console: OpenID Connect, authorization code with PKCE, through Authlib; keys and claims as at /mcp."""

from __future__ import annotations

import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import httpx2
import jwt

from saasus_mcp.hosting.auth.authentication import MAX_ID_LENGTH, AuthUnavailable, oidc_principal_id, principal_groups
from saasus_mcp.hosting.auth.jwks import RETRY_SECONDS, JwksCache
from saasus_mcp.hosting.auth.jwt_auth import ASYMMETRIC_ALGORITHMS, TokenRejected, read_groups
from saasus_mcp.hosting.console.signin_sessions import Approver, VerifiedApprover
from saasus_mcp.hosting.documents import Unreadable, fetched
from saasus_mcp.settings import OidcTable, parse_provider_url

log = logging.getLogger(__name__)

METADATA_SECONDS = 10 * 60.0
"""Seconds for which what the provider says of itself is used without asking anew."""
TIMEOUT_SECONDS = 10.0
"""Seconds for an answer of the provider."""
REQUIRED_CLAIMS = ["exp", "iat", "iss", "aud", "sub", "nonce"]
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


SignInFailureReason = Literal["denied", "again", "failed", "no_group", "unavailable"]


class SignInFailed(Exception):
    """Nobody is signed in.

    Attributes:
        why: a word for what the person is told; `unavailable` where the provider is away, and nothing is wrong with them.
        group: the one that they lack.
    """

    def __init__(self, why: SignInFailureReason, group: str = "") -> None:
        super().__init__(why)
        self.reason = why
        self.group = group


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A sign-in under way: where the browser goes, and what the answer must match."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What the provider says of itself."""

    metadata: Mapping[str, Any]
    keys: JwksCache
    at: float


class OidcProvider:
    """The identity provider whose people may sign in to the console, where they have the group of approvers.

    Args:
        here: the address that the provider sends people back to.
        transport: in place of the network.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        settings: OidcTable,
        redirect_uri: str,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._here = redirect_uri
        self._transport = transport
        self._clock = clock
        self._known: _Known | None = None
        self._asking = anyio.Lock()
        self._failed: tuple[float, SignInFailureReason] = (float("-inf"), "unavailable")
        self._algorithms = [each for each in settings.algorithms if each in ASYMMETRIC_ALGORITHMS]
        self._jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})

    async def begin_sign_in(self) -> PendingSignIn:
        """Where to send a browser, and what its way back must match.

        Raises:
            SignInFailed: the provider cannot be reached.
        """
        from authlib.common.security import generate_token  # noqa: PLC0415 - of the extra `hosted`

        known = await self._provider()
        verifier, nonce, state = generate_token(64), generate_token(32), generate_token(32)
        async with self._client(known) as client:
            url, _ = client.create_authorization_url(
                known.metadata["authorization_endpoint"], state=state, code_verifier=verifier, nonce=nonce
            )
        return PendingSignIn(str(url), state, nonce, verifier)

    async def finish_sign_in(self, answer: Mapping[str, str], begun: PendingSignIn | None) -> VerifiedApprover:
        """Whom the provider's answer signs in.

        Args:
            answer: what the browser brought back in its address.
            begun: as this browser kept it; None where it kept nothing, or for too long.

        Raises:
            SignInFailed: nobody.
        """
        if begun is None or not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
            raise SignInFailed("again")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:
            log.warning("console sign-in: the answer comes from another issuer")
            raise SignInFailed("failed")
        if "error" in answer or not answer.get("code"):
            log.info("console sign-in: the provider said no")
            raise SignInFailed("denied")
        known = await self._provider()
        token = await self._exchanged(known, answer["code"], begun)
        try:
            return self._admitted(await self._claims(known, token, begun))
        except AuthUnavailable as error:
            log.warning("console sign-in: %s", error.message)
            raise SignInFailed("unavailable") from None
        except (jwt.PyJWTError, TokenRejected, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            said = str(error) if isinstance(error, TokenRejected) else type(error).__name__
            log.warning("console sign-in: the ID token was refused: %s", said)
            raise SignInFailed("failed") from None

    async def _exchanged(self, known: _Known, code: str, begun: PendingSignIn) -> Mapping[str, Any]:
        """What the provider gives for the code."""
        from authlib.common.errors import AuthlibBaseError  # noqa: PLC0415 - of the extra `hosted`

        try:
            async with self._client(known) as client:
                given = await client.fetch_token(
                    known.metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=begun.verifier,
                )
        except (httpx2.HTTPError, OSError) as error:
            raise _away(error) from None
        except (AuthlibBaseError, ValueError, RecursionError) as error:
            log.warning("console sign-in: the code was not exchanged: %s", type(error).__name__)
            raise SignInFailed("failed") from None
        if not isinstance(given, Mapping) or not isinstance(given.get("id_token"), str):
            log.warning("console sign-in: the provider gave no ID token")
            raise SignInFailed("failed")
        return given

    async def _claims(self, known: _Known, token: Mapping[str, Any], begun: PendingSignIn) -> Mapping[str, Any]:
        """The claims of an ID token that is for this console and for this very sign-in.

        Raises:
            PyJWTError, Unfit, ValueError: it is not.
        """
        from authlib.oidc.core import CodeIDToken  # noqa: PLC0415 - of the extra `hosted`
        from joserfc.errors import JoseError  # noqa: PLC0415 - as above

        settings = self._settings
        header = jwt.get_unverified_header(token["id_token"])
        if header.get("alg") not in self._algorithms:
            raise jwt.InvalidAlgorithmError
        key = await known.keys.find_key(header.get("kid", ""), header["alg"])
        if key is None:
            raise TokenRejected("its key is not one of the provider's")
        claims: dict[str, Any] = self._jwt.decode(
            token["id_token"],
            key,
            algorithms=self._algorithms,
            audience=settings.client_id,
            issuer=settings.issuer,
            leeway=settings.leeway,
            options={"require": REQUIRED_CLAIMS},
        )
        expected = {"nonce": begun.nonce, "client_id": settings.client_id, "access_token": token.get("access_token")}
        try:
            CodeIDToken(claims, header, {}, expected).validate(leeway=settings.leeway)
        except JoseError as error:
            raise TokenRejected(f"of its claims: {type(error).__name__}") from None
        return claims

    def _admitted(self, claims: Mapping[str, Any]) -> VerifiedApprover:
        settings = self._settings
        subject = claims.get(settings.subject_claim)
        identity = oidc_principal_id(settings.issuer, subject if isinstance(subject, str) else "")
        if not subject or not identity.isprintable() or len(identity) > MAX_ID_LENGTH:
            raise TokenRejected("its subject is empty, too long or not printable")
        named = principal_groups(read_groups(claims, settings.groups_claim))
        if settings.approver_group not in named:
            log.info("console sign-in: someone without the group of approvers")
            raise SignInFailed("no_group", settings.approver_group)
        return VerifiedApprover(Approver(identity, named))

    def _client(self, known: _Known) -> Any:
        """Authlib's client, on httpx2: it builds the address with the challenge, and exchanges the code."""
        from authlib.integrations.httpx_client import AsyncOAuth2Client  # noqa: PLC0415 - of the extra `hosted`

        settings = self._settings
        secret = settings.client_secret.read() if settings.client_secret else None
        supported = known.metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        with_secret = "client_secret_basic" if "client_secret_basic" in supported else "client_secret_post"
        return AsyncOAuth2Client(
            settings.client_id,
            secret,
            token_endpoint_auth_method=with_secret if secret else "none",
            scope=" ".join(settings.scopes),
            redirect_uri=self._here,
            code_challenge_method="S256",
            transport=self._transport,
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
        )

    async def _provider(self) -> _Known:
        """What the provider says of itself, looked at anew now and then.

        Raises:
            SignInFailed: it cannot be reached, or says something that nobody should follow.
        """
        async with self._asking:
            if self._known is not None and self._clock() - self._known.at < METADATA_SECONDS:
                return self._known
            at, why = self._failed
            if self._clock() - at < RETRY_SECONDS:
                raise SignInFailed(why)
            return await self._discovered()

    async def _discovered(self) -> _Known:
        """What the provider says of itself now.

        Raises:
            SignInFailed: as above.
        """
        self._failed = (self._clock(), "unavailable")  # first, since a request that ends may cancel it
        try:
            metadata = await self._metadata()
        except (httpx2.HTTPError, OSError) as error:
            failure = _away(error)
        except (ValueError, RecursionError) as error:
            log.warning("console sign-in: the provider's metadata cannot be read: %s", type(error).__name__)
            failure = SignInFailed("failed")
        else:
            return self._knows(metadata)
        self._failed = (self._clock(), failure.reason)  # from now on: others waited, and must not wait as long again
        raise failure

    def _knows(self, metadata: Mapping[str, Any]) -> _Known:
        """Keep what the provider says, and its keys where they are still at the same address."""
        self._failed = (float("-inf"), "unavailable")
        before, where = self._known, metadata["jwks_uri"]
        same = before is not None and before.metadata["jwks_uri"] == where
        keys = before.keys if before and same else JwksCache(where, self._algorithms, self._transport, self._clock)
        self._known = _Known(metadata, keys, self._clock())
        return self._known

    async def _metadata(self) -> Mapping[str, Any]:
        """The discovery document.

        Raises:
            ValueError: it is no such document, of another issuer, or names an address that is not safe.
        """
        url = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = json.loads(await fetched(url, TIMEOUT_SECONDS, self._transport))
        if not isinstance(found, dict) or found.get("issuer") != self._settings.issuer:
            raise Unreadable
        for name in ENDPOINTS:
            parse_provider_url(found.get(name))
        return found


def _away(error: Exception) -> SignInFailed:
    """Why nobody is signed in where the provider did not answer, or not with what was asked for."""
    log.warning("console sign-in: the provider cannot be reached: %s", type(error).__name__)
    answered = isinstance(error, httpx2.HTTPStatusError) and not error.response.is_server_error
    return SignInFailed("failed" if answered else "unavailable")
