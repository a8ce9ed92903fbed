"""Reads of the API, answered from a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.target import ReadResult

PLACE = Destination("default", "saas-1")
TENANT = {"tenant_id": "t1"}
AOZORA = {"id": "t1", "name": "青空商事", "plan_id": "p1"}


@dataclass
class FakeApi:
    """Answers reads by key, and stores them. A key without an answer fails."""

    answers: Mapping[str, Any]
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    async def __call__(self, key: str, args: Mapping[str, Any]) -> ReadResult:
        self.asked.append((key, args))
        answer = self.answers.get(key, ReadResult(read_error="HTTP 500"))
        if isinstance(answer, SaasusMcpError):
            raise answer
        return answer if isinstance(answer, ReadResult) else ReadResult(answer)
