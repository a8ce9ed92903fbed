"""A sandbox for each test, with a clock that the test moves, and a real API client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.sandbox import CREDENTIALS
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.sandbox import Clock, SandboxCaller


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(catalogue: Catalogue, clock: Clock) -> FaultySandbox:
    return FaultySandbox(catalogue, clock=clock)


@pytest.fixture
async def api(catalogue: Catalogue, sandbox: FaultySandbox, clock: Clock) -> AsyncIterator[SandboxCaller]:
    async with ApiClient(CREDENTIALS, transport=sandbox.transport(), clock=clock, timeout=5) as client:
        yield SandboxCaller(catalogue, sandbox, client)
