"""The console for tests of its pages."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.console.routes import Console
from saasus_mcp.hosting.console.service import ConsoleService, PolicyText, ProfileContext
from saasus_mcp.hosting.console.signin_routes import SigninRoutes
from saasus_mcp.hosting.console.signin_sessions import GuessThrottle, LocalSessions, OneTimeLinks
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.signin_sessions import VerifiedApprover
from saasus_mcp.store.store import Store
from tests.support.console import ALICE, TOKEN, ConsoleSession


@pytest.fixture
def stage(store: Store, catalogue: Catalogue) -> ConsoleSession:
    sealer = Encryptor.ephemeral()

    async def sign_in(token: str) -> VerifiedApprover | None:
        return VerifiedApprover(ALICE) if token == TOKEN else None

    def clock() -> float:
        return made.now

    contexts = [ProfileContext("production", frozenset({"operators"}), lambda: store, "production", "saas")]
    written = PolicyText("version: 1\n# <script>")
    service = ConsoleService(
        list_contexts=lambda: contexts,
        catalogue=catalogue,
        policy=PRESETS["guarded"],
        read_policy=lambda: written,
        encryptor=sealer,
        clock=clock,
    )
    signin = SigninRoutes(
        sessions=LocalSessions(),
        links=OneTimeLinks(clock),
        encryptor=sealer,
        clock=clock,
        throttle=GuessThrottle(clock),
        passphrase_throttle=GuessThrottle(clock),
        language="en",
        secure=False,
        verify_token=sign_in,
    )
    made = ConsoleSession(store, Console(service, signin, "en"), Starlette())
    made.serve()
    return made
