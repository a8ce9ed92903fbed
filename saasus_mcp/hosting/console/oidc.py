"""Single sign-on to the console: OpenID Connect, authorization code with PKCE, through Authlib; keys and claims as at /mcp."""

from __future__ import annotations

import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx2
import jwt

from saasus_mcp.hosting.console.sessions import Admitted, Approver
from saasus_mcp.hosting.documents import Unreadable, fetched
from saasus_mcp.hosting.identity import LONGEST_ID, groups, provider_id
from saasus_mcp.hosting.jwks import Keys
from saasus_mcp.hosting.jwt_callers import ASYMMETRIC, Unfit, claimed_groups
from saasus_mcp.settings import OidcTable, provider_url

log = logging.getLogger(__name__)

FRESH = 10 * 60.0
"""Seconds for which what the provider says of itself is used without asking anew."""
TIMEOUT = 10.0
"""Seconds for an answer of the provider."""
REQUIRED = ["exp", "iat", "iss", "aud", "sub", "nonce"]
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class SignInFailed(Exception):
    """Nobody is signed in. `why` is a word for what the person is told; `group`, the one that they lack."""

    def __init__(self, why: Literal["denied", "again", "failed", "no_group"], group: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.group = group


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in under way: where the browser goes, and what the answer must match."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What the provider says of itself."""

    metadata: Mapping[str, Any]
    keys: Keys
    at: float


class Provider:
    """The identity provider whose people may sign in to the console, where they have the group of approvers.

    Args:
        here: the address that the provider sends people back to.
        transport: in place of the network.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        settings: OidcTable,
        here: str,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._here = here
        self._transport = transport
        self._clock = clock
        self._known: _Known | None = None
        self._algorithms = [each for each in settings.algorithms if each in ASYMMETRIC]
        self._jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})

    async def begin(self) -> Begun:
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
        return Begun(str(url), state, nonce, verifier)

    async def finish(self, answer: Mapping[str, str], begun: Begun | None) -> Admitted:
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
        except (jwt.PyJWTError, Unfit, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            said = str(error) if isinstance(error, Unfit) else type(error).__name__
            log.warning("console sign-in: the ID token was refused: %s", said)
            raise SignInFailed("failed") from None

    async def _exchanged(self, known: _Known, code: str, begun: Begun) -> Mapping[str, Any]:
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
        except (httpx2.HTTPError, AuthlibBaseError, ValueError, RecursionError) as error:
            log.warning("console sign-in: the code was not exchanged: %s", type(error).__name__)
            raise SignInFailed("failed") from None
        if not isinstance(given, Mapping) or not isinstance(given.get("id_token"), str):
            log.warning("console sign-in: the provider gave no ID token")
            raise SignInFailed("failed")
        return given

    async def _claims(self, known: _Known, token: Mapping[str, Any], begun: Begun) -> Mapping[str, Any]:
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
        key = await known.keys.find(header.get("kid", ""), header["alg"])
        if key is None:
            raise Unfit("its key is not one of the provider's")
        claims: dict[str, Any] = self._jwt.decode(
            token["id_token"],
            key,
            algorithms=self._algorithms,
            audience=settings.client_id,
            issuer=settings.issuer,
            leeway=settings.leeway,
            options={"require": REQUIRED},
        )
        expected = {"nonce": begun.nonce, "client_id": settings.client_id, "access_token": token.get("access_token")}
        try:
            CodeIDToken(claims, header, {}, expected).validate(leeway=settings.leeway)
        except JoseError as error:
            raise Unfit(f"of its claims: {type(error).__name__}") from None
        return claims

    def _admitted(self, claims: Mapping[str, Any]) -> Admitted:
        settings = self._settings
        subject = claims.get(settings.subject_claim)
        identity = provider_id(settings.issuer, subject if isinstance(subject, str) else "")
        if not subject or not identity.isprintable() or len(identity) > LONGEST_ID:
            raise Unfit("its subject is empty, too long or not printable")
        named = groups(claimed_groups(claims, settings.groups_claim))
        if settings.approver_group not in named:
            log.info("console sign-in: someone without the group of approvers")
            raise SignInFailed("no_group", settings.approver_group)
        return Admitted(Approver(identity, named))

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
            timeout=TIMEOUT,
            follow_redirects=False,
        )

    async def _provider(self) -> _Known:
        """What the provider says of itself, looked at anew now and then.

        Raises:
            SignInFailed: it cannot be reached, or says something that nobody should follow.
        """
        if self._known is not None and self._clock() - self._known.at < FRESH:
            return self._known
        try:
            metadata = await self._metadata()
        except (httpx2.HTTPError, TimeoutError, ValueError, RecursionError) as error:
            log.warning("console sign-in: the provider cannot be reached or read: %s", type(error).__name__)
            raise SignInFailed("failed") from None
        before, where = self._known, metadata["jwks_uri"]
        same = before is not None and before.metadata["jwks_uri"] == where
        keys = before.keys if before and same else Keys(where, self._algorithms, self._transport, self._clock)
        self._known = _Known(metadata, keys, self._clock())
        return self._known

    async def _metadata(self) -> Mapping[str, Any]:
        """The discovery document.

        Raises:
            ValueError: it is no such document, of another issuer, or names an address that is not safe.
        """
        url = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = json.loads(await fetched(url, TIMEOUT, self._transport))
        if not isinstance(found, dict) or found.get("issuer") != self._settings.issuer:
            raise Unreadable
        for name in ENDPOINTS:
            provider_url(found.get(name))
        return found
