"""The data of an app is cheap for tools that are no operations: an app polls a job every second."""

from __future__ import annotations

import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.search import SearchIndex
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.apps.app_resources import app_data


def test_a_built_in_tool_costs_no_search_for_similar_names(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []

    def nearest(_: SearchIndex, name: str, __: int) -> list[Operation]:
        searched.append(name)
        return []

    monkeypatch.setattr(SearchIndex, "nearest", nearest)
    assert app_data(ToolAnswer(True, ""), catalogue, "job_status") == {}
    assert searched == []
    assert app_data(ToolAnswer(True, ""), catalogue, "auth_get_roles")["title"]["en"]
