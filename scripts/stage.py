"""The sandbox as a stage for questions: its story stands still in March 2026, and every call starts from a fresh state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.inspect import CallInspector, cache_reads
from saasus_mcp.permissions.inspection.target import ReadResult
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.question.builder import build_question
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.facts import QuestionInput
from saasus_mcp.saasus import arguments, request
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.sandbox import CREDENTIALS, Sandbox

NOW = datetime(2026, 3, 18, 3, 30, tzinfo=UTC)
PLACE = Destination("sandbox", "sandbox", sandbox=True)
REQUESTER = "local:support"


async def ask(
    catalogue: Catalogue, key: str, values: Mapping[str, Any], *first: tuple[str, Mapping[str, Any]]
) -> Question:
    """Return the question of one call in a fresh sandbox, after the calls that must come first."""
    sandbox = Sandbox(catalogue, clock=lambda: NOW)

    async with ApiClient(CREDENTIALS, transport=sandbox.transport(), clock=lambda: NOW) as client:

        async def send(of: str, given: Mapping[str, Any]) -> tuple[int, Any]:
            operation = catalogue.find(of)
            built = request.build_request(operation, arguments.check_arguments(operation, dict(given)))
            response = await client.send(operation, built, "stage")
            return response.status, json.loads(response.body) if response.body else None

        async def read(of: str, given: Mapping[str, Any]) -> ReadResult:
            status, answer = await send(of, given)
            return (
                ReadResult(answer, status=status)
                if status < 300  # noqa: PLR2004
                else ReadResult(read_error=f"HTTP {status}", status=status)
            )

        for before, given in first:
            await send(before, given)
        operation = catalogue.find(key)
        args = arguments.parse_arguments(operation, dict(values))
        cached = cache_reads(read)
        call = OperationCall(operation, args)
        seen = await CallInspector(call, PLACE.saas_id, cached, NOW.date()).inspect()
        typed = operation.level in TYPED_LEVELS
        asked = QuestionInput(operation, args, PLACE, REQUESTER, seen, NOW.timestamp(), typed=typed)
        return await build_question(asked, cached)
