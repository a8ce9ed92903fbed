"""Ten thousand users of the sandbox: the model gets a truncated list with true counts, and the address of the rest."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client as McpClient
from mcp import types

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.sandbox import CREDENTIALS, Sandbox
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.results.result_store import ANSWER_BUDGET
from tests.support.pipeline import ERAS, PLACE, Era, connect_client
from tests.support.saas_store import open_saas_store

MANY = 10_000
BY_ERA = pytest.mark.parametrize("era", ERAS)


@pytest.fixture
def crowded(catalogue: Catalogue) -> Sandbox:
    """Return a sandbox with many additional users with Japanese names."""
    sandbox = Sandbox(catalogue)
    state = sandbox.state
    sample = state.rows("users")[0]
    for n in range(MANY):
        attributes = {**sample["attributes"], "name": f"利用者{n}"}
        user = {
            **sample,
            "id": f"user-{n}",
            "email": f"user{n}@example.com",
            "sign_in_id": "",
            "attributes": attributes,
        }
        state.put("users", (user["id"],), user)
    return sandbox


@asynccontextmanager
async def client_of(
    sandbox: Sandbox, catalogue: Catalogue, folder: Path, era: Era, **shown: Any
) -> AsyncIterator[McpClient]:
    store = open_saas_store(folder, CREDENTIALS.saas_id)
    async with ApiClient(CREDENTIALS, transport=sandbox.transport()) as sender:
        behind = Pipeline(
            catalogue=catalogue,
            policy=PRESETS["guarded"],
            client=sender,
            open_store=lambda: store,
            encryptor=Encryptor.from_file(folder / "sealing.key"),
            destination=PLACE,
        )
        async with connect_client(behind, era, **shown) as client:
            yield client
    store.close()


def said(result: types.CallToolResult) -> str:
    content = result.content[0]
    assert isinstance(content, types.TextContent)
    return content.text


@pytest.mark.slow
@BY_ERA
async def test_ten_thousand_users_fit_count_truly_and_one_is_found(
    catalogue: Catalogue, crowded: Sandbox, tmp_path: Path, era: Era
) -> None:
    there = len(crowded.state.rows("users"))
    assert there > MANY
    async with client_of(crowded, catalogue, tmp_path, era, kind="compact", language="ja") as client:
        result = await client.call_tool("call_read", {"name": "auth_get_saas_users"})
        assert not result.is_error
        assert len(said(result).encode()) <= ANSWER_BUDGET
        assert f" of {there} items" in said(result)
        assert 0 < len((result.structured_content or {})["users"]) < 200
        [uri] = [word.rstrip(";") for word in said(result).split() if word.startswith("saasus://results/")]

        async def selected(expression: str, **more: str) -> Any:
            given = {"id": uri, "expression": expression, **more}
            picked = await client.call_tool("select_from_result", given)
            assert picked.structured_content is not None, said(picked)
            return picked.structured_content["result"]

        assert await selected("length(users)") == there
        assert await selected("users[?email=='user9876@example.com'].id | [0]") == "user-9876"
        assert await selected("users[?attributes.name=='利用者9999'].email") == ["user9999@example.com"]
        table = await selected("users[-2:].{id: id, email: email}", format="csv")
        assert list(csv.reader(io.StringIO(table, newline="")))[1:] == [
            ["user-9998", "user9998@example.com"],
            ["user-9999", "user9999@example.com"],
        ]
        for wrong in ({"expression": "rows"}, {"expression": "length(users)", "format": "csv"}):
            picked = await client.call_tool("select_from_result", {"id": uri, **wrong})
            assert picked.structured_content is not None, said(picked)
            assert f"users (list of {there})" in picked.structured_content["hint"]
        [whole] = (await client.read_resource(uri)).contents
        assert isinstance(whole, types.TextResourceContents)
        assert len(json.loads(whole.text)["users"]) == there


@pytest.mark.slow
async def test_a_kept_result_outlives_the_process(catalogue: Catalogue, crowded: Sandbox, tmp_path: Path) -> None:
    async with client_of(crowded, catalogue, tmp_path, "2026-07-28") as client:
        result = await client.call_tool("auth_get_saas_users", {})
    [uri] = [word.rstrip(";") for word in said(result).split() if word.startswith("saasus://results/")]
    async with client_of(crowded, catalogue, tmp_path, "2026-07-28") as client:
        assert uri in {resource.uri for resource in (await client.list_resources()).resources}
        picked = await client.call_tool("select_from_result", {"id": uri, "expression": "users[-1].id"})
    assert picked.structured_content == {"result": "user-9999"}
