"""The names that the calls of a job share: each is looked up, and not all are walked through for each call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.permissions.inspection.inspect import CallInspector
from saasus_mcp.permissions.inspection.target import ReadResult
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.question.change_description import read_names
from saasus_mcp.permissions.question.facts import QuestionInput
from tests.support.pipeline import PLACE

ARGUMENTS = {"tenant_id": "t-1", "user_id": "u-1", "env_id": 3, "role_names": ["viewer"]}
MEMBER = {"id": "u-1", "tenant_id": "t-1", "email": "hanako@example.com", "envs": []}
ANSWERS = {
    "auth.GetTenantUser": MEMBER,
    "auth.GetTenant": {"id": "t-1", "name": "Aozora"},
    "auth.GetEnvs": {"envs": [{"id": 3, "name": "prod"}]},
    "auth.GetRoles": {"roles": [{"role_name": "viewer", "display_name": "Viewer"}]},
}
KNOWN = {"tenant t-1": "Aozora", "env 3": "prod", "role viewer": "Viewer (viewer)"}


class OnlyLookedUp(Mapping[str, str]):
    """Names of which there may be thousands."""

    def __getitem__(self, key: str) -> str:
        return KNOWN[key]

    def __contains__(self, key: object) -> bool:
        return key in KNOWN

    def __len__(self) -> int:
        return 5_000

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a call walked through the names of all calls of its job")


async def read(key: str, _: Mapping[str, Any]) -> ReadResult:
    return ReadResult(ANSWERS[key], status=200)


async def asked() -> QuestionInput:
    operation = load_catalogue().find("auth.CreateTenantUserRoles")
    inspection = await CallInspector(OperationCall(operation, ARGUMENTS), PLACE.saas_id, read).inspect()
    return QuestionInput(operation, ARGUMENTS, PLACE, "me", inspection, 0)


async def test_known_names_and_the_name_of_the_target_are_not_read_again() -> None:
    async def refuse(key: str, _: Mapping[str, Any]) -> NoReturn:
        raise AssertionError(f"{key} was read")

    assert await read_names(await asked(), refuse, OnlyLookedUp()) == {**KNOWN, "user u-1": "hanako@example.com"}


async def test_unknown_names_are_read() -> None:
    assert await read_names(await asked(), read, {}) == {**KNOWN, "user u-1": "hanako@example.com"}
