"""A clock that tests move, and a way to call operations of a sandbox by key."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from saasus_mcp.catalog import Catalogue
from saasus_mcp.saasus import arguments, request
from saasus_mcp.saasus.client import ApiClient, ApiResponse
from tests.support.faulty_sandbox import FaultySandbox


@dataclass
class Clock:
    """A clock that only the test moves."""

    present: datetime = field(default_factory=lambda: datetime(2026, 3, 18, 3, 30, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.present

    @property
    def epoch(self) -> int:
        return int(self.present.timestamp())

    def pass_by(self, **duration: int) -> None:
        self.present += timedelta(**duration)


@dataclass(frozen=True)
class ApiAnswer:
    """One answer: its status and its JSON, or None without a body."""

    status: int
    value: Any

    @property
    def message(self) -> str:
        return str(self.value["message"])


@dataclass(frozen=True)
class SandboxCaller:
    """Calls operations of one sandbox by key, through a real client."""

    catalogue: Catalogue
    sandbox: FaultySandbox
    client: ApiClient

    async def send(self, key: str, **values: Any) -> ApiResponse:
        operation = self.catalogue.find(key)
        built = request.build_request(operation, arguments.check_arguments(operation, values))
        return await self.client.send(operation, built, "trace-of-the-test")

    async def __call__(self, key: str, **values: Any) -> ApiAnswer:
        response = await self.send(key, **values)
        return ApiAnswer(response.status, json.loads(response.body) if response.body else None)

    async def read(self, key: str, **values: Any) -> Any:
        """Return the value of an operation that must succeed."""
        answered = await self(key, **values)
        assert answered.status < 300, answered
        return answered.value

    async def tenant(self, name: str) -> str:
        """Return the id of the tenant with this name."""
        tenants = (await self.read("auth.GetTenants"))["tenants"]
        return next(str(tenant["id"]) for tenant in tenants if tenant["name"] == name)

    async def user(self, login: str) -> str:
        """Return the id of the user with this address or sign-in id."""
        users = (await self.read("auth.GetSaasUsers"))["users"]
        return next(str(user["id"]) for user in users if login in (user["email"], user["sign_in_id"]))

    async def id_of(self, key: str, name: str) -> str:
        """Return the id of an item with this name in the answer of a list operation."""
        (items,) = (await self.read(key)).values()
        return next(str(item["id"]) for item in items if name in (item.get("name"), item.get("unit_name")))
