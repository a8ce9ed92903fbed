"""One reviewed snapshot per tool: what clients see changes only where a reviewer sees it change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue, Operation, load_catalogue
from saasus_mcp.catalog.jobs import load_jobs as jobs
from saasus_mcp.common.language import Language
from saasus_mcp.jobs.engine import JobEngine
from saasus_mcp.jobs.job_tools import build_job_tools
from saasus_mcp.jobs.runner import JobRunner
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.tool_list import builtin_tool, operation_tool
from saasus_mcp.server.surface.tool_surface import ToolSurface
from saasus_mcp.store.store import Store
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline

FOLDER = Path(__file__).parent / "tools"
LANGUAGES: tuple[Language, ...] = ("en", "ja")
UPDATE = os.environ.get("SNAPSHOTS") == "update"
HOW = "review the difference, then `make snapshots`"


async def never(_: dict[str, Any]) -> None:
    """No job runs here."""


def seen(any_tool: Operation | BuiltinTool) -> str:
    english, japanese = (
        builtin_tool(any_tool, language) if isinstance(any_tool, BuiltinTool) else operation_tool(any_tool, language)
        for language in LANGUAGES
    )
    listed = english.model_dump(mode="json", by_alias=True, exclude_none=True)
    listed["title_ja"] = japanese.title
    return json.dumps(listed, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def own(catalogue: Catalogue, store: Store) -> list[BuiltinTool]:
    """Every tool of our own, those of jobs among them."""
    one = build_pipeline(StubApi(catalogue), store)
    engine = JobEngine("", Encryptor.ephemeral(), list, never)
    more = build_job_tools(JobRunner(one, {job.name: job for job in jobs()}, engine), "compact")
    listed = [each for kind in ("compact", "full") for each in ToolSurface(one, "en", kind).list_tools(PRINCIPAL)]
    named = {each.name: each for each in listed if isinstance(each, BuiltinTool)}
    return [*more, *named.values()]


def compare(name: str, shown: str) -> None:
    file = FOLDER / f"{name}.json"
    if UPDATE:
        file.write_text(shown, encoding="utf-8")
    assert file.exists(), f"no snapshot of {name}: {HOW}"
    assert shown == file.read_text(encoding="utf-8"), f"{name} changed: {HOW}"


@pytest.mark.parametrize("operation", tuple(load_catalogue()), ids=lambda operation: operation.tool)
def test_a_tool_is_what_its_reviewed_snapshot_says(operation: Operation) -> None:
    compare(operation.tool, seen(operation))


def test_a_tool_of_our_own_is_what_its_reviewed_snapshot_says(catalogue: Catalogue, store: Store) -> None:
    for each in own(catalogue, store):
        compare(each.name, seen(each))


def test_every_snapshot_belongs_to_a_tool(catalogue: Catalogue, store: Store) -> None:
    names = {operation.tool for operation in catalogue} | {each.name for each in own(catalogue, store)}
    left_over = {file.stem for file in FOLDER.glob("*.json")} - names
    assert not left_over, f"snapshots of tools that are gone: {sorted(left_over)}; delete them"
