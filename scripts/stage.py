"""The sandbox as a stage for questions: its story stands still in March 2026, and every call starts from a fresh state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.model import TYPED_LEVELS
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.question.build import Asked, question
from saasus_mcp.permissions.question.model import Question
from saasus_mcp.permissions.survey import sights, survey
from saasus_mcp.permissions.target import Seen
from saasus_mcp.saasus import arguments, request
from saasus_mcp.saasus.client import Client
from saasus_mcp.sandbox import CREDENTIALS, Sandbox

NOW = datetime(2026, 3, 18, 3, 30, tzinfo=UTC)
PLACE = Place("sandbox", "sandbox", sandbox=True)
REQUESTER = "local:support"


async def ask(
    catalogue: Catalogue, key: str, values: Mapping[str, Any], *first: tuple[str, Mapping[str, Any]]
) -> Question:
    """The question of one call in a fresh sandbox, after the calls that must come first."""
    sandbox = Sandbox(catalogue, clock=lambda: NOW)

    async with Client(CREDENTIALS, transport=sandbox.transport(), clock=lambda: NOW) as client:

        async def send(of: str, given: Mapping[str, Any]) -> tuple[int, Any]:
            operation = catalogue.find(of)
            built = request.build(operation, arguments.check(operation, dict(given)))
            response = await client.send(operation, built, "stage")
            return response.status, json.loads(response.body) if response.body else None

        async def read(of: str, given: Mapping[str, Any]) -> Seen:
            status, answer = await send(of, given)
            return Seen(answer, status=status) if status < 300 else Seen(why_not=f"HTTP {status}", status=status)  # noqa: PLR2004

        for before, given in first:
            await send(before, given)
        operation = catalogue.find(key)
        args = arguments.understand(operation, dict(values)).values
        cached = sights(read)
        seen = await survey(operation, args, PLACE.saas_id, cached, today=NOW.date())
        typed = operation.level in TYPED_LEVELS
        return await question(Asked(operation, args, PLACE, REQUESTER, seen, typed=typed), cached)
