"""The console that the tests of its pages ask."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.console.desk import Desk, Room, Written
from saasus_mcp.hosting.console.doors import Doors
from saasus_mcp.hosting.console.pages import Console
from saasus_mcp.hosting.console.sessions import Admitted, LocalSessions, Tickets
from saasus_mcp.hosting.console.throttle import Throttle
from saasus_mcp.permissions.policy import PRESETS
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.store import Store
from tests.console.stage import ALICE, TOKEN, Stage


@pytest.fixture
def stage(store: Store, catalogue: Catalogue) -> Stage:
    sealer = Sealer.ephemeral()

    async def sign_in(token: str) -> Admitted | None:
        return Admitted(ALICE) if token == TOKEN else None

    def clock() -> float:
        return made.now

    rooms = [Room("production", frozenset({"operators"}), lambda: store, "production", "saas")]
    written = Written("version: 1\n# <script>")
    desk = Desk(lambda: rooms, catalogue, PRESETS["guarded"], lambda: written, sealer, clock)
    doors = Doors(LocalSessions(), Tickets(clock), sealer, clock, Throttle(clock), "en", secure=False, sign_in=sign_in)
    made = Stage(store, Console(desk, doors, "en"), Starlette())
    made.serve()
    return made
