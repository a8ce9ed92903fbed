"""One reviewed snapshot per tool: what clients see changes only where a reviewer sees it change."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue, Operation, load
from saasus_mcp.server.tools import tool

FOLDER = Path(__file__).parent / "tools"
UPDATE = os.environ.get("SNAPSHOTS") == "update"
HOW = "review the difference, then `make snapshots`"


def seen(operation: Operation) -> str:
    listed = tool(operation, "en").model_dump(mode="json", by_alias=True, exclude_none=True)
    listed["title_ja"] = tool(operation, "ja").title
    return json.dumps(listed, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


@pytest.mark.parametrize("operation", tuple(load()), ids=lambda operation: operation.tool)
def test_a_tool_is_what_its_reviewed_snapshot_says(operation: Operation) -> None:
    file = FOLDER / f"{operation.tool}.json"
    if UPDATE:
        file.write_text(seen(operation), encoding="utf-8")
    assert file.exists(), f"no snapshot of {operation.tool}: {HOW}"
    assert seen(operation) == file.read_text(encoding="utf-8"), f"{operation.tool} changed: {HOW}"


def test_every_snapshot_belongs_to_a_tool(catalogue: Catalogue) -> None:
    left_over = {file.stem for file in FOLDER.glob("*.json")} - {operation.tool for operation in catalogue}
    assert not left_over, f"snapshots of tools that are gone: {sorted(left_over)}; delete them"
