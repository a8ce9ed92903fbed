"""Session ids that carry the session: what the client declared in `initialize`, encrypted. No replica stores it.

The store has only the sessions that their clients have ended.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_types import ClientCapabilities, InitializeRequestParams
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION

from saasus_mcp.hosting.auth.authentication import Caller
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.permissions.policy.narrowing import Narrowing
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.server.apps.extension import APP_MIME_TYPE, EXTENSION_ID, declares_apps
from saasus_mcp.store.errors import StoreError

LIFETIME_SECONDS = 7 * 24 * 3600
"""How long an id is accepted. The client then starts a new session."""
_ID = re.compile(r"[A-Za-z0-9_-]+={0,2}")
MAX_ID_LENGTH = 4096
"""Characters of an id. Proxies limit a header to 8 KiB."""
ELICITATION_MODES = ("form", "url")
log = logging.getLogger(__name__)
RECHECK_SECONDS = 1.0
"""How long a session that was ended through another replica may still be served by this one."""
MAX_CHECKED = 10_000
"""Sessions whose check is remembered."""


class SessionTooLarge(Exception):
    """The names in the narrowing do not fit into an id."""


@dataclass(frozen=True, slots=True)
class ClientSession:
    """A session.

    Attributes:
        id: the text that the client sends.
        key: names the session in the store.
        capabilities: what the client declared, as far as this server uses it: how it can ask its person, and whether it shows apps.
        narrowing: the narrowing of `initialize`, for the whole session.
        expires_at: epoch seconds at which the id expires.
    """

    id: str
    key: str
    protocol_version: str
    capabilities: Mapping[str, Any]
    narrowing: Narrowing
    expires_at: float


class SessionIds:
    """Issues and reads the session ids of one profile.

    An id authorizes nothing: each request is authenticated, and an id is valid only for the caller that it was issued to.
    """

    def __init__(self, encryptor: Encryptor, profile: str, clock: Callable[[], float] = time.time) -> None:
        self._encryptor = encryptor
        self._purpose = f"MCP session of {profile}"
        self._clock = clock

    def issue(self, caller: Caller, params: InitializeRequestParams, narrowing: Narrowing) -> ClientSession:
        """Return the session that a client opens. Raise SessionTooLarge if the narrowing is too long."""
        key, expires_at = secrets.token_hex(16), self._clock() + LIFETIME_SECONDS
        version = _negotiate_version(params.protocol_version)
        capabilities = _used_capabilities(params.capabilities)
        content = [key, owner_digest(caller), version, capabilities, narrowing.to_json(), expires_at]
        identifier = self._encryptor.encrypt_token(content, self._purpose)
        if len(identifier) > MAX_ID_LENGTH:
            raise SessionTooLarge
        return ClientSession(identifier, key, version, capabilities, narrowing, expires_at)

    def read(self, identifier: str, caller: Caller) -> ClientSession | None:
        """Return the session of an id, or None if it was not issued to this caller, or has expired."""
        if len(identifier) > MAX_ID_LENGTH or not _ID.fullmatch(identifier):
            return None
        content = self._encryptor.decrypt_token(identifier, self._purpose)
        if content is None:
            return None
        key, owner, version, capabilities, narrowing, expires_at = content
        if owner != owner_digest(caller) or expires_at <= self._clock():
            return None
        return ClientSession(identifier, key, version, capabilities, Narrowing.from_json(narrowing), expires_at)


def owner_digest(caller: Caller) -> str:
    """Return the digest of whose session it is: a person, and the program that the token was issued to."""
    identity = json.dumps([caller.issuer, caller.client_id, caller.principal.id])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _negotiate_version(requested: str) -> str:
    return requested if requested in HANDSHAKE_PROTOCOL_VERSIONS else LATEST_HANDSHAKE_VERSION


def _used_capabilities(declared: ClientCapabilities) -> dict[str, Any]:
    used: dict[str, Any] = {}
    if declared.elicitation is not None:
        used["elicitation"] = {
            mode: {} for mode in ELICITATION_MODES if getattr(declared.elicitation, mode) is not None
        }
    if declares_apps(declared.extensions):
        used["extensions"] = {EXTENSION_ID: {"mimeTypes": [APP_MIME_TYPE]}}
    return used


class EndedSessions:
    """Knows which sessions have ended, through whichever replica.

    Without the store a session counts as open: it authorizes nothing, and each of its requests is authenticated.
    """

    def __init__(self, profile: ServedProfile, clock: Callable[[], float] = time.monotonic) -> None:
        self._pipeline = profile.pipeline
        self._clock = clock
        self._checked: dict[str, float] = {}

    async def add(self, session: ClientSession) -> None:
        """End a session. Raise StoreError if the store fails."""
        self._checked.pop(session.key, None)
        await self._pipeline.store_executor(
            lambda: self._pipeline.store.mailboxes.end_session(session.key, session.expires_at)
        )

    async def contains(self, session: ClientSession) -> bool:
        now = self._clock()
        if now - self._checked.get(session.key, -RECHECK_SECONDS) < RECHECK_SECONDS:
            return False
        try:
            ended = await self._pipeline.store_executor(lambda: self._pipeline.store.mailboxes.has_ended(session.key))
        except StoreError as error:
            log.warning("whether a session has ended is unknown: %s", error)
            return False
        self._checked.pop(session.key, None)
        if not ended:
            self._checked[session.key] = now
            if len(self._checked) > MAX_CHECKED:
                del self._checked[next(iter(self._checked))]
        return ended
